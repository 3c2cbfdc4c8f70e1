// List of origins, systems and shells with their switches and colours, and the legend of the colours.
import { ramp, SCALES } from "./colours.js";

const WORDS = {
  tracked: ["In orbit", "Element sets that were tracked"],
  planned: ["Planned", "From filings and announcements; not in orbit"],
  synthetic: ["Synthetic", "Made from statistics of real satellites"],
};

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export class Systems {
  // groups are shown or hidden by shown[k], and the others of those in `pointed` paler; changed() is called after each change
  constructor(root, legend, content, colours, changed) {
    Object.assign(this, { root, legend, content, colours, changed });
    this.pointed = null;
    this.shown = new Uint8Array(content.groups.length).fill(1);
    this.rows = []; // { box, members, swatch, group }
    for (const [kind, [title, words]] of Object.entries(WORDS)) {
      const all = content.groups.flatMap((group, k) => (group.kind === kind ? [k] : []));
      if (all.length) this.addKind(title, words, kind, all);
    }
    this.refresh();
  }

  addKind(title, words, kind, all) {
    const section = element("section", { className: "kind" });
    const heading = element("h2", {}, this.addRow(title, all, { shape: kind }));
    section.append(heading, element("p", { textContent: words }));
    const bySystem = groupBy(all, (k) => this.content.groups[k].system);
    for (const [system, members] of bySystem) {
      const row = this.addRow(system, members, { group: this.content.groups[members[0]] });
      if (members.length < 2) {
        section.append(row);
        continue;
      }
      const shells = element("div", { className: "shells", hidden: true });
      for (const k of members) shells.append(this.addRow(this.content.groups[k].shell || "no shell named", [k], {}));
      const open = element("button", { className: "open", textContent: "▸", title: `Shells of ${system}` });
      open.setAttribute("aria-expanded", "false");
      open.onclick = () => {
        shells.hidden = !shells.hidden;
        open.setAttribute("aria-expanded", String(!shells.hidden));
      };
      row.append(open);
      section.append(row, shells);
    }
    this.root.append(section);
  }

  addRow(name, members, { group, shape }) {
    const box = element("input", { type: "checkbox" });
    box.onchange = () => this.set(members, box.checked);
    const swatch = element("i", { className: `swatch ${group?.kind ?? shape ?? "none"}` });
    const count = members.reduce((sum, k) => sum + this.content.groups[k].count, 0);
    const label = element("label", {}, box, swatch, element("span", { className: "name", textContent: name, title: name }));
    const only = element("button", { className: "only", textContent: "only", title: `Show ${name} alone` });
    only.onclick = () => {
      this.shown.fill(0);
      this.set(members, true);
    };
    this.rows.push({ box, members, swatch, group });
    const row = element("div", { className: "row" }, label, only, element("span", { className: "count", textContent: count.toLocaleString("en") }));
    row.onpointerenter = (event) => event.pointerType === "mouse" && this.point(new Set(members));
    row.onpointerleave = () => this.pointed && this.point(null);
    return row;
  }

  set(members, isShown) {
    for (const k of members) this.shown[k] = isShown ? 1 : 0;
    this.refresh();
    this.changed();
  }

  point(members) {
    this.pointed = members;
    this.changed();
  }

  refresh() {
    for (const { box, members } of this.rows) {
      const on = members.filter((k) => this.shown[k]).length;
      box.checked = on > 0;
      box.indeterminate = on > 0 && on < members.length;
    }
  }

  colour(mode, theme) {
    for (const { swatch, group } of this.rows) {
      if (!group) continue;
      swatch.style.color = this.colours.ofGroup(group, theme);
      swatch.style.visibility = mode === "system" ? "visible" : "hidden";
    }
    this.legend.replaceChildren(...this.makeLegend(mode, theme));
  }

  makeLegend(mode, theme) {
    if (mode === "system") return [];
    if (mode === "status") {
      const kinds = Object.keys(WORDS).filter((kind) => this.content.groups.some((group) => group.kind === kind));
      return kinds.map((kind) => {
        const swatch = element("i", { className: `swatch ${kind}` });
        swatch.style.color = this.colours.ofStatus(kind, theme);
        return element("span", { className: "key" }, swatch, WORDS[kind][0]);
      });
    }
    const { title, place, ticks } = SCALES[mode];
    const bar = element("div", { className: "bar" });
    const stops = Array.from({ length: 9 }, (_, k) => ramp(k / 8, theme));
    bar.style.background = `linear-gradient(90deg, ${stops.join()})`;
    const marks = ticks.map(([value, text]) => {
      const mark = element("span", { textContent: text });
      mark.style.left = `${100 * place(value)}%`;
      return mark;
    });
    const notes = mode === "lifetime" ? [element("p", { textContent: "Grey: longer than the computation, or not computed" })] : [];
    return [element("b", { textContent: title }), bar, element("div", { className: "ticks" }, ...marks), ...notes];
  }
}

function groupBy(items, key) {
  const found = new Map();
  for (const item of items) found.set(key(item), [...(found.get(key(item)) ?? []), item]);
  return found;
}

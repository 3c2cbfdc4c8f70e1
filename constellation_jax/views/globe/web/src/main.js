// The page: scene, camera, panels, keys, and the one loop that draws. `window.globe` is for scripts and tests.
import { ColorManagement, Group, LinearSRGBColorSpace, PerspectiveCamera, Scene, Spherical, Vector3, WebGLRenderer } from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { Clock, format } from "./clock.js";
import { Colours } from "./colours.js";
import { readContent } from "./data.js";
import { Details } from "./details.js";
import { Earth, LOOKS } from "./earth.js";
import { Labels } from "./labels.js";
import { makeOrbit, siderealTime, stateAt, sunDirection } from "./orbit.js";
import { Passes } from "./passes.js";
import { FULL, HIDDEN, PALE, Swarm } from "./points.js";
import { element, Systems } from "./systems.js";

const Z = new Vector3(0, 0, 1);
const SLOW_FRAMES = 100; // milliseconds between pictures at a speed below 10, where nothing moves by a pixel
const part = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 760px)");

async function start() {
  const content = await readContent(part("content").textContent);
  part("content").remove();
  const title = content.title || "Satellites";
  const passes = new Passes(content, content.start); // at work while the scene is made
  part("title").textContent = document.title = title;
  const scene = part("scene");
  const context = scene.getContext("webgl2", { antialias: true, powerPreference: "high-performance" });
  if (!context) {
    part("message").textContent =
      "This browser gives no WebGL 2, which the globe is drawn with. Switch on hardware acceleration in its settings, or open this page in another browser.";
    document.body.classList.add("folded");
    passes.stop();
    return;
  }
  scene.addEventListener("webglcontextlost", () => (part("message").textContent = "The graphics card was reset: load this page again."));
  new Page(content, title, passes, scene, context).run();
}

class Page {
  constructor(content, title, passes, canvas, context) {
    ColorManagement.enabled = false; // colours are those of the style sheet, as they are
    this.content = content;
    this.title = title;
    this.canvas = canvas;
    this.renderer = new WebGLRenderer({ canvas, context, antialias: true });
    this.renderer.debug.checkShaderErrors = false; // which waits for the compiler
    this.renderer.outputColorSpace = LinearSRGBColorSpace;
    this.scene = new Scene();
    this.root = new Group(); // TEME
    this.earth = new Earth();
    this.swarm = new Swarm(content);
    this.colours = new Colours(content);
    this.passes = passes;
    this.details = new Details(part("details"), content, this.colours);
    this.labels = new Labels(part("overlay"), content, this.swarm);
    this.root.add(this.earth.group, this.swarm.points, this.details.orbit);
    this.earth.group.add(this.details.track);
    this.scene.add(this.root, this.earth.glow);
    this.selected = this.hovered = -1;
    this.isFixed = false; // whether the view turns with the Earth
    this.mode = "system";
    this.theme = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
    this.orbits = new Map();
    this.figures = { frames: 0, script: 0, firstPicture: NaN };
    this.dirty = true;
    const names = { play: "play", speed: "speed", text: "time", slider: "slider", now: "now", reset: "reset" };
    const parts = Object.fromEntries(Object.entries(names).map(([key, id]) => [key, part(id)]));
    this.clock = new Clock({ ...parts, say: (text) => this.say(text) }, content.start, () => (this.dirty = true));
    this.systems = new Systems(part("systems"), part("legend"), content, this.colours, () => this.applyShown());
    this.makeCamera();
    this.connect();
    if (!this.colours.hasLifetimes) part("colour").querySelector("[value=lifetime]").disabled = true;
    this.setFolded(narrow.matches || innerHeight < 420);
    this.setTheme(this.theme);
  }

  makeCamera() {
    this.camera = new PerspectiveCamera(32, 1, 0.01, 200);
    this.camera.up.copy(Z);
    this.controls = new OrbitControls(this.camera, this.canvas);
    Object.assign(this.controls, { enablePan: false, enableDamping: true, dampingFactor: 0.12, minDistance: 1.12, maxDistance: 60 });
    this.controls.addEventListener("change", () => (this.dirty = true));
    // the evening side, so that day, night and the light at the edge are in the first picture
    const [x, y] = sunDirection(this.clock.time);
    const aspect = innerWidth / innerHeight;
    this.camera.position.setFromSpherical(new Spherical(aspect < 1 ? 4.4 / aspect ** 0.8 : 4.7, Math.PI / 2 - 0.38, 0));
    this.camera.position.set(this.camera.position.z, this.camera.position.x, this.camera.position.y).applyAxisAngle(Z, Math.atan2(y, x) + 0.85);
    this.resize();
  }

  connect() {
    addEventListener("resize", () => this.resize());
    addEventListener("pagehide", () => this.passes.stop());
    addEventListener("pageshow", (event) => event.persisted && this.passes.start());
    addEventListener("keydown", (event) => this.press(event));
    matchMedia("(prefers-color-scheme: light)").addEventListener("change", (event) => this.setTheme(event.matches ? "light" : "dark"));
    let from = null;
    this.canvas.addEventListener("pointerdown", (event) => (from = [event.clientX, event.clientY]));
    this.canvas.addEventListener("pointerup", (event) => {
      const isClick = from && Math.hypot(event.clientX - from[0], event.clientY - from[1]) < 5;
      if (isClick) this.select(this.pick(event.clientX, event.clientY, event.pointerType === "touch" ? 22 : 10));
      from = null;
    });
    this.canvas.addEventListener("pointermove", (event) => {
      this.pointer = event.buttons || event.pointerType === "touch" ? null : [event.clientX, event.clientY];
      this.dirty = true;
    });
    this.canvas.addEventListener("pointerleave", () => ((this.pointer = null), (this.dirty = true)));
    part("colour").onchange = () => this.setColour(part("colour").value);
    part("all").onclick = () => this.systems.set([...this.systems.shown.keys()], true);
    part("fold").onclick = () => this.setFolded(true);
    part("unfold").onclick = () => this.setFolded(false);
    part("labels").onclick = () => this.setLabels(!this.labels.isOn);
    part("frame").onclick = () => this.setFixed(!this.isFixed);
    part("theme").onclick = () => this.setTheme(this.theme === "dark" ? "light" : "dark");
    part("shot").onclick = () => this.savePicture();
    part("help").onclick = () => part("keys").showModal();
    const search = part("search");
    search.oninput = () => this.showResults(search.value);
    search.onfocus = () => search.value && this.showResults(search.value);
    search.onkeydown = (event) => this.pressInSearch(event);
  }

  say(text) {
    part("said").textContent = text;
  }

  // --- what is shown

  applyShown() {
    const { group } = this.content.columns;
    const { shown, pointed } = this.systems;
    const opacity = Array.from(shown, (on, k) => (!on ? HIDDEN : pointed && !pointed.has(k) ? PALE : FULL));
    let count = 0;
    for (let i = 0; i < group.length; i++) if ((this.swarm.tint[4 * i + 3] = opacity[group[i]]) !== HIDDEN) count++;
    this.swarm.tintAttribute.needsUpdate = true;
    this.shownCount = count;
    const all = group.length;
    part("counts").textContent = `${count === all ? "" : `${count.toLocaleString("en")} of `}${all.toLocaleString("en")} satellites`;
    part("all").hidden = count === all;
    this.dirty = true;
  }

  setColour(mode) {
    this.mode = part("colour").value = mode;
    this.colours.paint(this.swarm.tint, mode, this.theme);
    this.systems.colour(mode, this.theme);
    this.applyShown();
  }

  setTheme(theme) {
    this.theme = document.documentElement.dataset.theme = theme;
    const style = getComputedStyle(document.documentElement);
    const get = (name) => style.getPropertyValue(name).trim();
    this.paints = { ink: get("--ink"), sky: LOOKS[theme].sky, accent: get("--accent") };
    this.renderer.setClearColor(LOOKS[theme].sky);
    this.earth.setLook(theme);
    this.details.setLook(this.paints.accent, this.paints.ink);
    this.swarm.material.uniforms.dim.value = theme === "dark" ? 0.5 : 0.42;
    this.setColour(this.mode);
  }

  setLabels(isOn) {
    this.labels.isOn = isOn;
    this.labels.since = 0;
    part("labels").setAttribute("aria-pressed", String(isOn));
    this.dirty = true;
  }

  setFixed(isFixed) {
    if (isFixed === this.isFixed) return;
    this.isFixed = isFixed;
    part("frame").setAttribute("aria-pressed", String(isFixed));
    const turn = siderealTime(this.clock.time) * (isFixed ? -1 : 1);
    this.camera.position.applyAxisAngle(Z, turn); // the picture stays
    this.dirty = true;
  }

  setFolded(isFolded) {
    document.body.classList.toggle("folded", isFolded);
    this.resize();
  }

  select(i) {
    this.selected = i;
    if (i >= 0) {
      const group = this.content.columns.group[i];
      if (!this.systems.shown[group]) this.systems.set([group], true);
      this.say(`${this.content.names[i]} selected`);
    }
    this.details.select(i, this.clock.time, () => this.select(-1));
    this.resize();
  }

  // Turn the camera over an object
  goTo(i) {
    const p = this.swarm.drawnAt(i);
    if (!p) return;
    const place = new Vector3(p[0], p[1], p[2]).applyAxisAngle(Z, this.root.rotation.z);
    const radius = place.length() / 6378.137;
    this.camera.position.copy(place.setLength(Math.max(this.camera.position.length(), radius + 1.2)));
    this.dirty = true;
  }

  // --- search

  find(words) {
    const wanted = words.trim().toUpperCase();
    if (!wanted) return [];
    const { names, columns, designators } = this.content;
    this.upper ??= names.map((name) => name.toUpperCase());
    const [exact, first, rest] = [[], [], []];
    const number = /^\d+$/.test(wanted) ? Number(wanted) : -2;
    for (let i = 0; i < names.length; i++) {
      const at = this.upper[i].indexOf(wanted);
      if (columns.norad_id[i] === number || this.upper[i] === wanted || designators[i] === wanted) exact.push(i);
      else if (at === 0) first.push(i);
      else if (at > 0 || (number >= 0 && String(columns.norad_id[i]).startsWith(wanted))) rest.push(i);
    }
    return [...exact, ...first, ...rest];
  }

  showResults(words) {
    const found = (this.labels.found = this.find(words));
    const list = part("results");
    const rows = found.slice(0, 50).map((i, k) => {
      const number = this.content.columns.norad_id[i];
      const row = element("li", { id: `result${k}`, onclick: () => this.choose(i) }, element("span", { textContent: this.content.names[i] }));
      if (number >= 0) row.append(element("small", { textContent: number }));
      row.setAttribute("role", "option");
      row.dataset.index = i;
      return row;
    });
    const more = found.length > 50 ? `${found.length.toLocaleString("en")} found` : found.length ? "" : words.trim() ? "nothing found" : "";
    if (more) rows.push(element("li", { className: "note", textContent: more }));
    list.replaceChildren(...rows);
    list.hidden = !rows.length;
    part("search").setAttribute("aria-expanded", String(rows.length > 0));
    this.mark(0);
    this.dirty = true;
  }

  mark(k) {
    const rows = [...part("results").querySelectorAll("[role=option]")];
    this.marked = Math.min(Math.max(k, 0), rows.length - 1);
    rows.forEach((row, j) => row.setAttribute("aria-selected", String(j === this.marked)));
    rows[this.marked]?.scrollIntoView({ block: "nearest" });
    part("search").setAttribute("aria-activedescendant", rows[this.marked]?.id ?? "");
    return rows[this.marked];
  }

  choose(i) {
    part("results").hidden = true;
    part("search").setAttribute("aria-expanded", "false");
    this.labels.found = [];
    this.select(i);
    this.goTo(i);
    this.canvas.focus({ focusVisible: false });
  }

  pressInSearch(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      this.mark(this.marked + (event.key === "ArrowDown" ? 1 : -1));
      event.preventDefault();
    } else if (event.key === "Enter") {
      const row = this.mark(this.marked);
      if (row) this.choose(Number(row.dataset.index));
    } else if (event.key === "Escape") {
      part("search").value = "";
      this.showResults("");
      this.canvas.focus();
    }
    event.stopPropagation();
  }

  // --- keys and pointer

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || part("keys").open) return;
    const { tagName, type } = event.target;
    const isTyping = tagName === "SELECT" || (tagName === "INPUT" && type !== "checkbox") || (tagName === "INPUT" && event.key === " ") || (tagName === "BUTTON" && /^( |Enter)$/.test(event.key));
    if (isTyping) return;
    const turn = 0.06;
    const acts = {
      ArrowLeft: () => this.turn(-turn, 0), ArrowRight: () => this.turn(turn, 0), ArrowUp: () => this.turn(0, turn), ArrowDown: () => this.turn(0, -turn),
      "+": () => this.zoom(0.88), "=": () => this.zoom(0.88), "-": () => this.zoom(1 / 0.88),
      " ": () => this.clock.toggle(), ",": () => this.clock.jump(this.clock.time - 60000), ".": () => this.clock.jump(this.clock.time + 60000),
      "[": () => this.clock.faster(-1), "]": () => this.clock.faster(1), Home: () => this.clock.jump(this.content.start, true), n: () => this.clock.jump(Date.now(), true),
      "/": () => part("search").focus(), Escape: () => this.select(-1), s: () => this.setFolded(!document.body.classList.contains("folded")),
      c: () => this.nextColour(), l: () => this.setLabels(!this.labels.isOn), f: () => this.setFixed(!this.isFixed), g: () => this.goTo(this.selected),
      t: () => part("theme").click(), p: () => this.savePicture(), "?": () => part("keys").showModal(),
    };
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    act();
    event.preventDefault();
  }

  nextColour() {
    const modes = [...part("colour").options].filter((option) => !option.disabled).map((option) => option.value);
    this.setColour(modes[(modes.indexOf(this.mode) + 1) % modes.length]);
    this.say(`coloured by ${this.mode}`);
  }

  turn(right, up) {
    const place = this.camera.position.applyAxisAngle(Z, right);
    const axis = new Vector3().crossVectors(place, Z).normalize();
    const latitude = Math.asin(place.z / place.length());
    place.applyAxisAngle(axis, Math.min(Math.max(up, -1.5 - latitude), 1.5 - latitude));
    this.dirty = true;
  }

  zoom(factor) {
    const { minDistance, maxDistance } = this.controls;
    this.camera.position.setLength(Math.min(Math.max(1 + (this.camera.position.length() - 1) * factor, minDistance), maxDistance));
    this.dirty = true;
  }

  pick(x, y, within) {
    this.aim();
    return this.swarm.pick(x, y, within);
  }

  aim() {
    this.camera.lookAt(0, 0, 0); // the controls do it in the next frame, after whoever moved the camera
    this.camera.updateMatrixWorld();
    this.swarm.aim(this.camera, innerWidth, innerHeight);
  }

  // --- picture

  resize() {
    const [width, height] = [innerWidth, innerHeight];
    this.ratio = Math.min(devicePixelRatio || 1, 2);
    this.renderer.setPixelRatio(this.ratio);
    this.renderer.setSize(width, height, false);
    this.labels.resize(width, height, this.ratio);
    this.camera.aspect = width / height;
    // the globe is in the middle of what the panels leave
    const left = narrow.matches || document.body.classList.contains("folded") ? 0 : 284;
    const right = narrow.matches || this.selected < 0 ? 0 : 308;
    const down = narrow.matches && this.selected >= 0 ? 0.16 * height : 0.02 * height;
    this.camera.setViewOffset(width, height, (right - left) / 2, down, width, height);
    this.labels.area = { left, right: width - right, top: 0, bottom: height - 70 };
    this.swarm.material.uniforms.pixels.value = 16 * this.ratio * Math.min(1.3, Math.max(0.75, height / 900));
    this.swarm.material.uniforms.least.value = (narrow.matches ? 1.5 : 2) * this.ratio;
    this.swarm.material.uniforms.most.value = 9 * this.ratio;
    this.dirty = true;
  }

  place(time) {
    const turn = siderealTime(time);
    const sun = new Vector3(...sunDirection(time));
    this.earth.group.rotation.z = turn;
    this.root.rotation.z = this.isFixed ? -turn : 0;
    this.swarm.material.uniforms.sun.value.copy(sun);
    this.earth.sun.copy(sun).applyAxisAngle(Z, this.root.rotation.z);
    this.root.updateMatrixWorld(true);
  }

  run() {
    this.opened = this.last = performance.now();
    this.drawn = this.refreshed = 0;
    this.renderer.setAnimationLoop((now) => this.frame(now));
    globalThis.globe = new Door(this);
  }

  frame(now) {
    const began = performance.now();
    const passed = Math.min(began - this.last, 250);
    this.last = began;
    const { clock } = this;
    const wanted = clock.time + passed * clock.rate;
    const around = this.passes.around(wanted, clock.rate); // null, and time waits, while the worker is at it
    if (around) {
      this.dirty ||= clock.rate ? clock.rate >= 10 || began - this.drawn > SLOW_FRAMES : this.shownTime !== wanted;
      this.shownTime = clock.time = wanted;
      this.dirty ||= this.isPart !== around.isPart;
      this.isPart = around.isPart;
      this.swarm.show(around);
    }
    this.controls.update();
    const isWaiting = !this.swarm.points.visible && began - this.opened < 1500; // for the worker: two pictures take twice as long
    if (!this.dirty || isWaiting) return;
    this.render(began);
    if (began - this.refreshed > 150 || !clock.rate) {
      this.refreshed = began;
      clock.refresh();
      this.details.refresh(clock.time);
      const { failed } = this.swarm.before ?? { failed: 0 };
      if (failed !== this.failed) part("failed").textContent = failed ? `${failed.toLocaleString("en")} without a position: decayed or failed` : "";
      this.failed = failed;
    }
    this.figures.frames++;
    this.figures.script += performance.now() - began;
  }

  render(now) {
    this.dirty = false;
    this.drawn = now;
    this.place(this.clock.time);
    this.aim();
    if (this.pointer && now - (this.hoveredAt ?? 0) > 60) {
      this.hoveredAt = now;
      this.hovered = this.swarm.pick(...this.pointer, 8);
      this.canvas.style.cursor = this.hovered >= 0 ? "pointer" : "grab";
    } else if (!this.pointer) this.hovered = -1;
    this.renderer.render(this.scene, this.camera);
    this.labels.draw(now, { selected: this.selected, hovered: this.hovered, ...this.paints, area: this.labels.area });
    if (!this.swarm.points.visible) return;
    if (Number.isNaN(this.figures.firstPicture)) this.figures.firstPicture = performance.now();
    if (!this.isPart) this.isReady?.();
  }

  // The picture with its names, title and time
  makePicture() {
    this.render(performance.now());
    const made = element("canvas", { width: this.canvas.width, height: this.canvas.height });
    const pen = made.getContext("2d");
    pen.drawImage(this.canvas, 0, 0);
    pen.drawImage(part("overlay"), 0, 0);
    pen.scale(this.ratio, this.ratio);
    pen.fillStyle = this.paints.ink;
    pen.font = "600 15px system-ui, sans-serif";
    pen.fillText(this.title, 16, innerHeight - 34);
    pen.font = "13px system-ui, sans-serif";
    pen.fillText(`${part("counts").textContent}, ${format(this.clock.time)} UTC`, 16, innerHeight - 14);
    return new Promise((resolve) => made.toBlob(resolve, "image/png"));
  }

  async savePicture() {
    const link = element("a", { href: URL.createObjectURL(await this.makePicture()), download: `globe-${format(this.clock.time).replace(/[ :]/g, "-")}.png` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    this.say("picture saved");
  }
}

// What scripts may do; an object is meant by its catalogue number or its name
class Door {
  #page;

  constructor(page) {
    this.#page = page;
    this.ready = new Promise((resolve) => (page.isReady = resolve));
  }

  #index(id) {
    const i = typeof id === "number" ? this.#page.content.columns.norad_id.indexOf(id) : this.#page.content.names.indexOf(id);
    if (i < 0) throw new Error(`${id}: no such object`);
    return i;
  }

  get count() {
    return this.#page.content.count;
  }

  get shown() {
    return this.#page.shownCount;
  }

  get selected() {
    return this.#page.selected < 0 ? null : this.#page.content.names[this.#page.selected];
  }

  get time() {
    return this.#page.clock.time;
  }

  get isRunning() {
    return this.#page.passes.worker !== null;
  }

  get figures() {
    const { frames, script, firstPicture } = this.#page.figures;
    return { frames, scriptPerFrame: script / frames, firstPicture, pass: this.#page.passes.milliseconds };
  }

  // Position (km) and velocity (km/s) in TEME at a time in milliseconds since 1970, by SGP4; null where it has failed
  stateAt(id, time) {
    const { content, orbits } = this.#page;
    const i = this.#index(id);
    if (!orbits.has(i)) orbits.set(i, makeOrbit(content, i));
    const state = stateAt(orbits.get(i), time);
    return state && [...Object.values(state.position), ...Object.values(state.velocity)];
  }

  // Position as it is drawn now, km in TEME
  drawnAt(id) {
    const place = this.#page.swarm.drawnAt(this.#index(id));
    return place && [...place];
  }

  // Place on the screen, CSS pixels; null where it is not to be seen
  project(id) {
    const seen = {};
    this.#page.aim();
    return this.#page.swarm.project(this.#index(id), seen) ? [seen.x, seen.y] : null;
  }

  search(words) {
    return this.#page.find(words).map((i) => this.#page.content.names[i]);
  }

  select(id) {
    this.#page.select(id === null ? -1 : this.#index(id));
    if (id !== null) this.#page.goTo(this.#page.selected);
  }

  setTime(time) {
    this.#page.clock.jump(time, true);
  }

  setPlaying(isPlaying) {
    if (this.#page.clock.isPlaying !== isPlaying) this.#page.clock.toggle();
  }

  setColour(mode) {
    this.#page.setColour(mode);
  }

  setTheme(theme) {
    this.#page.setTheme(theme);
  }

  // Camera over a longitude and latitude in degrees, at a distance in radii of the Earth
  setView(longitude, latitude, distance) {
    const page = this.#page;
    const [a, b] = [(longitude * Math.PI) / 180 + (page.isFixed ? 0 : siderealTime(page.clock.time)), (latitude * Math.PI) / 180];
    page.camera.position.set(Math.cos(b) * Math.cos(a), Math.cos(b) * Math.sin(a), Math.sin(b)).multiplyScalar(distance);
    page.dirty = true;
  }

  picture() {
    return this.#page.makePicture();
  }
}

start().catch((error) => {
  part("message").textContent = `The globe could not be shown: ${error.message}`;
  throw error;
});

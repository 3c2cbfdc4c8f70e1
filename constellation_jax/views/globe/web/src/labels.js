// Names, rings and marks over the picture, on a canvas of their own. Text that is drawn is never parsed.

const CELL = [150, 30]; // a label for each cell of the screen, pixels
const MOST = 40;
const RINGS = 400;

export class Labels {
  constructor(canvas, content, swarm) {
    Object.assign(this, { canvas, content, swarm });
    this.pen = canvas.getContext("2d");
    this.isOn = false;
    this.chosen = [];
    this.found = [];
    this.since = 0;
  }

  resize(width, height, ratio) {
    [this.width, this.height] = [width, height];
    [this.canvas.width, this.canvas.height] = [width * ratio, height * ratio];
    this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  draw(now, { selected, hovered, ink, sky, accent, area }) {
    const { pen, swarm } = this;
    const isEmpty = !this.isOn && !this.found.length && hovered < 0 && selected < 0;
    if (isEmpty && this.isClear) return; // to clear the canvas costs as much as to draw the globe
    pen.clearRect(0, 0, this.width, this.height);
    this.isClear = isEmpty;
    if (this.isOn && now - this.since > 400) ((this.since = now), this.choose(area));
    const seen = {};
    pen.lineWidth = 1.5;
    pen.strokeStyle = accent;
    for (const i of this.found.slice(0, RINGS)) {
      if (i === selected || !swarm.isShown(i) || !swarm.project(i, seen)) continue;
      this.ring(seen, 5);
    }
    pen.font = "500 11.5px system-ui, sans-serif";
    if (this.isOn) for (const i of this.chosen) if (i !== selected && i !== hovered && swarm.isShown(i)) this.name(i, seen, ink, sky, 0.85);
    pen.font = "600 13px system-ui, sans-serif";
    for (const i of new Set([hovered, selected])) {
      if (i < 0 || !swarm.project(i, seen)) continue;
      pen.strokeStyle = i === selected ? accent : ink;
      pen.lineWidth = 2;
      this.ring(seen, i === selected ? 9 : 7);
      this.name(i, seen, ink, sky, 1);
    }
  }

  ring({ x, y }, radius) {
    this.pen.beginPath();
    this.pen.arc(x, y, radius, 0, 2 * Math.PI);
    this.pen.stroke();
  }

  name(i, seen, ink, sky, opacity) {
    if (!this.swarm.project(i, seen)) return;
    const { pen } = this;
    const text = this.content.names[i].slice(0, 60);
    pen.globalAlpha = opacity;
    pen.lineJoin = "round";
    pen.strokeStyle = sky;
    pen.lineWidth = 3;
    pen.strokeText(text, seen.x + 11, seen.y + 4);
    pen.fillStyle = ink;
    pen.fillText(text, seen.x + 11, seen.y + 4);
    pen.globalAlpha = 1;
  }

  // The nearest objects of the free area, one a cell, whose names do not meet; at most MOST
  choose({ left, right, top, bottom }) {
    const nearest = new Map();
    const seen = {};
    for (let i = 0; i < this.swarm.count; i++) {
      if (!this.swarm.isShown(i) || !this.swarm.project(i, seen)) continue;
      if (seen.x < left || seen.x > right || seen.y < top || seen.y > bottom) continue;
      const cell = Math.floor(seen.x / CELL[0]) + 1000 * Math.floor(seen.y / CELL[1]);
      const best = nearest.get(cell);
      // one that has a label keeps it unless another is much nearer
      const distance = seen.distance * (this.chosen.includes(i) ? 0.8 : 1);
      if (!best || distance < best[1]) nearest.set(cell, [i, distance]);
    }
    const taken = [];
    for (const [i] of [...nearest.values()].sort((a, b) => a[1] - b[1])) {
      if (taken.length === MOST) break;
      this.swarm.project(i, seen);
      const box = { i, x: seen.x, y: seen.y, end: seen.x + 24 + 7 * this.content.names[i].length };
      if (box.end < right && !taken.some((t) => Math.abs(t.y - box.y) < 18 && t.x < box.end && box.x < t.end)) taken.push(box);
    }
    this.chosen = taken.map(({ i }) => i);
  }
}

// Time that is shown, its speed, and the bar that sets both. Milliseconds since 1970, UTC.

const SPAN = 86400000; // of the slider
export const SPEEDS = [1, 10, 60, 300, 1000, 3600];

export class Clock {
  constructor(parts, start, jumped) {
    Object.assign(this, parts); // play, speed, text, slider, now, reset, say
    this.start = this.time = start;
    this.jumped = jumped;
    this.isPlaying = true;
    this.direction = 1;
    this.play.onclick = () => this.toggle();
    this.speed.onchange = () => this.jumped();
    this.slider.oninput = () => this.jump(this.first + Number(this.slider.value) * 1000);
    this.now.onclick = () => this.jump(Date.now(), true);
    this.reset.onclick = () => this.jump(this.start, true);
    this.text.onchange = () => this.parse();
    this.text.onkeydown = (event) => {
      if (event.key === "Enter") this.text.blur();
      if (event.key === "Escape") ((this.text.value = format(this.time)), this.text.blur());
    };
    this.centre(start);
    this.refresh(true);
  }

  get rate() {
    return this.isPlaying ? Number(this.speed.value) : 0;
  }

  centre(time) {
    this.first = Math.floor(time / 3600000) * 3600000;
    if (this.first + SPAN < time) this.first = time - SPAN;
  }

  jump(time, recentre = false) {
    this.time = Math.min(Math.max(time, -2208988800000), 4102444800000); // 1900 to 2100
    if (recentre || this.time < this.first || this.time > this.first + SPAN) this.centre(this.time);
    this.refresh(true);
    this.jumped();
  }

  toggle() {
    this.isPlaying = !this.isPlaying;
    this.refresh(true);
    this.jumped();
  }

  faster(steps) {
    const k = SPEEDS.indexOf(Number(this.speed.value)) + steps;
    this.speed.value = SPEEDS[Math.min(Math.max(k, 0), SPEEDS.length - 1)];
    this.say(`speed ${this.speed.value} times`);
    this.jumped();
  }

  parse() {
    const words = this.text.value.trim().replace(" ", "T").replace(/ ?(UTC|Z)$/i, "");
    const time = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?)?$/.test(words) ? Date.parse(words.length > 10 ? `${words}Z` : words) : NaN;
    if (Number.isNaN(time)) {
      this.say("expected a time such as 2026-08-22 12:00:00");
      this.text.value = format(this.time);
    } else this.jump(time, true);
  }

  refresh() {
    if (this.time > this.first + SPAN) this.first += SPAN;
    const text = format(this.time);
    if (document.activeElement !== this.text && this.text.value !== text) this.text.value = text;
    this.slider.value = (this.time - this.first) / 1000;
    if (this.said === text && this.wasPlaying === this.isPlaying) return;
    [this.said, this.wasPlaying] = [text, this.isPlaying];
    this.slider.setAttribute("aria-valuetext", text);
    this.play.setAttribute("aria-pressed", String(this.isPlaying));
    this.play.setAttribute("aria-label", this.isPlaying ? "Pause" : "Play");
    this.play.classList.toggle("playing", this.isPlaying);
  }
}

export function format(time) {
  return new Date(time).toISOString().slice(0, 19).replace("T", " ");
}

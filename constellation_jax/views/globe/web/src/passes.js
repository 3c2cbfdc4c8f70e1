// States on both sides of the instant that is shown, computed by the worker: one pass every 60 or 180 s of shown time.
// Hermite between passes 60 s apart is within 6 m of SGP4 for 99.9 % of a catalogue, 180 s apart within 34 m.
import { InterleavedBuffer, InterleavedBufferAttribute } from "three";

const QUICK = 600; // speed from which passes are 180 s apart
const KEPT = 5; // passes on the GPU: two in use, those before and after, one being filled
const AT_ONCE = 2; // requests that wait at the worker: a jump in time must not wait for more

export class Passes {
  constructor(content, time) {
    this.content = content;
    this.kept = new Map(); // time -> { states, buffer, position, velocity, used }
    this.waiting = new Map(); // time -> when it was asked for
    this.spare = [];
    this.part = null; // a part of the objects, until the worker has all of them
    this.milliseconds = 0;
    this.start();
    this.around(time, 1);
  }

  start() {
    this.waiting.clear();
    const source = document.getElementById("worker").textContent;
    this.worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
    const { columns, scales } = this.content;
    this.worker.postMessage({ content: { columns, scales } });
    this.worker.onmessage = ({ data }) => this.receive(data);
  }

  stop() {
    this.worker?.terminate();
    this.worker = null;
  }

  receive({ time, states, failed, milliseconds, isPart }) {
    if (isPart) {
      this.part = { ...makePass(states), time, failed: 0 };
      return;
    }
    this.milliseconds = milliseconds;
    this.waiting.delete(time);
    let pass;
    if (this.kept.size < KEPT) {
      pass = makePass(new Float32Array(states.length));
    } else {
      const [oldest] = [...this.kept].reduce((a, b) => (b[1].used < a[1].used ? b : a));
      pass = this.kept.get(oldest);
      this.kept.delete(oldest);
    }
    pass.buffer.array.set(states);
    pass.buffer.needsUpdate = true;
    pass.failed = failed;
    pass.used = performance.now();
    this.kept.set(time, pass);
    this.spare.push(states);
  }

  ask(time) {
    if (!this.worker || this.kept.has(time) || this.waiting.has(time) || this.waiting.size >= AT_ONCE) return;
    this.waiting.set(time, performance.now());
    const states = this.spare.pop();
    this.worker.postMessage({ time, states }, states ? [states.buffer] : []);
  }

  // The two passes around an instant and their weights there; null until the worker has them, but for a part at first
  around(time, speed) {
    const step = (Math.abs(speed) > QUICK ? 180 : 60) * 1000;
    const first = Math.floor(time / step) * step;
    const before = this.kept.get(first);
    const after = this.kept.get(first + step);
    this.ask(first);
    this.ask(first + step);
    if (!before || !after) {
      const { part } = this;
      const since = part ? (time - part.time) / 1000 : Infinity;
      return Math.abs(since) < 60 ? { before: part, after: part, weights: [1, since, 0, 0], isPart: true } : null;
    }
    this.part = null;
    this.ask(first + (speed < 0 ? -step : 2 * step));
    before.used = after.used = performance.now();
    return { before, after, weights: hermite((time - first) / step, step / 1000), isPart: false };
  }
}

function makePass(states) {
  const buffer = new InterleavedBuffer(states, 6);
  return { buffer, position: new InterleavedBufferAttribute(buffer, 3, 0), velocity: new InterleavedBufferAttribute(buffer, 3, 3) };
}

// Weights of positions and velocities before and after
function hermite(u, seconds) {
  const u2 = u * u;
  const u3 = u2 * u;
  return [2 * u3 - 3 * u2 + 1, (u3 - 2 * u2 + u) * seconds, 3 * u2 - 2 * u3, (u3 - u2) * seconds];
}

// States of all objects at an instant: x, y, z (km), vx, vy, vz (km/s) in TEME as float32; zeros where an object has failed.
import { makeOrbit, stateAt } from "./orbit.js";

const FIRST = 6; // of so many objects one is in the first answer, which the first picture shows: making the orbits takes a while
let content = null;
let orbits = [];
let isFirst = true;

function fill(states, time, stride) {
  let failed = 0;
  for (let i = 0; i < orbits.length; i += stride) {
    const state = stateAt((orbits[i] ??= makeOrbit(content, i)), time);
    if (state) {
      const { position: p, velocity: v } = state;
      states[6 * i] = p.x;
      states[6 * i + 1] = p.y;
      states[6 * i + 2] = p.z;
      states[6 * i + 3] = v.x;
      states[6 * i + 4] = v.y;
      states[6 * i + 5] = v.z;
    } else {
      states.fill(0, 6 * i, 6 * i + 6);
      failed++;
    }
  }
  return failed;
}

onmessage = ({ data }) => {
  if (data.content) {
    content = data.content;
    orbits = new Array(content.columns.norad_id.length).fill(null);
    return;
  }
  const { time } = data;
  if (isFirst) {
    isFirst = false;
    const states = new Float32Array(6 * orbits.length);
    fill(states, time, FIRST);
    postMessage({ time, states, isPart: true }, [states.buffer]);
  }
  const began = performance.now();
  const states = data.states ?? new Float32Array(6 * orbits.length);
  const failed = fill(states, time, 1);
  postMessage({ time, states, failed, milliseconds: performance.now() - began }, [states.buffer]);
};

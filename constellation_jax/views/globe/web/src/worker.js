// States of all objects at an instant: x, y, z (km), vx, vy, vz (km/s) in TEME as float32; zeros where an object has failed.
import { makeOrbit, stateAt } from "./orbit.js";

let orbits = [];

onmessage = ({ data }) => {
  if (data.content) {
    const n = data.content.columns.norad_id.length;
    orbits = Array.from({ length: n }, (_, i) => makeOrbit(data.content, i));
  } else {
    const began = performance.now();
    const states = data.states ?? new Float32Array(6 * orbits.length);
    let failed = 0;
    for (let i = 0; i < orbits.length; i++) {
      const state = stateAt(orbits[i], data.time);
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
    postMessage({ time: data.time, states, failed, milliseconds: performance.now() - began }, [states.buffer]);
  }
};

// All objects as points: Hermite between two passes in the vertex shader, and the same on the CPU for picking and labels.
import { BufferAttribute, BufferGeometry, Matrix4, NormalBlending, Points, ShaderMaterial, Vector3, Vector4 } from "three";
import { EARTH_KM } from "./orbit.js";

export const [HIDDEN, PALE, FULL] = [0, 160, 255]; // fourth byte of a tint

const VERTEX = `
attribute vec3 v0; attribute vec3 p1; attribute vec3 v1; attribute vec4 tint; attribute float hollow;
uniform vec4 weights; uniform vec3 sun; uniform float pixels, least, most, dim;
varying vec4 colour; varying float ring; varying float size;
void main() {
  bool failed = dot(position, position) == 0.0 || dot(p1, p1) == 0.0;
  vec3 p = (weights.x * position + weights.y * v0 + weights.z * p1 + weights.w * v1) / ${EARTH_KM.toFixed(3)};
  vec4 view = modelViewMatrix * vec4(p, 1.0);
  gl_Position = projectionMatrix * view;
  float along = dot(p, sun);
  float shade = along < 0.0 && dot(p, p) - along * along < 1.0 ? dim : 1.0;
  colour = vec4(tint.rgb, tint.a < 0.9 ? 0.16 * shade : shade);
  ring = hollow;
  size = clamp(pixels / -view.z, least, most);
  gl_PointSize = size;
  if (failed || tint.a < 0.5) gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
}`;
const FRAGMENT = `
varying vec4 colour; varying float ring; varying float size;
void main() {
  float r = length(gl_PointCoord - 0.5) * size;
  float outer = 0.5 * size;
  float cover = 1.0 - smoothstep(outer - 1.0, outer, r);
  // planned satellites are rings where they are large enough for one
  if (ring > 0.5) cover *= mix(0.8, smoothstep(outer - 2.6, outer - 1.4, r) + 0.12, smoothstep(5.0, 6.5, size));
  if (cover < 0.02) discard;
  gl_FragColor = vec4(colour.rgb, cover * colour.a);
}`;

export class Swarm {
  constructor(content) {
    this.count = content.count;
    this.tint = new Uint8Array(4 * content.count);
    const geometry = new BufferGeometry();
    this.tintAttribute = new BufferAttribute(this.tint, 4, true);
    geometry.setAttribute("tint", this.tintAttribute);
    const hollow = Float32Array.from(content.columns.group, (g) => (content.groups[g].kind === "planned" ? 1 : 0));
    geometry.setAttribute("hollow", new BufferAttribute(hollow, 1));
    this.material = new ShaderMaterial({
      vertexShader: VERTEX, fragmentShader: FRAGMENT, transparent: true, depthWrite: false, blending: NormalBlending,
      uniforms: {
        weights: { value: new Vector4() }, sun: { value: new Vector3() },
        pixels: { value: 8 }, least: { value: 1.8 }, most: { value: 9 }, dim: { value: 0.5 },
      },
    });
    this.points = new Points(geometry, this.material);
    this.points.frustumCulled = false;
    this.points.visible = false;
    this.transform = new Matrix4();
    this.eye = new Vector3();
    this.inverse = new Matrix4();
    this.place = new Float64Array(3);
    this.sight = { x: 0, y: 0, distance: 0 };
  }

  show({ before, after, weights }) {
    const { geometry } = this.points;
    if (this.before !== before || this.after !== after) {
      geometry.setAttribute("position", before.position).setAttribute("v0", before.velocity);
      geometry.setAttribute("p1", after.position).setAttribute("v1", after.velocity);
      [this.before, this.after] = [before, after];
    }
    this.weights = weights;
    this.material.uniforms.weights.value.set(...this.weights);
    this.points.visible = true;
  }

  // Position of an object as it is drawn, km in TEME; null where it has failed
  drawnAt(i) {
    if (!this.weights) return null;
    const a = this.before.buffer.array;
    const b = this.after.buffer.array;
    const [w0, w1, w2, w3] = this.weights;
    const k = 6 * i;
    if ((a[k] === 0 && a[k + 1] === 0 && a[k + 2] === 0) || (b[k] === 0 && b[k + 1] === 0 && b[k + 2] === 0)) return null;
    for (let j = 0; j < 3; j++) this.place[j] = w0 * a[k + j] + w1 * a[k + 3 + j] + w2 * b[k + j] + w3 * b[k + 3 + j];
    return this.place;
  }

  isShown(i) {
    return this.tint[4 * i + 3] !== HIDDEN;
  }

  // Camera of the next calls of `project`; width and height in CSS pixels
  aim(camera, width, height) {
    this.points.updateWorldMatrix(true, false);
    this.transform.multiplyMatrices(camera.projectionMatrix, camera.matrixWorldInverse).multiply(this.points.matrixWorld);
    this.eye.copy(camera.position).applyMatrix4(this.inverse.copy(this.points.matrixWorld).invert());
    [this.width, this.height] = [width, height];
  }

  // Place of an object on the screen as sight.x, sight.y (CSS pixels) and sight.distance; false where it is not to be seen
  project(i, sight = this.sight) {
    const p = this.drawnAt(i);
    if (!p) return false;
    const x = p[0] / EARTH_KM;
    const y = p[1] / EARTH_KM;
    const z = p[2] / EARTH_KM;
    const e = this.transform.elements;
    const w = e[3] * x + e[7] * y + e[11] * z + e[15];
    if (w <= 0) return false;
    const right = (e[0] * x + e[4] * y + e[8] * z + e[12]) / w;
    const up = (e[1] * x + e[5] * y + e[9] * z + e[13]) / w;
    if (Math.abs(right) > 1 || Math.abs(up) > 1) return false;
    const { x: cx, y: cy, z: cz } = this.eye;
    const dx = x - cx;
    const dy = y - cy;
    const dz = z - cz;
    const length2 = dx * dx + dy * dy + dz * dz;
    const along = -(cx * dx + cy * dy + cz * dz) / length2;
    if (along > 0 && along < 1) {
      const miss2 = (cx + along * dx) ** 2 + (cy + along * dy) ** 2 + (cz + along * dz) ** 2;
      if (miss2 < 0.994) return false; // behind the Earth
    }
    sight.x = ((right + 1) / 2) * this.width;
    sight.y = ((1 - up) / 2) * this.height;
    sight.distance = Math.sqrt(length2);
    return true;
  }

  // The shown object nearest to a place on the screen, at most some pixels away; -1 for none
  pick(x, y, within) {
    let found = -1;
    let least = within;
    for (let i = 0; i < this.count; i++) {
      if (!this.isShown(i) || !this.project(i)) continue;
      const away = Math.hypot(this.sight.x - x, this.sight.y - y);
      if (away < least) [found, least] = [i, away];
    }
    return found;
  }
}

// The Earth: ellipsoid with land, coasts, graticule, day and night, and the glow of the air at its edge. Radii of the equator.
import {
  AdditiveBlending, BackSide, BufferAttribute, BufferGeometry, CanvasTexture, Color, Group, LineBasicMaterial, LineSegments,
  LinearFilter, LinearMipmapLinearFilter, Mesh, NormalBlending, ShaderMaterial, SphereGeometry, Vector3,
} from "three";
import { onEllipsoid } from "./orbit.js";

const DEGREE = Math.PI / 180;
const GLOW_RADIUS = 1.25;

const SURFACE_VERTEX = `
varying vec3 up; varying vec3 place; varying vec2 map;
void main() {
  up = normalize(mat3(modelMatrix) * normal);
  map = uv;
  vec4 world = modelMatrix * vec4(position, 1.0);
  place = world.xyz;
  gl_Position = projectionMatrix * viewMatrix * world;
}`;
const SURFACE_FRAGMENT = `
uniform sampler2D land; uniform vec3 sun, ocean, ground, night, line, rim; uniform float lines, shine;
varying vec3 up; varying vec3 place; varying vec2 map;
float grid(float degrees, float step) {
  float cell = degrees / step;
  float width = fwidth(cell);
  return (1.0 - smoothstep(0.6 * width, 1.4 * width, abs(fract(cell + 0.5) - 0.5))) * (1.0 - smoothstep(0.1, 0.3, width));
}
void main() {
  vec3 n = normalize(up);
  vec3 eye = normalize(cameraPosition - place);
  float facing = max(dot(n, eye), 0.0);
  vec3 colour = mix(ocean, ground, texture2D(land, map).r);
  float latitude = map.y * 180.0 - 90.0;
  float longitude = map.x * 360.0 - 180.0;
  // meridians end before the poles, where they would run together
  float meridians = abs(longitude) > 179.0 ? 0.0 : grid(longitude, 30.0) * step(abs(latitude), 80.0);
  colour = mix(colour, line, lines * max(meridians, grid(latitude, 30.0)));
  float day = smoothstep(-0.14, 0.2, dot(n, sun));
  vec3 lit = colour * (0.78 + 0.3 * max(dot(n, sun), 0.0));
  vec3 glint = rim * pow(max(dot(reflect(-sun, n), eye), 0.0), 24.0) * shine * (1.0 - texture2D(land, map).r);
  colour = mix(colour * night, lit + glint, day);
  colour = mix(colour, rim * (0.25 + 0.75 * day), 0.5 * pow(1.0 - facing, 3.5));
  gl_FragColor = vec4(colour, 1.0);
}`;
const GLOW_VERTEX = `
varying vec3 place;
void main() { vec4 world = modelMatrix * vec4(position, 1.0); place = world.xyz; gl_Position = projectionMatrix * viewMatrix * world; }`;
const GLOW_FRAGMENT = `
uniform vec3 sun, rim; uniform float strength;
varying vec3 place;
void main() {
  vec3 ray = normalize(place - cameraPosition);
  vec3 nearest = cameraPosition - ray * dot(cameraPosition, ray);
  float height = max(length(nearest) - 0.997, 0.0);
  float day = 0.18 + 0.82 * smoothstep(-0.5, 0.55, dot(normalize(nearest), sun));
  float glow = (0.75 * exp(-height * 38.0) + 0.25 * exp(-height * 11.0)) * day * strength * smoothstep(0.24, 0.12, height);
  gl_FragColor = vec4(rim, glow);
}`;

export const LOOKS = {
  dark: {
    sky: "#05070d", ocean: "#123a63", ground: "#3f6f78", night: [0.2, 0.22, 0.3], line: "#7fb2e0", lines: 0.16, rim: "#6fb4ff", glow: 0.9, shine: 0.16,
    coast: "#a9d3e8", coastOpacity: 0.5,
  },
  light: {
    sky: "#eef2f7", ocean: "#bcd4ea", ground: "#f3f0e6", night: [0.62, 0.67, 0.77], line: "#5f7f9f", lines: 0.2, rim: "#dcebfa", glow: 0.55, shine: 0.03,
    coast: "#4f6b85", coastOpacity: 0.75,
  },
};

export class Earth {
  constructor() {
    this.group = new Group();
    const rings = readRings();
    this.sun = new Vector3(1, 0, 0);
    const shared = { sun: { value: this.sun }, rim: { value: new Color() } };
    this.surface = new ShaderMaterial({
      vertexShader: SURFACE_VERTEX,
      fragmentShader: SURFACE_FRAGMENT,
      uniforms: {
        ...shared, land: { value: drawLand(rings) }, ocean: { value: new Color() }, ground: { value: new Color() },
        night: { value: new Vector3() }, line: { value: new Color() }, lines: { value: 0 }, shine: { value: 0 },
      },
      polygonOffset: true, polygonOffsetFactor: 1, polygonOffsetUnits: 1,
    });
    this.coast = new LineBasicMaterial({ transparent: true });
    this.group.add(new Mesh(makeEllipsoid(), this.surface), new LineSegments(makeCoasts(rings), this.coast));
    this.air = new ShaderMaterial({
      vertexShader: GLOW_VERTEX, fragmentShader: GLOW_FRAGMENT, uniforms: { ...shared, strength: { value: 1 } },
      side: BackSide, transparent: true, depthWrite: false,
    });
    this.glow = new Mesh(new SphereGeometry(GLOW_RADIUS, 64, 48), this.air);
    this.glow.renderOrder = -1;
  }

  setLook(theme) {
    const look = LOOKS[theme];
    const { ocean, ground, night, line, lines, rim, shine } = this.surface.uniforms;
    ocean.value.set(look.ocean);
    ground.value.set(look.ground);
    night.value.set(...look.night);
    line.value.set(look.line);
    lines.value = look.lines;
    shine.value = look.shine;
    rim.value.set(look.rim);
    this.air.uniforms.strength.value = look.glow;
    this.air.blending = theme === "dark" ? AdditiveBlending : NormalBlending;
    this.coast.color.set(look.coast);
    this.coast.opacity = look.coastOpacity;
  }
}

function readRings() {
  const bytes = Uint8Array.from(atob(LAND), (c) => c.charCodeAt(0));
  const numbers = new Int16Array(bytes.buffer);
  const rings = [];
  for (let k = 0; k < numbers.length; ) {
    const length = numbers[k++];
    rings.push(Array.from({ length }, (_, j) => [numbers[k + 2 * j] / 180, numbers[k + 2 * j + 1] / 180]));
    k += 2 * length;
  }
  return rings;
}

// Mask of land, longitude to the right and latitude upwards
function drawLand(rings) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [2048, 1024];
  const pen = canvas.getContext("2d");
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = "#fff";
  pen.beginPath();
  for (const ring of rings.map(unwrap))
    for (const turn of [-360, 0, 360]) {
      ring.forEach(([x, y], k) => pen[k ? "lineTo" : "moveTo"](((x + turn + 180) / 360) * canvas.width, ((90 - y) / 180) * canvas.height));
      pen.closePath();
    }
  pen.fill("evenodd"); // lakes are rings within rings
  const texture = new CanvasTexture(canvas);
  texture.magFilter = LinearFilter;
  texture.minFilter = LinearMipmapLinearFilter;
  texture.anisotropy = 4;
  return texture;
}

// Ring with longitudes that go on beyond 180 degrees; that of Antarctica, which does not come back, closes by way of the pole
function unwrap(ring) {
  let turn = 0;
  const places = ring.map(([x, y], k) => {
    if (k) turn -= 360 * Math.round((x - ring[k - 1][0]) / 360);
    return [x + turn, y];
  });
  if (turn) places.push([places.at(-1)[0], -90], [places[0][0], -90]);
  return places;
}

// Coasts without the edges along 180 degrees and the pole, where the data cuts polygons
function makeCoasts(rings) {
  const places = [];
  const isCut = (a, b) => (Math.abs(a[0]) > 179.9 && Math.abs(b[0]) > 179.9) || Math.min(a[1], b[1]) < -89.9;
  for (const ring of rings)
    for (let k = 1; k < ring.length; k++)
      if (!isCut(ring[k - 1], ring[k]))
        for (const [x, y] of [ring[k - 1], ring[k]]) places.push(...onEllipsoid(x * DEGREE, y * DEGREE, 1.0006));
  return new BufferGeometry().setAttribute("position", new BufferAttribute(new Float32Array(places), 3));
}

// Grid in geodetic latitude, whose normals and map are those of the ellipsoid
function makeEllipsoid(columns = 144, rows = 72) {
  const positions = [];
  const normals = [];
  const map = [];
  const triangles = [];
  for (let j = 0; j <= rows; j++)
    for (let i = 0; i <= columns; i++) {
      const longitude = (i / columns - 0.5) * 2 * Math.PI;
      const latitude = (j / rows - 0.5) * Math.PI;
      positions.push(...onEllipsoid(longitude, latitude));
      normals.push(Math.cos(latitude) * Math.cos(longitude), Math.cos(latitude) * Math.sin(longitude), Math.sin(latitude));
      map.push(i / columns, j / rows);
      const k = j * (columns + 1) + i;
      if (i < columns && j < rows) triangles.push(k, k + 1, k + columns + 1, k + 1, k + columns + 2, k + columns + 1);
    }
  const geometry = new BufferGeometry().setIndex(triangles);
  geometry.setAttribute("position", new BufferAttribute(new Float32Array(positions), 3));
  geometry.setAttribute("normal", new BufferAttribute(new Float32Array(normals), 3));
  geometry.setAttribute("uv", new BufferAttribute(new Float32Array(map), 2));
  return geometry;
}

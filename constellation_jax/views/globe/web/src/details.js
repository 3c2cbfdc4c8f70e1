// Panel of the selected object: elements, state, lifetime; its orbit and its ground track as lines.
import { BufferAttribute, BufferGeometry, Line, LineBasicMaterial } from "three";
import { format } from "./clock.js";
import { EARTH_KM, geodetic, isInShadow, makeOrbit, onEllipsoid, stateAt, sunDirection } from "./orbit.js";
import { element } from "./systems.js";

const POINTS = 361;
const DEGREE = 180 / Math.PI;
const MU = 398600.8;
const NEVER = 0x7fffffff;
const ORIGINS = { tracked: "in orbit, tracked", planned: "planned", synthetic: "synthetic, from statistics" };
const FAILURES = {
  1: "mean eccentricity out of range", 2: "mean motion not positive", 3: "perturbed eccentricity out of range",
  4: "semi-latus rectum negative", 6: "decayed", 7: "too far from the epoch",
};

export class Details {
  constructor(panel, content, colours) {
    Object.assign(this, { panel, content, colours });
    this.index = -1;
    this.orbit = new Line(new BufferGeometry(), new LineBasicMaterial({ transparent: true, opacity: 0.95 }));
    this.track = new Line(new BufferGeometry(), new LineBasicMaterial({ transparent: true, opacity: 0.8 }));
    for (const line of [this.orbit, this.track]) {
      line.geometry.setAttribute("position", new BufferAttribute(new Float32Array(3 * POINTS), 3));
      line.frustumCulled = line.visible = false;
    }
  }

  select(i, time, close) {
    this.index = i;
    this.panel.hidden = i < 0;
    this.orbit.visible = this.track.visible = i >= 0;
    if (i < 0) return;
    this.satellite = makeOrbit(this.content, i);
    const { columns, scales, names, designators, groups } = this.content;
    const group = groups[columns.group[i]];
    const value = (name) => columns[name][i] / scales[name];
    this.rate = (value("mean_motion") * 2 * Math.PI) / 86400; // rad/s
    this.period = (2 * Math.PI) / this.rate; // s
    const axis = Math.cbrt(MU / this.rate ** 2);
    const e = value("eccentricity");
    const minute = columns.epoch_minute[i] * 60000 + columns.epoch_microsecond[i] / 1000;
    const lifetime = columns.lifetime?.[i];
    const rows = {
      Number: columns.norad_id[i] < 0 ? "none" : columns.norad_id[i],
      Designator: designators[i] || "none",
      System: [group.system, group.shell].filter(Boolean).join(", "),
      Origin: ORIGINS[group.kind],
      "Now": null,
      Latitude: "", Longitude: "", Altitude: "", Speed: "", Light: "", Status: "",
      "Orbit": null,
      Period: `${(this.period / 60).toFixed(2)} min`,
      "Perigee, apogee": `${(axis * (1 - e) - EARTH_KM).toFixed(0)} × ${(axis * (1 + e) - EARTH_KM).toFixed(0)} km`,
      Lifetime: lifetime === undefined || group.kind === "planned" ? "not computed" : Number.isNaN(lifetime) ? "beyond the computation" : describeDays(lifetime),
      "Elements": null,
      "Epoch, UTC": format(minute),
      "Mean motion": `${value("mean_motion").toFixed(8)} rev/day`,
      Eccentricity: e.toFixed(7),
      Inclination: `${value("inclination").toFixed(4)}°`,
      "Ascending node": `${value("raan").toFixed(4)}°`,
      "Arg. of perigee": `${value("arg_perigee").toFixed(4)}°`,
      "Mean anomaly": `${value("mean_anomaly").toFixed(4)}°`,
      "B*": columns.bstar[i].toExponential(4),
    };
    this.cells = {};
    const list = element("dl");
    for (const [name, text] of Object.entries(rows)) {
      if (text === null) {
        list.append(element("dt", { className: "part", textContent: name }));
        continue;
      }
      this.cells[name] = element("dd", { textContent: text });
      list.append(element("dt", { textContent: name }), this.cells[name]);
    }
    const title = element("h2", { textContent: names[i], title: names[i] });
    const shut = element("button", { className: "icon", textContent: "✕", title: "Close (Esc)", onclick: close });
    this.panel.replaceChildren(element("header", {}, title, shut), list);
    this.drawn = NaN;
    this.refresh(time);
  }

  // State in the panel; the lines anew where they are a twentieth of a revolution old
  refresh(time) {
    if (this.index < 0) return;
    const state = stateAt(this.satellite, time);
    const { cells } = this;
    if (state) {
      const { latitude, longitude, altitude } = geodetic(state.position, time);
      const { x, y, z } = state.velocity;
      cells.Latitude.textContent = degrees(latitude, "N", "S");
      cells.Longitude.textContent = degrees(longitude, "E", "W");
      cells.Altitude.textContent = `${altitude.toFixed(1)} km`;
      cells.Speed.textContent = `${Math.hypot(x, y, z).toFixed(3)} km/s`;
      cells.Light.textContent = isInShadow(state.position, sunDirection(time)) ? "in the Earth's shadow" : "sunlit";
      cells.Status.textContent = "ok";
    } else {
      for (const name of ["Latitude", "Longitude", "Altitude", "Speed", "Light"]) cells[name].textContent = "–";
      cells.Status.textContent = this.describeFailure();
    }
    this.orbit.visible = this.track.visible = state !== null;
    if (state && !(Math.abs(time - this.drawn) < 50 * this.period)) this.drawLines(time);
  }

  describeFailure() {
    const { failure_minute, failure_status } = this.content.columns;
    const minute = failure_minute?.[this.index] ?? NEVER;
    if (minute === NEVER) return `SGP4 fails: ${FAILURES[this.satellite.satrec.error] ?? FAILURES[7]}`;
    return `failed by ${format(minute * 60000).slice(0, 16)}: ${FAILURES[failure_status[this.index]] ?? "unknown"}`;
  }

  drawLines(time) {
    this.drawn = time;
    const orbit = this.orbit.geometry.attributes.position;
    const track = this.track.geometry.attributes.position;
    let count = 0;
    for (let k = 0; k < POINTS; k++) {
      const t = time + (k / (POINTS - 1) - 0.5) * 1000 * this.period;
      const state = stateAt(this.satellite, t);
      if (!state) continue;
      const { x, y, z } = state.position;
      orbit.setXYZ(count, x / EARTH_KM, y / EARTH_KM, z / EARTH_KM);
      const { latitude, longitude } = geodetic(state.position, t);
      track.setXYZ(count++, ...onEllipsoid(longitude, latitude, 1.002));
    }
    for (const line of [this.orbit, this.track]) {
      line.geometry.setDrawRange(0, count);
      line.geometry.attributes.position.needsUpdate = true;
    }
  }

  setLook(accent, second) {
    this.orbit.material.color.set(accent);
    this.track.material.color.set(second);
  }
}

function describeDays(days) {
  return days < 60 ? `${days.toFixed(1)} days` : days < 730 ? `${days.toFixed(0)} days` : `${(days / 365.25).toFixed(1)} years`;
}

function degrees(angle, positive, negative) {
  return `${Math.abs(angle * DEGREE).toFixed(3)}° ${angle < 0 ? negative : positive}`;
}

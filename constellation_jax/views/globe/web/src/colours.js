// Colours of objects, by system, mean altitude, lifetime or status, in both themes.
import { EARTH_KM } from "./orbit.js";

export const PALETTE = {
  dark: ["#5b9dff", "#ffb14a", "#4fe0a4", "#ff76b3", "#b592ff", "#ffe169", "#45d6ee", "#ff8f6b", "#b7e35c", "#e3b9f5", "#7fa8a0", "#d9a066"],
  light: ["#1d63d1", "#c85a00", "#0b8458", "#c02f7d", "#6b3fc4", "#8a6d00", "#00798f", "#b5382a", "#4c7a00", "#8d3fa3", "#47665f", "#8a5a20"],
};
const REST = { dark: "#8793a8", light: "#5f6b7d" };
const SKY = { dark: "#05070d", light: "#eef2f7" };
const STATUS = { tracked: 0, planned: 1, synthetic: 2 };
// viridis, without its ends that a dark or a light sky would swallow
const VIRIDIS = ["#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"];
const ENDS = { dark: [0.24, 1], light: [0, 0.8] };
const YEAR = 365.25;

const MU = 398600.8; // WGS-72, km3/s2

export const SCALES = {
  altitude: {
    title: "Mean altitude, km",
    place: (km) => (km < 2000 ? 0.76 * (Math.log(Math.max(km, 250) / 250) / Math.log(8)) : 0.76 + 0.24 * (Math.log(km / 2000) / Math.log(18))),
    ticks: [[300, "300"], [500, "500"], [1000, "1,000"], [2000, "2,000"], [36000, "36,000"]],
  },
  lifetime: {
    title: "Lifetime, years, by drag alone",
    place: (days) => Math.log10(Math.max(days / YEAR, 0.1) / 0.1) / 3,
    ticks: [[0.1, "0.1"], [1, "1"], [5, "5"], [25, "25"], [100, "100"]].map(([years, text]) => [years * YEAR, text]),
  },
};

export class Colours {
  constructor(content) {
    this.content = content;
    const { columns, groups, scales } = content;
    const totals = new Map();
    for (const { system, count } of groups) totals.set(system, (totals.get(system) ?? 0) + count);
    const named = [...totals].filter(([system]) => !/^(Other satellites|Debris and)/.test(system)).sort((a, b) => b[1] - a[1]);
    this.rank = new Map(named.map(([system], k) => [system, k]));
    this.altitude = Float32Array.from(columns.mean_motion, (n) => {
      const rate = ((n / scales.mean_motion) * 2 * Math.PI) / 86400;
      return Math.cbrt(MU / (rate * rate)) - EARTH_KM;
    });
    this.hasLifetimes = columns.lifetime !== undefined;
  }

  ofGroup(group, theme) {
    const rank = this.rank.get(group.system);
    const colour = rank === undefined || rank >= PALETTE[theme].length ? REST[theme] : PALETTE[theme][rank];
    return group.kind === "planned" ? mix(colour, SKY[theme], 0.22) : colour;
  }

  ofStatus(kind, theme) {
    return PALETTE[theme][STATUS[kind]];
  }

  ofScale(name, value, theme) {
    return Number.isNaN(value) ? REST[theme] : ramp(SCALES[name].place(value), theme);
  }

  // Write red, green and blue of every object, leaving the fourth byte
  paint(tint, mode, theme) {
    const { columns, groups } = this.content;
    const write = (i, [r, g, b]) => ((tint[4 * i] = r), (tint[4 * i + 1] = g), (tint[4 * i + 2] = b));
    const ofGroups = groups.map((group) => rgb(mode === "status" ? this.ofStatus(group.kind, theme) : this.ofGroup(group, theme)));
    const steps = Array.from({ length: 256 }, (_, k) => rgb(ramp(k / 255, theme)));
    const values = { altitude: this.altitude, lifetime: columns.lifetime }[mode];
    for (let i = 0; i < columns.group.length; i++) {
      if (!values) write(i, ofGroups[columns.group[i]]);
      else if (Number.isNaN(values[i])) write(i, rgb(REST[theme]));
      else write(i, steps[Math.round(255 * clamp(SCALES[mode].place(values[i])))]);
    }
  }
}

export function ramp(place, theme) {
  const [low, high] = ENDS[theme];
  const at = (low + (high - low) * clamp(place)) * (VIRIDIS.length - 1);
  const k = Math.min(Math.floor(at), VIRIDIS.length - 2);
  return mix(VIRIDIS[k], VIRIDIS[k + 1], at - k);
}

function clamp(x) {
  return Math.min(1, Math.max(0, x));
}

function rgb(hex) {
  return [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
}

function mix(a, b, share) {
  const [x, y] = [rgb(a), rgb(b)];
  return `#${x.map((v, k) => Math.round(v + (y[k] - v) * share).toString(16).padStart(2, "0")).join("")}`;
}

// SGP4 for one satellite, sidereal time, geodetic coordinates and the Sun. Times are milliseconds since 1970, UTC; km, km/s, rad.
import { sgp4 } from "../node_modules/satellite.js/dist/propagation/sgp4.js";
import { sgp4init } from "../node_modules/satellite.js/dist/propagation/sgp4init.js";

export const EARTH_KM = 6378.137;
export const FLATTENING = 1 / 298.257223563;
const E2 = FLATTENING * (2 - FLATTENING);
const DEGREE = Math.PI / 180;
const NEVER = 0x7fffffff;
const FARTHEST_KM = 1e6; // as in physics/sgp4/status.py

// The epoch goes in with its microseconds: json2satrec of satellite.js cuts it to milliseconds, which is 4 m
export function makeOrbit(content, i) {
  const { columns, scales } = content;
  const element = (name) => columns[name][i] / scales[name];
  const minute = columns.epoch_minute[i];
  const fraction = columns.epoch_microsecond[i] / 6e7;
  const satrec = {};
  sgp4init(satrec, {
    opsmode: "i",
    satn: "",
    epoch: (minute + fraction) / 1440 + 40587 - 33281, // days since 1949-12-31, which deep space needs
    xbstar: columns.bstar[i],
    xecco: element("eccentricity"),
    xargpo: element("arg_perigee") * DEGREE,
    xinclo: element("inclination") * DEGREE,
    xmo: element("mean_anomaly") * DEGREE,
    xno: (element("mean_motion") * 2 * Math.PI) / 1440,
    xnodeo: element("raan") * DEGREE,
  });
  return { satrec, minute, fraction, end: columns.failure_minute ? columns.failure_minute[i] : NEVER };
}

// State in TEME, or null where SGP4 fails, or the dataset has the object failed by then
export function stateAt(orbit, time) {
  if (time >= orbit.end * 60000 && orbit.end !== NEVER) return null;
  const state = sgp4(orbit.satrec, time / 60000 - orbit.minute - orbit.fraction);
  if (!state || !(Math.abs(state.position.x) + Math.abs(state.position.y) + Math.abs(state.position.z) < FARTHEST_KM)) return null;
  return state;
}

// Greenwich mean sidereal time of 1982 at UT1 = UTC, rad: below 0.9 s of it, which is 0.4 km at the equator
export function siderealTime(time) {
  const days = time / 86400000 - 10957.5;
  const centuries = days / 36525;
  const seconds = 67310.54841 + (876600 * 3600 + 8640184.812866) * centuries + 0.093104 * centuries ** 2 - 6.2e-6 * centuries ** 3;
  return ((((seconds % 86400) + 86400) % 86400) / 86400) * 2 * Math.PI;
}

// Geodetic latitude, longitude (rad) and altitude (km) of a position in TEME. Bowring's formula: below a millimetre in orbit
export function geodetic({ x, y, z }, time) {
  const p = Math.hypot(x, y);
  const b = EARTH_KM * (1 - FLATTENING);
  const beta = Math.atan2(z * EARTH_KM, p * b);
  const latitude = Math.atan2(z + ((E2 * EARTH_KM) / (1 - FLATTENING)) * Math.sin(beta) ** 3, p - E2 * EARTH_KM * Math.cos(beta) ** 3);
  const normal = EARTH_KM / Math.sqrt(1 - E2 * Math.sin(latitude) ** 2);
  const altitude = p * Math.cos(latitude) + z * Math.sin(latitude) - (EARTH_KM * EARTH_KM) / normal;
  return { latitude, longitude: wrap(Math.atan2(y, x) - siderealTime(time)), altitude };
}

// Point on the ellipsoid, in radii of the equator, fixed to the Earth
export function onEllipsoid(longitude, latitude, scale = 1) {
  const normal = scale / Math.sqrt(1 - E2 * Math.sin(latitude) ** 2);
  const equatorial = normal * Math.cos(latitude);
  return [equatorial * Math.cos(longitude), equatorial * Math.sin(longitude), normal * (1 - E2) * Math.sin(latitude)];
}

// Direction of the Sun in the frame of date, good to 0.01 degree (Astronomical Almanac, low-precision formulas)
export function sunDirection(time) {
  const days = time / 86400000 - 10957.5;
  const anomaly = (357.528 + 0.9856003 * days) * DEGREE;
  const longitude = (280.46 + 0.9856474 * days + 1.915 * Math.sin(anomaly) + 0.02 * Math.sin(2 * anomaly)) * DEGREE;
  const obliquity = (23.439 - 4e-7 * days) * DEGREE;
  return [Math.cos(longitude), Math.cos(obliquity) * Math.sin(longitude), Math.sin(obliquity) * Math.sin(longitude)];
}

// True in the cylinder of the Earth's shadow
export function isInShadow({ x, y, z }, sun) {
  const along = x * sun[0] + y * sun[1] + z * sun[2];
  return along < 0 && x * x + y * y + z * z - along * along < EARTH_KM * EARTH_KM;
}

export function wrap(angle) {
  return angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));
}

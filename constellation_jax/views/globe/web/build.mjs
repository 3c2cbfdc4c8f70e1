// Bundle src/ into the one file page.html: worker, main script, styles and coastlines. Called by scripts/build_globe.py.
import { readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { feature } from "topojson-client";

const read = (name) => readFileSync(new URL(name, import.meta.url), "utf8");

async function bundle(entry, define = {}) {
  const result = await build({
    entryPoints: [new URL(entry, import.meta.url).pathname],
    absWorkingDir: new URL(".", import.meta.url).pathname,
    bundle: true,
    define,
    format: "iife",
    legalComments: "none", // LICENSES.txt has them
    minify: true,
    target: "es2022",
    write: false,
  });
  return result.outputFiles[0].text;
}

// Rings of land as int16: the length of each ring, then its longitudes and latitudes in 1/180 degree (600 m; the data has 10 km)
function packLand() {
  const atlas = JSON.parse(read("node_modules/world-atlas/land-110m.json"));
  const numbers = [];
  for (const shape of feature(atlas, atlas.objects.land).features)
    for (const polygon of shape.geometry.type === "Polygon" ? [shape.geometry.coordinates] : shape.geometry.coordinates)
      for (const ring of polygon) {
        numbers.push(ring.length);
        for (const [longitude, latitude] of ring) numbers.push(Math.round(longitude * 180), Math.round(latitude * 180));
      }
  return Buffer.from(Int16Array.from(numbers).buffer).toString("base64");
}

const worker = await bundle("src/worker.js");
const main = await bundle("src/main.js", { LAND: JSON.stringify(packLand()) });
const style = await build({ entryPoints: [new URL("src/style.css", import.meta.url).pathname], minify: true, write: false });
const page = read("src/page.html")
  .replace("{{style}}", () => style.outputFiles[0].text.trim())
  .replace("{{worker}}", () => worker.trim())
  .replace("{{script}}", () => main.trim());
if (page.split("{{content}}").length !== 2) throw new Error("page.html: the place of the content must occur once");
writeFileSync(new URL("page.html", import.meta.url), page);

"""Make constellation_jax/views/plots/coastlines.npz: outlines of the land, 1:110 million, for the maps of `cj.plots`.

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz package/land-110m.json
    python scripts/build_coastlines.py package/land-110m.json

The data is Natural Earth's (naturalearthdata.com, in the public domain), version 4.1, in the TopoJSON of the npm package
world-atlas (ISC licence). Arcs are joined to closed rings, whose longitudes run on
beyond 180 degrees where a ring crosses it; coordinates are kept in hundredths of a degree, which is finer than the map.
"""

import json
import sys
from pathlib import Path

import numpy as np

PATH = Path(__file__).parents[1] / "constellation_jax" / "views" / "plots" / "coastlines.npz"


def main() -> None:
    topology = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    scale, offset = (np.array(topology["transform"][key]) for key in ("scale", "translate"))
    arcs = [np.cumsum(arc, axis=0) * scale + offset for arc in topology["arcs"]]

    def ring_of(indices: list[int]) -> np.ndarray:
        parts = [arcs[k] if k >= 0 else arcs[~k][::-1] for k in indices]
        return np.concatenate([parts[0], *(part[1:] for part in parts[1:])])  # arcs share their ends

    polygons = [p for geometry in topology["objects"]["land"]["geometries"] for p in geometry["arcs"]]
    rings = [unwrap(ring_of(indices)) for polygon in polygons for indices in polygon]
    points = np.concatenate([np.rint(100.0 * ring).astype(np.int16) for ring in rings])
    starts = np.cumsum([0, *(len(ring) for ring in rings)]).astype(np.int16)
    np.savez_compressed(PATH, hundredths_of_a_degree=points, starts=starts)
    print(f"{PATH.name}: {len(rings)} rings of {len(points)} points, {PATH.stat().st_size / 1e3:.1f} kB")


def unwrap(ring: np.ndarray) -> np.ndarray:
    """Let longitudes run on beyond 180 degrees; close a ring about the south pole, Antarctica's, along it."""
    longitude = np.unwrap(ring[:, 0], period=360.0)
    turns = longitude[-1] - longitude[0]
    longitude -= 360.0 * np.round(longitude.mean() / 360.0)
    if abs(turns) < 180.0:
        return np.stack([longitude, ring[:, 1]], axis=1)
    first = int(np.argmin(ring[:, 0]))  # the ring is turned so that it begins at 180 degrees west
    body = np.roll(ring[:-1], -first, axis=0)
    body = body if turns > 0 else np.roll(body[::-1], 1, axis=0)
    edge = 0.5 * (body[0, 1] + body[-1, 1])
    corners = [[-180.0, -90.0], [-180.0, edge]], [[180.0, edge], [180.0, -90.0], [-180.0, -90.0]]
    return np.concatenate([corners[0], body, corners[1]])


if __name__ == "__main__":
    main()

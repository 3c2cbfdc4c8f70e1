"""Write the bundled table of monthly F10.7 and Ap, configs/space_weather/monthly.csv.

    python scripts/build_space_weather.py

The two files it reads come with the package tellurion 0.1.0 of the package index (`pip install --no-deps tellurion`; it is not
imported): a snapshot of orekit-data with CelesTrak's space weather and every MSAFE forecast of NASA Marshall. The package is
under MIT; CelesTrak asks for no licence but for its address to be named; MSAFE tables are works of the United States Government.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np

from constellation_jax.inputs.environment.space_weather import remove_flares
from constellation_jax.inputs.environment.space_weather_files import PERCENTILES, read_records
from constellation_jax.physics.constants import MJD_1970

FORECAST = "MSAFE/aug2026f10-prd.txt"
OBSERVED = "CSSI-Space-Weather-Data/SpaceWeather-All-v1.2.txt"
TARGET = Path(__file__).parents[1] / "configs" / "space_weather" / "monthly.csv"


def main() -> None:
    found = importlib.util.find_spec("tellurion")
    if found is None or not found.submodule_search_locations:
        sys.exit("the package tellurion is not installed: pip install --no-deps tellurion==0.1.0")
    folder = Path(found.submodule_search_locations[0]) / "ork" / "_orekit_data"
    daily, forecast = read_records(folder / OBSERVED), read_records(folder / FORECAST)
    updated = next(line for line in (folder / OBSERVED).read_text().splitlines() if line.startswith("UPDATED"))

    f107, spikes = remove_flares(daily.f107[daily.observed])
    ap, month = daily.ap[daily.observed], _month(daily.mjd[daily.observed])
    whole = np.unique(month)[:-1]  # the last month is not over
    lines = [
        "# Monthly means of observed F10.7 (solar flux units, not adjusted to 1 au) and of daily Ap, then a forecast.",
        f"# Observed: CelesTrak, https://celestrak.org/SpaceData/, {updated.title()}; {int(spikes.sum())} flare days taken out.",
        f"# Forecast: NASA Marshall Space Flight Center, MSAFE, {FORECAST.split('/')[1]}: percentiles 50, 5 (low), 95 (high).",
        "# Both as packaged in tellurion 0.1.0 (MIT). Written by scripts/build_space_weather.py.",
        "date,f107,ap,kind," + ",".join(PERCENTILES),
    ]
    lines += [f"{m},{f107[month == m].mean():.1f},{ap[month == m].mean():.1f},observed,,,," for m in whole]
    for k, m in enumerate(_month(forecast.mjd)):
        if m > whole[-1]:
            spread = ",".join(f"{forecast.percentiles[key][k]:.1f}" for key in PERCENTILES)
            lines.append(f"{m},{forecast.f107[k]:.1f},{forecast.ap[k]:.1f},forecast,{spread}")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{TARGET}: {len(lines) - 5} months, {TARGET.stat().st_size} bytes")


def _month(mjd: np.ndarray) -> np.ndarray:
    return (np.floor(mjd).astype(np.int64) - MJD_1970).astype("datetime64[D]").astype("datetime64[M]")


if __name__ == "__main__":
    main()

"""Write configs/launches.csv, the launches of five constellations, from catalogues of several dates.

    python scripts/build_launch_records.py DATE=CATALOGUE ...

Catalogues as CelesTrak serves them (OMM JSON or CSV, gzip or plain), each with the date of its download. Those behind the file in
the repository: 2025-05-25 (Starlink alone; GitHub carbform/carbsat, data/, commit 908b821242f4cf7e73e899c8d03f13d07681f47a),
2026-03-10 (objects of a SOCRATES run, not a whole catalogue) and 2026-08-22 (active; GitHub sristyspace-tech/gosatt-catalogue,
active.csv, commit f5ec0953098303ef34300718210f5033f14b19f4).

A launch is an international designator. Its satellites are the most that one of the catalogues holds: those that came down before
the first of them are not counted. Its date is known for some; between them dates are interpolated by the number of the launch in
its year; the script prints the error of that.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

TARGET = Path(__file__).parents[1] / "configs" / "launches.csv"
SYSTEMS = {
    "Guowang": r"GUOWANG|HULIANWANG",
    "Kuiper": r"KUIPER",
    "OneWeb": r"ONEWEB",
    "Qianfan": r"QIANFAN|SPACESAIL",
    "Starlink": r"STARLINK",
}
"""Regular expressions for the beginnings of the names of satellites."""
TESTS = {"2023-095", "2023-212", "2026-120"}
"""Launches of Guowang's test satellites, which fly at other altitudes."""
OFF_STATION_KM = {"OneWeb": 40.0}
"""Least distance below the median of a group at which a satellite counts as never arrived; 12 km where not said. The planes of
OneWeb are up to 30 km apart."""
OFF_STATION_DAYS = 200.0
"""Least age of a launch whose satellites may count as never arrived."""
MU, RADIUS_KM = 398600.8, 6378.135  # WGS-72, in which mean motions are made

KNOWN = """
2019-010 2019-02-27  2019-074 2019-11-11  2020-001 2020-01-07  2020-006 2020-01-29  2020-008 2020-02-06  2020-012 2020-02-17
2020-020 2020-03-21  2020-100 2020-12-18  2021-005 2021-01-20  2021-025 2021-03-25  2021-031 2021-04-25  2021-045 2021-05-28
2021-060 2021-07-01  2021-075 2021-08-21  2021-083 2021-09-14  2021-090 2021-10-14  2021-132 2021-12-27  2022-001 2022-01-06
2022-010 2022-02-03  2022-012 2022-02-10  2022-138 2022-10-22  2022-166 2022-12-08  2023-004 2023-01-10  2023-029 2023-03-09
2023-043 2023-03-26  2023-068 2023-05-20  2023-095 2023-07-09  2023-212 2023-12-30  2024-001 2024-01-01  2024-002 2024-01-03
2024-005 2024-01-07  2024-011 2024-01-14  2024-012 2024-01-15  2024-140 2024-08-06  2024-185 2024-10-15  2024-188 2024-10-20
2024-232 2024-12-05  2024-240 2024-12-16  2025-016 2025-01-23  2025-030 2025-02-11  2025-046 2025-03-11  2025-086 2025-04-28
2025-088 2025-04-28  2025-121 2025-06-05  2025-134 2025-06-23  2025-151 2025-07-16  2025-159 2025-07-27  2025-162 2025-07-30
2025-168 2025-08-04  2025-171 2025-08-11  2025-174 2025-08-13  2025-178 2025-08-17  2025-187 2025-08-25  2025-217 2025-09-25
2025-220 2025-09-27  2025-228 2025-10-14  2025-231 2025-10-16  2025-233 2025-10-17  2025-258 2025-11-10  2025-285 2025-12-06
2025-287 2025-12-09  2025-295 2025-12-12  2025-301 2025-12-16  2025-311 2025-12-25  2026-007 2026-01-13  2026-013 2026-01-19
2026-030 2026-02-12  2026-121 2026-06-01  2026-140 2026-06-17  2026-189 2026-08-18  2026-200 2026-09-02
"""
"""Dates of launches: configs/deployments and vehicles.toml (with their sources), Launch Library 2 by way of space-race-dashboard
(those of January 2024 and of September 2026), OneWeb, Kuiper and early Starlink as recalled."""

HEAD = """# Launches of five constellations, by international designator: python scripts/build_launch_records.py
# satellites: the most that one catalogue holds (CelesTrak's, of {dates}); what came down before the first is not counted
# date: as known ("deployed"), or interpolated between the designators of known dates ("estimated")
# group: inclination in whole degrees, or "test"
# off_station: of these, far below the others {age:g} days or more after launch; empty where younger with some below
# counted: date of the newest catalogue that holds the launch, from which off_station is
launch,date,dated,system,group,satellites,off_station,counted"""


def main(arguments: list[str]) -> None:
    found: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = defaultdict(dict)
    dates = sorted(argument.split("=", 1)[0] for argument in arguments)
    for argument in arguments:
        date, path = argument.split("=", 1)
        for name, designator, altitude, inclination in read_orbits(Path(path)):
            system = next((system for system, names in SYSTEMS.items() if re.match(names, name)), "")
            if system:
                found[designator[:8], system].setdefault(date, []).append((altitude, inclination))
    days = date_launches([launch for launch, _ in found])
    groups = {
        key: "test"
        if key[0] in TESTS
        else f"{np.floor(np.median([i for _, i in max(seen.values(), key=len)]) + 0.3):.0f}"
        for key, seen in found.items()
    }
    stations = {
        kind: np.median(
            [a for key, seen in found.items() if (key[1], groups[key]) == kind for a, _ in seen.get(dates[-1], [])]
        )
        for kind in {(key[1], group) for key, group in groups.items()}
    }
    lines = [HEAD.format(dates=", ".join(dates), age=OFF_STATION_DAYS)]
    for (launch, system), seen in sorted(found.items(), key=lambda entry: (entry[0][1], entry[0][0])):
        day, dated = days[launch]
        counted, group = max(seen), groups[launch, system]
        age = (np.datetime64(counted) - day) / np.timedelta64(1, "D")
        off = ""
        if system != "Starlink" and group != "test":  # Starlink moves whole shells
            below = sum(a < stations[system, group] - OFF_STATION_KM.get(system, 12.0) for a, _ in seen[counted])
            off = str(below) if age >= OFF_STATION_DAYS or not below else ""
        lines.append(f"{launch},{day},{dated},{system},{group},{max(map(len, seen.values()))},{off},{counted}")
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{TARGET}: {len(lines) - 1} launches")
    words = KNOWN.split()
    errors = [
        abs(float((date_launches([launch], without=launch)[launch][0] - np.datetime64(day)) / np.timedelta64(1, "D")))
        for launch, day in zip(words[::2], words[1::2], strict=True)
    ]
    print(
        f"known dates from their neighbours: {np.median(errors):.0f} days, nine in ten {np.quantile(errors, 0.9):.0f}"
    )


def read_orbits(path: Path) -> list[tuple[str, str, float, float]]:
    """Read name, designator, mean altitude (km) and inclination (deg) of every object of a catalogue."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        rows = json.load(file) if ".json" in path.name else list(csv.DictReader(file))
    rate = np.array([float(row["MEAN_MOTION"]) for row in rows]) * 2.0 * np.pi / 86400.0
    altitude = np.cbrt(MU / rate**2) - RADIUS_KM
    return [
        (row["OBJECT_NAME"], row["OBJECT_ID"], float(a), float(row["INCLINATION"]))
        for row, a in zip(rows, altitude, strict=True)
    ]


def date_launches(launches: list[str], *, without: str = "") -> dict[str, tuple[np.datetime64, str]]:
    """Find the date of each launch, and whether it is known ("deployed") or interpolated ("estimated").

    Args:
        launches: international designators.
        without: a launch whose date is treated as not known.
    """
    words = KNOWN.split()
    known = dict(zip(words[::2], np.array(words[1::2], "datetime64[D]"), strict=True))
    known.pop(without, None)
    years = sorted({launch[:4] for launch in [*launches, *known]})
    known |= {f"{year}-000": np.datetime64(f"{int(year) - 1}-12-31") for year in years}
    last = {year: max(int(x[5:]) for x in [*launches, *known] if x[:4] == year) for year in years}
    before = {year: sum(last[y] for y in years if y < year) for year in years}
    position = {launch: before[launch[:4]] + int(launch[5:]) for launch in [*launches, *known]}
    anchors = sorted(known, key=position.__getitem__)
    x = [position[launch] for launch in anchors]
    y = [int(known[launch].astype(np.int64)) for launch in anchors]
    return {
        launch: (
            (known[launch], "deployed")
            if launch in known
            else (np.datetime64(round(float(np.interp(position[launch], x, y))), "D"), "estimated")
        )
        for launch in launches
    }


if __name__ == "__main__":
    main(sys.argv[1:])

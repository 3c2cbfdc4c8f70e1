"""Satellites on station against what `deploy` could have told from the launches up to an earlier date. Run with -m benchmark -s.

Prints, for each constellation and date: observed, and from each cut-off the count without chance, 5, 50 and 95 %; then how often
what happened is in the band. No launch after a cut-off counts; what the deployment files state of climbs, failures and lives was
measured later.
"""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.inputs.deployment.records import load_launch_records

pytestmark = pytest.mark.benchmark

CUT_OFF_DAYS = (30, 61, 91, 183, 274, 365)
"""Days before the date of an observation after which no launch is used."""
REPORTED = {
    # measured in CelesTrak's active element sets of the day: configs/shells and configs/population hold the same counts
    "2025-06-24": {"Starlink": 6789, "Qianfan": 69, "Guowang": 29},
    # in operational orbit: J. McDowell, by way of space-race-dashboard
    "2026-10-09": {"Starlink": 9726, "Kuiper": 355, "Guowang": 186, "Qianfan": 178},
}
CATALOGUES = {
    "2025-05-25": "omm/starlink_2025-05-25.omm.json.gz",
    "2026-03-10": "conjunction/socrates_2026-03-10T04_elements_18407.omm.csv.gz",
    "2026-08-22": "catalogs/active_2026-08-22.omm.csv.gz",
}


@dataclasses.dataclass(frozen=True)
class Hindcast:
    """One number on station, and what was foretold of it."""

    system: str
    date: str
    as_of: np.datetime64
    observed: int
    certain: int
    low: float
    median: float
    high: float

    @property
    def is_inside(self) -> bool:
        return self.low <= self.observed <= self.high


def observe(shared_data: Path) -> dict[tuple[str, str], int]:
    """Count the satellites on station by constellation and date.

    The catalogue of 2026-03-10 lacks objects without close approaches: of each launch the share on station counts, times the most
    that a catalogue holds of it.
    """
    found = {(system, date): n for date, counts in REPORTED.items() for system, n in counts.items()}
    held = {record.launch: record.satellites for record in load_launch_records()}
    for date, path in CATALOGUES.items():
        catalog = cj.read_catalog(shared_data / path)
        match = cj.match_shells(catalog)
        launch = np.array([re.sub(r"[A-Z]*$", "", name) for name in catalog.international_designator])
        for system in np.unique([record.system for record in load_launch_records()]):
            here = match.system == system
            if not here.any():
                continue
            stationed = here & (match.state == "on_station")
            if date != "2026-03-10":
                found[system, date] = int(stationed.sum())
            else:
                names, seen = np.unique(launch[here], return_counts=True)
                share = [stationed[launch == name].sum() / n for name, n in zip(names, seen, strict=True)]
                most = [held.get(name, n) for name, n in zip(names, seen, strict=True)]
                found[system, date] = round(float(np.dot(share, most)))
    return found


def hindcast(system: str, date: str, observed: int) -> list[Hindcast]:
    """Tell the number on a date from each cut-off before it that has launches."""
    found = []
    last = max(record.counted for record in load_launch_records())
    for days in CUT_OFF_DAYS:
        as_of = min(np.datetime64(date) - days, last)
        records = [r for r in load_launch_records() if r.system == system and r.group != "test" and r.day <= as_of]
        if not records:
            continue
        dataset = cj.deploy(system.lower(), as_of=str(as_of), start=date, until=date, draws=500)
        band = dataset.on_station_percentile.values[:, 0, 0]
        found.append(Hindcast(system, date, as_of, observed, int(dataset.on_station[0, 0]), *band))
    return found


def test_what_happened_is_in_the_band(shared_data: Path) -> None:
    found = [h for (system, date), n in sorted(observe(shared_data).items()) for h in hindcast(system, date, n)]
    print("\nsystem    on          cut-off    observed  no chance      5 %     50 %     95 %")
    for h in found:
        print(
            f"{h.system:<9} {h.date} {h.as_of!s:<11} {h.observed:>8} {h.certain:>10} {h.low:>8.0f} {h.median:>8.0f} "
            f"{h.high:>8.0f}{'' if h.is_inside else '  outside'}"
        )
    for system in sorted({h.system for h in found}):
        here = [h for h in found if h.system == system]
        error = np.median([abs(h.median / h.observed - 1) for h in here])
        width = np.median([(h.high - h.low) / h.observed for h in here])
        print(
            f"{system:<9} inside {sum(h.is_inside for h in here)} of {len(here)}, median error {100 * error:.0f} %, "
            f"median width of the band {100 * width:.0f} %"
        )
    coverage = np.mean([h.is_inside for h in found])
    print(f"all: {100 * coverage:.0f} % of {len(found)} inside the band of 5 to 95 %")
    assert coverage >= 0.85

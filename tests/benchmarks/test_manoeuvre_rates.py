"""Manoeuvres a year that encounters call for, of a shell like Starlink's, beside what its operator reports.

python -m pytest -m benchmark -s tests/benchmarks/test_manoeuvre_rates.py
"""

from pathlib import Path

import numpy as np
import pytest

import constellation_jax as cj

REPORTED = (
    "about 16 a satellite in half a year at 3e-7 (SpaceX to the FCC, 2025-06 to 11: 148,696 of some 9,400 satellites)"
)
CATALOGUE = "conjunction/socrates_2026-03-10T04_elements_18407.omm.csv.gz"


@pytest.mark.benchmark
def test_manoeuvres_a_satellite_and_year(shared_data: Path) -> None:
    flying = cj.read_catalog(shared_data / CATALOGUE)
    others = flying[~np.char.startswith(flying.name, "STARLINK")]
    shells = [
        cj.Shell.from_values(
            {
                "name": f"{altitude} km",
                "altitude_km": altitude,
                "inclination_deg": 53,
                "planes": 72,
                "satellites_per_plane": 22,
            }
        )
        for altitude in (550, 480)
    ]
    print(f"\n{len(others):,} objects but Starlink of 2026-03-10; reported: {REPORTED}")
    for words, options in (
        ("class table at half a day", {}),
        ("class table at two days", {"age_days": 2.0}),
    ):
        rates = cj.encounter_rates(
            others, shells, thresholds=(1e-4, 1e-5, 1e-6, 3e-7), start="2026-03-10T04:00", **options
        )
        for shell in rates.shell.values:
            own = rates.sel(shell=shell, other="catalogue")
            each = own.manoeuvres_per_year.values / shells[0].total
            error = own.manoeuvres_per_year_error.values / shells[0].total
            cells = "  ".join(
                f"{t:g}: {v:.2f} +- {e:.2f}" for t, v, e in zip(own.threshold.values, each, error, strict=True)
            )
            print(
                f"{shell}, {words}: {int(own.encounters)} encounters within 5 km; manoeuvres a satellite and year at Pc {cells}"
            )
            assert (np.diff(each) > 0.0).all()

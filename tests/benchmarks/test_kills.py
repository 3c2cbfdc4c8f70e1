"""Runs killed at random moments and gone on with: 40 to NetCDF and 40 to Zarr."""

from pathlib import Path

import pytest
from kills import go_on_after_kills

KILLS = 40


@pytest.mark.benchmark
@pytest.mark.parametrize("suffix", ["nc", "zarr"])
def test_killed_runs_are_gone_on_with(suffix: str, tmp_path: Path, kept_kernels: dict[str, str]) -> None:
    equal = go_on_after_kills(KILLS, suffix, tmp_path, kept_kernels)
    print(f"\n{suffix}: {equal} of {KILLS} killed runs gone on with, data equal")
    assert equal == KILLS

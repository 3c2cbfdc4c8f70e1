"""Deployments as launched: what a date of the data lets through, the stages of a climb, counts and bands against catalogues."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import constellation_jax as cj
from constellation_jax.inputs.deployment import records
from constellation_jax.studies.deployment.ascent import climb

NEWEST = "2026-08-22"
"""Date of the newest catalogue that launches are counted in."""


def write(folder: Path, *lines: str) -> Path:
    """Write a deployment of 100 launches of ten satellites, three each month from 2026 on, and further keys."""
    path = folder / "a.toml"
    text = 'system = "A"\n[[campaigns]]\nname = "a"\nshells = "chutian"\nvehicle = "falcon-9"\nsatellites_per_launch = 10\n'
    path.write_text(text + "\n".join(lines) + "\n")
    return path


def on_station(dataset: xr.Dataset) -> np.ndarray:
    """5th, 50th and 95th percentile of the satellites on station on the last day."""
    return dataset.on_station_percentile.isel(time=-1, system=0).values


@pytest.mark.parametrize("name", ["qianfan", "guowang", "kuiper", "qianfan:as-launched-then-plan"])
def test_nothing_after_the_date_of_the_data_counts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same numbers come out where the records hold no later launch, and failures seen only later count nowhere."""
    as_of = np.datetime64("2026-03-10")
    whole = cj.deploy(name, as_of=str(as_of), draws=20, until="2026-12-31")
    known = tuple(r._replace(off_station=9) for r in records.load_launch_records() if r.day <= as_of)
    assert len(known) < len(records.load_launch_records())
    monkeypatch.setattr(records, "load_launch_records", lambda: known)
    records.measure_drift.cache_clear()
    xr.testing.assert_equal(cj.deploy(name, as_of=str(as_of), draws=20, until="2026-12-31"), whole)
    records.measure_drift.cache_clear()  # other tests want that of the whole records
    assert whole.attrs["launch_data_date"] == "2026-03-10"


def test_launches_are_those_recorded_then_come_at_the_pace_or_the_plan() -> None:
    pace, plan = (cj.load_deployment(f"qianfan:as-launched-then-{then}") for then in ("pace", "plan"))
    for deployment in (pace, plan):
        listed, later = deployment.campaigns
        assert sum(listed.satellites_by_launch) == 238  # Qianfans in the catalogue of the day
        assert listed.launch_dates[-1] <= deployment.data_date == np.datetime64(NEWEST)
        assert later.start == np.datetime64(NEWEST) + 1
    last_year = [day for day in pace.campaigns[0].launch_dates if day > np.datetime64(NEWEST) - 365]
    assert pace.campaigns[1].rates[0][1] * 365 == pytest.approx(len(last_year))
    assert plan.campaigns[1].target == 1296


@pytest.mark.parametrize(("days", "observed"), [(33, 892.5), (54, 918.0), (59, 951.0)])
def test_guowang_waits_near_880_km(days: float, observed: float) -> None:
    """890 to 895 km were seen 33 days after launches to 50 degrees, 918 after 54 and 951 after 59."""
    for campaign in cj.load_deployment("guowang").campaigns:
        if "50 degrees" in campaign.name:
            altitude, _, _ = climb(campaign, campaign.shells[0]).at(np.array([0.0, days]))
            assert altitude == pytest.approx([880.0, observed], abs=10)


@pytest.mark.parametrize("name", ["qianfan", "guowang", "kuiper", "oneweb", "starlink"])
def test_as_many_are_on_station_as_the_catalogue_has(name: str, shared_data: Path) -> None:
    """Within 5 %, on the day of the data, against the objects on station by `match_shells`."""
    catalog = cj.read_catalog(shared_data / "catalogs" / f"active_{NEWEST}.omm.csv.gz")
    match = cj.match_shells(catalog)
    dataset = cj.deploy(name, start=NEWEST, until=NEWEST, draws=100)
    system = str(dataset.system.values[0])
    observed = int(((match.system == system) & (match.state == "on_station")).sum())
    assert int(dataset.on_station[0, 0]) == pytest.approx(observed, rel=0.05)
    low, _, high = on_station(dataset)
    assert low <= observed <= high


def test_a_wandering_cadence_widens_the_band_with_time(tmp_path: Path) -> None:
    """The logarithm of the number launched varies as the mean of a random walk: with a third of the variance at its end."""
    keys = ("launches_per_year = 100", "start = 2026-01-01", "until = 2029-12-31", 'schedule = "regular"')
    dataset = cj.deploy(write(tmp_path, *keys, "cadence_drift = 0.3"), draws=500)
    for years in (1, 4):
        low, _, high = dataset.launched_percentile.sel(time=f"{2025 + years}-12-31").isel(system=0).values
        # of a walk in steps of a quarter of a year: slightly more than 0.3 sqrt(years / 3)
        assert np.log(high / low) / (2 * 1.645) == pytest.approx(0.3 * np.sqrt(years / 3), rel=0.2)


def test_failures_of_one_launch_come_together(tmp_path: Path) -> None:
    """100 launches of ten, failures at 0.1: the variance of a launch is the beta-binomial's, n p (1 - p) (1 + (n - 1) rho)."""
    dates = ", ".join(str(np.datetime64("2026-01-01") + 3 * k) for k in range(100))
    for correlation in (0.0, 0.5):
        keys = (f"launch_dates = [{dates}]", "until = 2027-01-01", "satellite_failure = 0.1")
        path = write(tmp_path, *keys, f"failure_correlation = {correlation}")
        low, _, high = on_station(cj.deploy(path, draws=2000))
        assert (high - low) / (2 * 1.645) == pytest.approx(np.sqrt(1000 * 0.09 * (1 + 9 * correlation)), rel=0.1)


def test_satellites_by_launch_and_those_between_shells(tmp_path: Path) -> None:
    keys = ("launch_dates = [2026-01-01, 2026-02-01]", "satellites_by_launch = [50, 150]", "until = 2026-03-01")
    dataset = cj.deploy(write(tmp_path, *keys, "moving_share = 0.1"), draws=2000)
    assert dataset.launched.sel(time=["2026-01-15", "2026-02-15"]).values.tolist() == [[50, 200]]
    assert int(dataset.on_station[0, -1]) == 200
    # exponential: 5, 50 and 95 % of the share at 0.513, 6.93 and 30.0 %
    assert on_station(dataset) == pytest.approx(200 * (1 - np.array([0.300, 0.0693, 0.00513])), abs=6)
    assert (dataset.launched_percentile.isel(time=-1) == 200).all()


def test_a_longer_life_of_all_is_drawn_too(tmp_path: Path) -> None:
    keys = (
        "launches_per_year = 100",
        "start = 2026-01-01",
        "until = 2032-01-01",
        "life_years = 2",
        "deorbit_days = 30",
    )
    dataset = cj.deploy(write(tmp_path, *keys, "life_error = 0.1", 'schedule = "regular"'), draws=1000)
    # in balance, as many are on station as are launched in a life
    assert np.log(on_station(dataset)) == pytest.approx(np.log(2000) + 0.1 * np.array([-1.645, 0, 1.645]), abs=0.02)

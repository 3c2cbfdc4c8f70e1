"""Deployments against reports and censuses of satellites, and random histories against expected counts."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

import constellation_jax as cj
from constellation_jax.errors import InputError
from constellation_jax.inputs.deployment.files import known_deployments
from constellation_jax.outputs.netcdf.whole_file import write_dataset
from constellation_jax.outputs.variables import DEPLOYMENT_STATES

DAY = np.timedelta64(1, "D")


def on(dataset: xr.Dataset, date: str) -> dict[str, int]:
    """Count the satellites of the only system in each state."""
    return {state: int(dataset[state].sel(time=date).item()) for state in DEPLOYMENT_STATES}


@pytest.mark.parametrize("name", known_deployments(variants=True))
def test_every_satellite_is_in_one_state(name: str) -> None:
    dataset = cj.deploy(name)
    parts = [dataset[state] for state in DEPLOYMENT_STATES]
    assert all((part >= 0).all() for part in parts)
    assert (dataset.launched == sum(parts[1:])).all()
    assert (np.diff(dataset.launched, axis=1) >= 0).all()


def test_five_thousand_starlinks_at_550_km_in_november_2023() -> None:
    """More than 5,000 around 550 km, in a text of 2023-11-17: GCAT has 5,011 on 10-31 and 5,141 on 11-30, in orbit."""
    catalog = cj.deployed_catalog("starlink", "2023-11-17")
    assert len(catalog) > 5000
    assert abs(len(catalog) / 5083 - 1) < 0.05
    stationed = catalog.select(source="*:on_station")
    assert np.all(np.abs(stationed.mean_altitude_km - 550) < 26)  # shells from 525 to 570 km


def test_eight_thousand_of_eleven_thousand_are_starlinks() -> None:
    """About 8,000 of 11,000 active in mid-2025: 7,716 of 11,025 in the catalogue of 2025-06-24."""
    day = on(cj.deploy("starlink"), "2025-06-24")
    active = day["raising"] + day["on_station"] + day["deorbiting"]
    assert abs(active / 7716 - 1) < 0.05
    assert round(active, -3) == 8000
    assert abs(active / len(cj.bundled_population()) - 0.70) < 0.04


@pytest.mark.parametrize(("name", "failed"), [("launched", 13), ("launched-17", 17), ("launched-20", 20)])
def test_ninety_qianfan_of_which_some_failed(name: str, failed: int) -> None:
    """90 launched by mid-2025; 13 failed, in other sources at least 17, or 20 as measured."""
    day = on(cj.deploy(f"qianfan:{name}"), "2025-07-10")
    assert day["launched"] == 90
    assert day["failed"] == failed
    assert day["on_station"] + day["raising"] == 90 - failed


def test_thirty_four_of_thirteen_thousand_guowang() -> None:
    """34 active in mid-2025, less than 1 % of 13,000."""
    dataset = cj.deploy("guowang:plan-only")
    day = on(dataset, "2025-06-24")
    assert day["raising"] + day["on_station"] == 34
    assert int(dataset.target[0]) == 12992
    assert 34 / int(dataset.target[0]) < 0.01


@pytest.mark.parametrize(
    ("date", "state", "census"),
    [
        ("2023-10-31", "in orbit", 5011),  # GCAT, reconstructed
        ("2023-11-30", "in orbit", 5141),
        ("2025-06-24", "active", 7716),  # CelesTrak's active list, which holds those on the way down
        ("2026-06-13", "active", 10546),
        ("2026-08-01", "active", 10882),  # working, McDowell
        ("2026-10-09", "launched", 12988),
        ("2026-10-09", "active", 11123),  # working
        ("2026-10-09", "in orbit", 11137),
    ],
)
def test_starlink_follows_the_census_within_five_percent(date: str, state: str, census: int) -> None:
    day = on(cj.deploy("starlink"), date)
    active = day["raising"] + day["on_station"] + day["deorbiting"]
    count = {"launched": day["launched"], "active": active, "in orbit": active + day["failed"]}
    print(date, state, count[state], census, f"{count[state] / census - 1:+.1%}")
    assert abs(count[state] / census - 1) < 0.05


@pytest.mark.parametrize(
    ("name", "by"),
    [
        ("qianfan:plan-only-648-30", "2026-01-01"),  # 31 launches at 30 a month leave half a year to climb
        ("guowang:plan-only", "2035-07-01"),  # ten years
        ("casic", "2031-01-01"),  # by 2030
    ],
)
def test_a_target_is_met_in_time(name: str, by: str) -> None:
    dataset = cj.deploy(name)
    assert int(dataset.on_station.sel(time=by).item()) >= 0.999 * int(dataset.target[0])


def test_the_number_of_the_article_misses_its_own_target() -> None:
    late = cj.deploy("qianfan:plan-only-15000")
    assert int(late.on_station.sel(time="2031-01-01").item()) < 13_000
    assert int(cj.deploy("qianfan:plan-only-15000-30").on_station.sel(time="2031-01-01").item()) >= 15_000


def test_casic_has_192_in_2027_and_300_in_2030() -> None:
    dataset = cj.deploy("casic")
    assert on(dataset, "2028-01-01")["on_station"] == pytest.approx(192, abs=16)
    assert on(dataset, "2031-01-01")["on_station"] == 300


def test_retired_satellites_are_replaced(tmp_path) -> None:
    (tmp_path / "a.toml").write_text(
        'system = "A"\n[[campaigns]]\nname = "a"\nshells = "chutian"\nvehicle = "falcon-9"\nsatellites_per_launch = 10\n'
        "launches_per_month = 4\nstart = 2026-01-01\nuntil = 2032-01-01\ntarget = 100\nlife_years = 2\n"
        "deorbit_days = 100\ncadence_spread = 0.2\n"
    )
    dataset = cj.deploy(tmp_path / "a.toml", draws=200)
    later = dataset.sel(time=slice("2026-06-01", None))
    assert int(later.on_station.min()) >= 60  # ten weeks of launches retire in ten weeks; 40 a month come
    assert int(later.on_station.max()) <= 110
    assert int(dataset.launched[0, -1]) == pytest.approx(300, abs=20)  # three generations in six years
    # Chance follows the same rule: pauses while the target is met, launches again when satellites retire
    assert abs(later.launched_percentile.sel(percentile=50)[0, -1] - 300) < 40
    assert later.on_station_percentile.sel(percentile=95).max() <= 115


def test_what_is_listed_is_not_drawn() -> None:
    dataset = cj.deploy("qianfan:launched-20", draws=20)
    assert (dataset.launched_percentile == dataset.launched).all()
    last = dataset.isel(time=-1, system=0)
    assert np.ptp(last.failed_percentile.values) == 0  # listed, not drawn
    assert int(last.failed_percentile[0]) == int(last.failed) == 20


def test_draws_agree_with_the_binomial_and_the_poisson_distribution(tmp_path) -> None:
    (tmp_path / "a.toml").write_text(
        'system = "A"\n[[campaigns]]\nname = "a"\nshells = "guowang"\nvehicle = "falcon-9"\nsatellites_per_launch = 10\n'
        "launches_per_year = 100\nstart = 2026-01-01\nend = 2026-12-31\nuntil = 2027-02-01\nsatellite_failure = 0.2\n"
        "launch_failure = 0.1\n"
    )
    n = 4000
    last = cj.deploy(tmp_path / "a.toml", draws=n, seed=3).isel(time=-1, system=0)
    # 100 launches on average (99.93 in 365 days), Poisson: 5 and 95 % at 84 and 117
    assert last.launched_percentile.values == pytest.approx([840, 1000, 1170], abs=15)
    mean, variance = 99.93 * 10 * 0.9 * 0.2, 99.93 * 0.9 * (10 * 0.2 * 0.8 + (10 * 0.2) ** 2)  # compound Poisson
    expected = mean + np.array([-1.645, 0.0, 1.645]) * np.sqrt(variance)
    assert last.failed_percentile.values == pytest.approx(expected, abs=5)


def test_the_seed_chooses_the_draws() -> None:
    first, same, other = (cj.deploy("qianfan:plan-only-648", draws=50, seed=seed) for seed in (1, 1, 2))
    assert first.on_station_percentile.equals(same.on_station_percentile)
    assert not first.on_station_percentile.equals(other.on_station_percentile)


def test_a_file_gives_back_the_dataset_and_no_partial_file_stays(tmp_path) -> None:
    dataset = cj.deploy("qianfan:launched", draws=10)
    write_dataset(dataset, tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "a.nc") as found:
        xr.testing.assert_identical(found.load(), dataset)
    assert [path.name for path in tmp_path.iterdir()] == ["a.nc"]
    with pytest.raises(InputError, match="exists already"):
        write_dataset(dataset, tmp_path / "a.nc")


def test_wrong_arguments() -> None:
    with pytest.raises(InputError, match="draws 0: expected 1 to 100,000"):
        cj.deploy("casic", draws=0)
    with pytest.raises(InputError, match="until 2020-01-01: expected 2026-09-01 or later"):
        cj.deploy("casic", until="2020-01-01")


# What cadence does a target need?


def test_the_needed_cadence_meets_the_target_in_the_simulation() -> None:
    plan = cj.load_deployment("qianfan:plan-only")
    need = cj.cadence_needed(plan, 1296, by="2029-01-01")
    found = {}
    for factor in (0.97, 1.03):
        campaigns = tuple(
            dataclasses.replace(c, launches_per_month=((c.start, factor * need.launches_per_month),), until=need.by)
            if c.rates
            else c
            for c in plan.campaigns
        )
        dataset = cj.deploy(dataclasses.replace(plan, campaigns=campaigns), until="2029-01-01")
        found[factor] = int(dataset.on_station[0, -1])
    assert found[0.97] < 1296 <= found[1.03]
    assert found[0.97] > 0.94 * 1296


def test_the_articles_own_numbers_give_12_6_a_month(tmp_path) -> None:
    """(15,000 - 90) / 18 satellites a launch over 66 months, nothing fails and nothing climbs."""
    (tmp_path / "a.toml").write_text(
        'system = "Qianfan"\n[[campaigns]]\nname = "a"\nshells = "qianfan:15000"\nvehicle = "long-march-6a"\n'
        "launches_per_month = 30\nstart = 2025-07-01\nuntil = 2031-01-01\n"
    )
    need = cj.cadence_needed(tmp_path / "a.toml", 14910, by="2031-01-01")
    assert need.launches_per_month == pytest.approx(12.55, abs=0.02)
    assert need.launches == pytest.approx(14910 / 18)


def test_derivatives_of_the_needed_cadence_match_differences() -> None:
    plan = cj.load_deployment("qianfan:plan-only")

    def rate(by: str = "2029-01-01", **changed: float) -> float:
        campaigns = tuple(dataclasses.replace(c, **changed) if c.rates else c for c in plan.campaigns)
        return cj.cadence_needed(dataclasses.replace(plan, campaigns=campaigns), 1296, by=by).launches_per_month

    need = cj.cadence_needed(plan, 1296, by="2029-01-01")
    p, q = 0.14444, 0.025
    assert need.per_satellite_failure == pytest.approx(
        (rate(satellite_failure=p + 1e-5) - rate(satellite_failure=p - 1e-5)) / 2e-5, rel=1e-6
    )
    assert need.per_launch_failure == pytest.approx(
        (rate(launch_failure=q + 1e-5) - rate(launch_failure=q - 1e-5)) / 2e-5, rel=1e-6
    )
    # One satellite is no small step: the mean of both sides is off by (1/18)^2
    both = (rate(satellites_per_launch=19) - rate(satellites_per_launch=17)) / 2
    assert need.per_satellite_on_launch == pytest.approx(both, rel=0.01)
    days = (rate("2029-01-02") - rate("2028-12-31")) / 2
    assert need.per_month == pytest.approx(days * 365.25 / 12, rel=1e-3)


def test_a_target_without_time_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"by 2025-08-01: no time; from 2025-07-01 on, .* on 2025-11-02 at the earliest"
    ):
        cj.cadence_needed("qianfan:plan-only", 1296, by="2025-08-01")
    with pytest.raises(InputError, match="no campaign of Qianfan has a cadence"):
        cj.cadence_needed("qianfan:launched", 1296, by="2027-01-01")

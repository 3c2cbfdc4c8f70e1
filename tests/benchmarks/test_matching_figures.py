"""Matching and the flag of manoeuvres by date: raising satellites' shells, who is kept, counts of a full catalogue, what came down.

The truth about a raising satellite is the shell at which the same catalogue number is on station at the next date. Shells move as
a whole in between: a shell is also right if most of those that are now at the true one were in it then.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from reentries import observed_weather, to_mjd

import constellation_jax as cj
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.studies.decay.inputs import ballistic_coefficients, resolve_space_weather
from constellation_jax.studies.decay.orbit_control import OrbitControl, find_orbit_control, find_raised
from constellation_jax.studies.matching.match import ShellMatch
from constellation_jax.studies.matching.motion import find_remains

pytestmark = pytest.mark.benchmark

DATES = {
    "2025-05-25": "omm/starlink_2025-05-25.omm.json.gz",
    "2026-03-10": "conjunction/socrates_2026-03-10T04_elements_18407.omm.csv.gz",
    "2026-08-19": "catalogs/active_2026-08-19.tle.gz",
    "2026-08-22": "catalogs/active_2026-08-22.omm.csv.gz",
}
PASSIVE = [
    "decay/delfi-pq_51074_2022-2024", "decay/genesat-1_29655_2006-2010", "decay/omid_33506_2009",
    "series/dove-2_39132_2013-2017", "series/deb-1970-025qq_26821_2001-2017",
]  # fmt: skip
KEPT = [
    "CryoSat-2", "Jason-2", "Jason-3", "Sentinel-3B",
    "oneweb_47258_gp", "oneweb_48042_gp", "starlink_48430_gp", "starlink_50803_gp",
]  # fmt: skip
COUNTS = {("Iridium", "D-86"): 67, ("Globalstar", "D-52"): 24, ("AST", "D-505"): 6}
"""Satellites on station on 2026-08-22, of systems that launched none between 2026-03-10 and then."""


@pytest.fixture(scope="module")
def catalogs(shared_data: Path) -> dict[str, Catalog]:
    return {date: cj.read_catalog(shared_data / name) for date, name in DATES.items()}


@pytest.fixture(scope="module")
def matches(catalogs: dict[str, Catalog]) -> dict[str, ShellMatch]:
    return {date: cj.match_shells(catalog) for date, catalog in catalogs.items()}


@pytest.fixture(scope="module")
def weather(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> cj.SpaceWeather:
    return observed_weather(shared_data, tmp_path_factory.mktemp("weather"))


def control_of(catalog: Catalog, weather: cj.SpaceWeather) -> OrbitControl:
    """What `decay` finds of each object."""
    control = find_orbit_control(catalog)
    known = resolve_space_weather(weather, "median")
    return control.add(ballistic_coefficients(catalog, None, known, of_class=control.coefficient).is_held, catalog)


def test_raising_satellites_arrive_at_the_shell_that_was_named(catalogs, matches) -> None:
    for first, second in zip([*DATES][:-1], [*DATES][1:], strict=True):
        before, after = matches[first], matches[second]
        _, i, j = np.intersect1d(catalogs[first].norad_id, catalogs[second].norad_id, return_indices=True)
        stays = (before.state[i] == "on_station") & (after.state[j] == "on_station")
        was = {
            name: Counter(before.shell[i][stays & (after.shell[j] == name)].tolist()).most_common(1)[0][0]
            for name in set(after.shell[j][stays].tolist())
        }
        arrived = (before.state[i] == "raising") & (after.state[j] == "on_station")
        pairs = [*zip(before.shell[i][arrived].tolist(), after.shell[j][arrived].tolist(), strict=True)]
        same = np.mean([said == true for said, true in pairs])
        moved = np.mean([said in (true, was.get(true)) for said, true in pairs])
        print(
            f"\n{first} to {second}: {(before.state == 'raising').sum()} raising, {len(pairs)} arrived, at the shell of that name "
            f"{100 * same:.1f} %, at that or where it moved {100 * moved:.1f} %"
        )
        assert same >= 0.85


def test_a_full_catalogue_counts_as_the_active_one(matches) -> None:
    found = {(row.system, row.shell): row.on_station for row in matches["2026-03-10"].shells}
    for key, expected in COUNTS.items():
        print(f"\n2026-03-10, {' '.join(key)}: {found[key]} on station, {expected} expected")
        assert found[key] == pytest.approx(expected, rel=0.03)


def test_kept_satellites_are_flagged_and_passive_ones_are_not(catalogs, matches, weather, shared_data: Path) -> None:
    for date, catalog in catalogs.items():
        flagged, state = control_of(catalog, weather).manoeuvres, matches[date].state
        shares = {s: f"{100 * flagged[state == s].mean():.1f} % of {(state == s).sum():,}" for s in set(state.tolist())}
        print(f"\n{date} flagged: {', '.join(f'{s} {share}' for s, share in sorted(shares.items()))}")
        assert flagged[state == "on_station"].mean() >= 0.95
    everything = catalogs["2026-03-10"]
    remains = everything[np.flatnonzero(find_remains(everything))]
    groups = {"debris and rocket bodies of 2026-03-10": remains} | {
        name: cj.read_catalog(shared_data / f"catalogs/{name}-debris_2026-06-14.tle.gz")
        for name in ("fengyun-1c", "cosmos-2251", "iridium-33")
    }
    groups |= {name: cj.read_catalog(shared_data / f"{name}.tle.gz") for name in PASSIVE}
    for name, catalog in groups.items():
        flagged = control_of(catalog.replace(name="X"), weather).manoeuvres  # not told by their names
        print(f"{name}: {100 * flagged.mean():.2f} % of {len(catalog):,} sets flagged")
        assert flagged.mean() < 0.03
    for name in KEPT:
        catalog = cj.read_catalog(shared_data / f"series/{name}.tle.gz").sort("epoch")
        days = to_mjd(catalog)
        starts = np.arange(days[0], days[-1], 60.0)
        parts = [catalog[np.flatnonzero((days >= start) & (days < start + 60.0))] for start in starts]
        shown = [find_raised(part).all() for part in parts if len(part) >= 8]
        print(
            f"{name}: thrust shows in {100 * np.mean(shown):.0f} % of {len(shown)} windows of 60 days, and in the whole"
        )
        assert find_raised(catalog).all()


def test_unflagged_starlinks_that_are_predicted_down_come_down(catalogs, weather) -> None:
    for first, second in (("2025-05-25", "2026-03-10"), ("2026-03-10", "2026-08-22")):
        catalog = catalogs[first].select(name="STARLINK*", mean_altitude_km=(130.0, None))
        span = np.median(to_mjd(catalogs[second])) - np.median(to_mjd(catalog))
        is_free = ~control_of(catalog, weather).manoeuvres
        down = cj.lifetimes(catalog, years=2.0, space_weather=weather) < span
        later = np.concatenate(
            [catalogs[d].norad_id for d in (second, "2026-08-22")]
        )  # the first of them is not complete
        came = ~np.isin(catalog.norad_id, later)
        print(
            f"\n{first} to {second}: of {is_free.sum()} unflagged Starlinks {(is_free & down).sum()} were predicted down, "
            f"{(is_free & came).sum()} came, {(is_free & down & came).sum()} both; of {(~is_free).sum():,} flagged "
            f"{(~is_free & came).sum()} were deorbited"
        )


def test_what_a_file_without_derivatives_costs(catalogs, matches) -> None:
    for date, catalog in catalogs.items():
        known = matches[date].state, matches[date].system != ""
        for dropped in (["mean_motion_dot"], ["mean_motion_dot", "bstar"]):
            without = cj.match_shells(catalog.replace(**dict.fromkeys(dropped, 0.0))).state
            changed = (without != known[0]) & known[1]
            moves = Counter(zip(known[0][changed].tolist(), without[changed].tolist(), strict=True))
            told = ", ".join(f"{n} {a} to {b}" for (a, b), n in moves.most_common())
            print(
                f"\n{date} without {' and '.join(dropped)}: {changed.sum()} of {known[1].sum():,} states change: {told}"
            )

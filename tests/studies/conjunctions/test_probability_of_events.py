"""Probabilities, messages and gradients of close approaches: SOCRATES' columns, CARA's messages, and differences."""

import csv
import logging
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import constellation_jax as cj
from constellation_jax.engine.devices import Devices
from constellation_jax.engine.screening.refine import Encounters, approach
from constellation_jax.engine.screening.state_lists import ListStates, StateLists
from constellation_jax.inputs.conjunctions.age_table import classify, load_age_table
from constellation_jax.inputs.conjunctions.radii import find_radii
from constellation_jax.outputs.conjunction_variables import CONJUNCTION_FLAGS, CONJUNCTIONS
from constellation_jax.studies.conjunctions.manoeuvres import compute_areas, make_model


def make_events(catalog: cj.Catalog, first: Any, second: Any, near: np.ndarray) -> xr.Dataset:
    """Close approaches of pairs near some instants, with the variables that probabilities and gradients need."""
    start = near.min().astype("datetime64[D]").astype("datetime64[ns]")
    found = approach_of(catalog, first, second, (near - start).astype(np.int64) / 1e9, start)
    tca = start + np.rint(found.seconds * 1e9).astype("timedelta64[ns]")
    arrays: dict[str, Any] = {"tca": tca, "miss_distance": found.distance, "relative_speed": found.speed}
    arrays["seconds"], arrays["status"] = found.seconds, np.zeros(len(tca), np.int16)
    arrays["miss_ric"] = arrays["relative_velocity_ric"] = np.zeros((len(tca), 3))
    for k, index, states in (("1", first, found.states[0]), ("2", second, found.states[1])):
        arrays[f"object_{k}"] = np.asarray(index)
        arrays[f"satellite_number_{k}"] = catalog.norad_id[index]
        arrays[f"name_{k}"] = catalog.name.astype(object)[index]
        arrays[f"age_{k}"] = (tca - catalog.epoch[index]) / np.timedelta64(86_400_000_000_000, "ns")
        arrays[f"position_{k}"], arrays[f"velocity_{k}"] = states.position.T, states.velocity.T
    return xr.Dataset({name: CONJUNCTIONS[name].as_xarray(v) for name, v in arrays.items()}, attrs={"frame": "teme"})


def approach_of(catalog: cj.Catalog, first: Any, second: Any, seconds: np.ndarray, start: np.datetime64) -> Any:
    day = int(start.astype("datetime64[D]").astype(np.int64)) + 40587
    lists = StateLists(catalog.elements, day, 0.0, Devices("cpu"))
    return approach(lists, np.asarray(first, np.int32), np.asarray(second, np.int32), seconds, 30.0)


@pytest.fixture(scope="module")
def socrates(shared_data: Path) -> tuple[list[dict[str, str]], cj.Catalog, xr.Dataset]:
    folder = shared_data / "conjunction"
    catalog = cj.read_catalog(folder / "socrates_2026-03-09T18_top20_elements.omm.csv")
    with (folder / "socrates_2026-03-09T18_top20.csv").open() as file:
        rows = list(csv.DictReader(file))
    pairs = [[catalog.position_of(row[f"NORAD_CAT_ID_{k}"]) for row in rows] for k in (1, 2)]
    near = np.array([np.datetime64(row["TCA"].rstrip("Z"), "ns") for row in rows])
    return rows, catalog, make_events(catalog, *pairs, near)


SIZED_M = {20608: 3.03, 12586: 2.31, 27422: 10.89}
"""Radii of objects whose size SOCRATES knows, as its own figures give them."""


def test_largest_probability_and_dilution_of_socrates(socrates: Any) -> None:
    rows, catalog, events = socrates
    found = cj.add_probability(
        events,
        catalog,
        radii={
            **{
                n: 10.0 if "STARLINK" in s else 1.0
                for n, s in zip(catalog.norad_id.tolist(), catalog.name.tolist(), strict=True)
            },
            **SIZED_M,
        },
    )
    printed = np.array([float(row["MAX_PROB"]) for row in rows])
    # printed to four digits; the distance, of which the largest probability is nearly the square, to a millimetre
    np.testing.assert_allclose(found["socrates_max_probability"], printed, rtol=2e-3)
    for row, value in zip(rows, found["socrates_dilution"].values, strict=True):
        if row["DILUTION"]:
            assert abs(value - float(row["DILUTION"])) <= 0.00051, row
    assert set(found["covariance_source_1"].values.tolist()) == {2}
    assert ((found["pc"] >= 0.0) & (found["pc"] <= found["pc_max"] * (1.0 + 1e-9))).all()
    # a week-old set of a Starlink satellite is off by hundreds of kilometres along the track
    assert found["sigma_ric_1"].sel(event=0).values[1] > 10.0
    assert (found["status"].values & CONJUNCTION_FLAGS["diluted"]).all()


def test_gradients_against_differences(socrates: Any) -> None:
    """Of elements that are moved, and the approach found anew in full precision.

    Half the square of the distance stands for the distance: misses are of some ten metres, and a step that the rounding of a
    position allows, of a metre, bends the distance itself.
    """
    _, catalog, events = socrates
    found = cj.add_approach_gradients(events, catalog)
    start = events["tca"].values.min().astype("datetime64[D]").astype("datetime64[ns]")
    seconds = (events["tca"].values - start).astype(np.int64) / 1e9
    miss = events["miss_distance"].values
    for name, step in {
        "mean_motion": 2e-10,
        "eccentricity": 1e-6,
        "raan": 1e-6,
        "mean_anomaly": 1e-6,
        "bstar": 1e-6,
    }.items():
        for k in ("1", "2"):
            moved = events[f"object_{k}"].values
            column = {"mean_motion": "mean_motion_rev_per_day"}.get(
                name, name if name in ("eccentricity", "bstar") else f"{name}_deg"
            )
            unit = {"mean_motion": 720.0 / np.pi, "eccentricity": 1.0, "bstar": 1.0}.get(name, 180.0 / np.pi)
            values = []
            for h in (-2, -1, 1, 2):
                changed = np.array(getattr(catalog, column))
                changed[moved] += h * step * unit
                near = approach_of(
                    catalog.replace(**{column: changed}),
                    events["object_1"].values,
                    events["object_2"].values,
                    seconds,
                    start,
                )
                values.append((0.5 * near.distance**2, near.seconds - seconds))
            for q, own in ((0, found[f"miss_distance_gradient_{k}"] * miss[:, None]), (1, found[f"tca_gradient_{k}"])):
                low2, low, high, high2 = (v[q] for v in values)
                differences = (8 * (high - low) - (high2 - low2)) / (12 * step)
                own = own.sel(element=name).values
                error = np.abs(own - differences) / np.abs(own).max()
                assert error.max() < 1e-6, (name, k, q)


@pytest.fixture(scope="module")
def cara(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[xr.Dataset, list[dict[str, str]]]:
    folder = tmp_path_factory.mktemp("cdm")
    with tarfile.open(shared_data / "conjunction" / "cara_pc_cdms_53.tar.gz") as tar:
        tar.extractall(folder, filter="data")
    files = {path.stem: path for path in folder.rglob("*.cdm")}
    with (shared_data / "conjunction" / "cara_pc_values_53.csv").open() as file:
        rows = list(csv.DictReader(file))
    return cj.read_cdms([files[row["Conjunction_ID"]] for row in rows]), rows


def test_messages_give_the_probabilities_of_cara(cara: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    events, rows = cara
    np.testing.assert_allclose(events["miss_distance"] * 1e3, [float(row["MissDist_m"]) for row in rows], rtol=1e-5)
    events = events.assign(radius=("event", [float(row["HBR_m"]) * 1e-3 for row in rows]))
    found = cj.add_probability(events, covariance="given")
    np.testing.assert_allclose(found["pc"], [float(row["Pc2D"]) for row in rows], rtol=1e-6)
    flagged = (found["status"].values & CONJUNCTION_FLAGS["2d_invalid"]) != 0
    assert flagged.sum() == 34  # 29 where it is wrong, and 5 more

    path = cj.write_cdm(found, 3, tmp_path / "one.cdm")
    again = cj.add_probability(cj.read_cdms(path), covariance="given")
    np.testing.assert_allclose(again["pc"][0], found["pc"][3], rtol=1e-9)
    assert (again["name_1"].values[0], again["tca"].values[0]) == (found["name_1"].values[3], found["tca"].values[3])

    bad = np.tile(np.eye(3) * 0.01, (len(rows), 2, 1, 1))
    bad[5, 0, 0, 0] = -0.01
    with caplog.at_level(logging.WARNING, "constellation_jax"):
        found = cj.add_probability(events, covariance=bad)
    assert f"{rows[5]['PrimaryName']} at" in caplog.text
    assert (np.flatnonzero(np.isnan(found["pc"])).tolist(), int(found["covariance_source_1"][5])) == ([5], -1)


def test_own_scatter_of_an_object_holds_at_other_dates(shared_data: Path) -> None:
    """Predicted from the sets of every other month, held against those of the months between: near 68 % of the differences."""
    from constellation_jax.studies.conjunctions.history import differences_of_sets, scatter_of_objects

    history = cj.read_catalog(shared_data / "series" / "deb-1970-025qq_26821_2001-2017.tle.gz")[-1200:]
    is_fitted = (history.epoch_day // 30) % 2 == 0
    ratio = scatter_of_objects(history[is_fitted])[26821]
    others = history[~is_fitted]
    found = differences_of_sets(others)
    sigma = load_age_table().at(classify(others.name, others.mean_altitude_km)[found.later], found.age_days) * ratio
    held = (np.abs(found.ric_km) <= sigma).mean(axis=0)
    assert ((held > 0.60) & (held < 0.76)).all(), held


def test_area_of_the_plane_in_which_a_manoeuvre_is_called_for(socrates: Any) -> None:
    """Against the probabilities on a grid of misses in the plane, to the cells of the grid and the size of the bodies: 2 %."""
    _, catalog, events = socrates
    two = catalog[[int(events[f"object_{k}"][0]) for k in (1, 2)]]
    states = [
        ListStates(*(events[f"{name}_{k}"].values[:1].T for name in ("position", "velocity", "velocity")))
        for k in (1, 2)
    ]
    met = Encounters(np.array([0], np.int32), np.array([1], np.int32), np.zeros(1), (states[0], states[1]))
    model = make_model((1e-4, 1e-6), 0.5, (100.0, 250.0, 80.0), 5.0)
    areas = compute_areas(met, two, 1, model)[0]
    speed = (states[1].velocity - states[0].velocity)[:, 0]
    across = np.linalg.svd(speed[None])[2][1:]
    step, half = 0.09, 60
    x, y = np.meshgrid(*(np.arange(-half, half + 1) * step,) * 2)
    grid = events.isel(event=np.zeros(x.size, int)).drop_vars("status")
    grid["position_2"] = grid["position_1"] + (x.reshape(-1, 1) * across[0] + y.reshape(-1, 1) * across[1])
    sigma = load_age_table().at(classify(two.name, two.mean_altitude_km), np.full(2, 0.5))[1]
    own = np.stack([np.diag(model.own_sigma_km**2), np.diag(sigma**2)])
    radius = 5.0 + find_radii(two.norad_id, two.name)[1]
    pc = cj.add_probability(grid, covariance=np.tile(own, (x.size, 1, 1, 1)), radii=0.5 * radius)["pc"].values
    counted = (pc[:, None] > model.thresholds).sum(axis=0) * step**2
    assert (areas > 0.3).all()
    np.testing.assert_allclose(areas, counted, rtol=0.02)


def test_what_is_wrong_is_said(socrates: Any) -> None:
    _, catalog, events = socrates
    with pytest.raises(cj.InputError, match="did you mean 'class'"):
        cj.add_probability(events, catalog, covariance="clas")
    with pytest.raises(cj.InputError, match="another one"):
        cj.add_probability(events, catalog[:3])
    with pytest.raises(cj.InputError, match="from 0 to 1000 m"):
        cj.add_probability(events, catalog, radii=-1.0)
    with pytest.raises(cj.InputError, match="no covariances"):
        cj.write_cdm(events, 0, "x.cdm")

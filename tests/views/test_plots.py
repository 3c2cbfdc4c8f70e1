"""Figures show the numbers of their Datasets, with units on both axes, and leave nothing open.

Datasets come from the makers of the package's own, with numbers chosen here, so that nothing has to be computed.
"""

import sys
import warnings
from collections.abc import Iterator

import matplotlib
import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from shell_values import shell_of

import constellation_jax as cj
from constellation_jax.outputs.datasets.decay import make_decay_dataset
from constellation_jax.outputs.datasets.propagation import make_dataset
from constellation_jax.outputs.variables import VARIABLES

DAYS = np.array([0.0, 100.0, 200.0, 300.0])
TIMES = np.datetime64("2027-01-01", "ns") + (DAYS * 86400e9).astype("timedelta64[ns]")


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """No figure is known to pyplot and no setting has changed, whatever was drawn."""
    before = dict(matplotlib.rcParams)
    yield
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()
    assert dict(matplotlib.rcParams) == before


@pytest.fixture
def catalog() -> cj.Catalog:
    shells = [
        shell_of(name=f"S{height:g}", altitude_km=height, inclination_deg=53, planes=1, satellites_per_plane=1)
        for height in (500.0, 300.0, 400.0)
    ]
    return cj.shells_to_catalog(shells, epoch="2027-01-01")


@pytest.fixture
def propagated(catalog: cj.Catalog) -> xr.Dataset:
    rows = np.ones((4, 1))
    return make_dataset(
        catalog,
        TIMES,
        {
            "status": np.zeros((4, 3), np.int8),
            "altitude": rows * [505.0, 305.0, 405.0],
            "mean_altitude": rows * [500.0, 300.0, 404.0],
            "latitude": np.array([[0.0, -10.0, 50.0], [10.0, 10.0, 52.0], [20.0, 30.0, 51.0], [30.0, 10.0, 50.0]]),
            "longitude": np.array(
                [[0.0, 170.0, -179.0], [20.0, -170.0, 179.0], [40.0, -150.0, 160.0], [60.0, -130.0, 140]]
            ),
        },
        dtype="float64",
    )


@pytest.fixture
def decayed(catalog: cj.Catalog) -> xr.Dataset:
    return decay_of(catalog, 1.0, "median")


def decay_of(catalog: cj.Catalog, faster: float, solar: str) -> xr.Dataset:
    lifetime = np.array([np.nan, 150.0, 280.0]) / faster
    altitude = np.array([500.0, 300.0, 400.0]) - 0.1 * faster * DAYS[:, None]
    altitude[DAYS[:, None] > np.nan_to_num(lifetime, nan=np.inf)] = np.nan
    arrays: dict[str, np.ndarray] = {
        "mean_altitude": altitude,
        "lifetime": lifetime,
        "reentry_date": np.array("2027-01-01", "M8[s]") + (np.nan_to_num(lifetime) * 86400).astype("m8[s]"),
    }
    arrays["reentry_date"] = arrays["reentry_date"].astype("M8[ns]")
    arrays["reentry_date"][0] = np.datetime64("NaT")
    if solar == "median":
        spread = np.array([[0.5], [1.0], [2.0]])
        arrays["lifetime_percentile"] = spread * lifetime
        arrays["reentry_date_percentile"] = np.stack([arrays["reentry_date"]] * 3)
        arrays["reentry_date_percentile"][0] -= np.timedelta64(20, "D")
        arrays["reentry_date_percentile"][2, 2] = np.datetime64("NaT")  # beyond the span
    return make_decay_dataset(
        catalog, TIMES, arrays, shells=[], solar=solar, percentiles=(5.0, 50.0, 95.0), attributes={}
    )


@pytest.fixture
def kept() -> xr.Dataset:
    delta_v = np.array([[20.0, 90.0, 50.0], [40.0, 200.0, 100.0]])
    return xr.Dataset(
        {
            "delta_v": VARIABLES["delta_v"].as_xarray(delta_v),
            "delta_v_peak": VARIABLES["delta_v_peak"].as_xarray(1.5 * delta_v),
            "mean_altitude": VARIABLES["mean_altitude"].as_xarray([500.0, 300.0, 400.0], ("shell",)),
        },
        coords={"solar": ["low", "high"], "shell": ["a", "b", "c"]},
    )


def drawn_without_warning(axes: matplotlib.axes.Axes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        axes.figure.draw_without_rendering()


def legend(axes: matplotlib.axes.Axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_altitude_histogram_counts_the_first_instant(propagated: xr.Dataset) -> None:
    axes = cj.plots.altitude_histogram(propagated, bin_km=50.0, altitude_km=(250.0, 450.0))
    assert [bar.get_height() for bar in axes.patches] == [0, 1, 0, 1]  # 500 km lies outside
    assert axes.get_xlabel() == "mean altitude (km)"
    assert axes.get_ylabel() == "satellites (in 50 km)"
    without = cj.plots.altitude_histogram(propagated.isel(time=2), bin_km=100.0, variable="altitude")
    assert without.get_xlabel() == "geodetic altitude (km)"
    assert [bar.get_height() for bar in without.patches][:5] == [0, 0, 1, 1, 1]
    drawn_without_warning(without)


def test_altitude_histogram_stacks_groups(propagated: xr.Dataset) -> None:
    axes = cj.plots.altitude_histogram(propagated, by="satellite_shell")
    assert legend(axes) == ["S500", "S300", "S400"]
    assert sum(bar.get_height() > 0 for bar in axes.patches) == 3
    with pytest.raises(cj.InputError, match="the dataset has no 'system'"):
        cj.plots.altitude_histogram(propagated, by="system")
    with pytest.raises(cj.InputError, match="expected a width above 0"):
        cj.plots.altitude_histogram(propagated, bin_km=0.0)


def test_ground_track_is_broken_at_the_edge(propagated: xr.Dataset) -> None:
    axes = cj.plots.ground_track(propagated)
    for k, line in enumerate(axes.lines):
        x, y = line.get_data()
        steps = np.diff(x)
        assert np.abs(steps[np.isfinite(steps)]).max() <= 180.0
        own = np.isin(x, propagated.longitude[:, k])
        np.testing.assert_array_equal(x[own], propagated.longitude[:, k])
        np.testing.assert_array_equal(y[own], propagated.latitude[:, k])
    x, y = axes.lines[1].get_data()  # from 170 to -170 degrees while the latitude goes from -10 to 10
    np.testing.assert_allclose(x[1:4], [180.0, np.nan, -180.0])
    np.testing.assert_allclose(y[1:4], [0.0, np.nan, 0.0], atol=1e-12)
    np.testing.assert_allclose(axes.lines[2].get_xdata()[1:4], [-180.0, np.nan, 180.0])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("longitude (degrees east)", "latitude (degrees north)")
    assert legend(axes) == propagated.name.values.tolist()
    with pytest.raises(cj.InputError, match=r"no 'longitude'; propagate with variables"):
        cj.plots.ground_track(propagated.drop_vars("longitude"))
    drawn_without_warning(axes)


def test_one_object_is_enough(propagated: xr.Dataset) -> None:
    axes = cj.plots.ground_track(propagated.isel(satellite=0))
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), propagated.longitude[:, 0])


def test_altitude_over_time_ends_in_reentry(catalog: cj.Catalog, decayed: xr.Dataset) -> None:
    low, high = decay_of(catalog, 0.5, "low"), decay_of(catalog, 2.0, "high")
    axes = cj.plots.altitude_over_time(decayed, between=(low, high))
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), decayed.mean_altitude[:, 0])
    dates, heights = axes.lines[1].get_data()
    assert heights.tolist() == [300.0, 290.0, 120.0]
    assert dates[-1] == decayed.reentry_date[1]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("date (UTC)", "mean altitude (km)")
    bands = [c for c in axes.collections if isinstance(c, PolyCollection)]
    assert len(bands) == 3
    lowest, highest = np.array(bands[1].get_paths()[0].vertices)[:, 1].min(), 300.0
    assert (lowest, highest) == (120.0, np.array(bands[1].get_paths()[0].vertices)[:, 1].max())
    bars = [c for c in axes.collections if isinstance(c, LineCollection)]
    days = [np.diff(bar.get_segments()[0][:, 0]).item() for bar in bars]
    assert days == [20.0, pytest.approx(300.0 - 260.0)]  # none for what stays up; one to the end of the span
    drawn_without_warning(axes)
    with pytest.raises(cj.InputError, match="other objects or another span"):
        cj.plots.altitude_over_time(decayed, between=(low.isel(satellite=[0]), high))


def test_lifetime_against_altitude_in_order(catalog: cj.Catalog, decayed: xr.Dataset) -> None:
    axes = cj.plots.lifetime_against_altitude([decay_of(catalog, 0.5, "low"), decayed])
    assert legend(axes) == ["low solar activity", "median solar activity"]
    x, y = axes.lines[1].get_data()
    assert x.tolist() == [300.0, 400.0, 500.0]
    np.testing.assert_allclose(y * 365.25, [150.0, 280.0, np.nan])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("mean altitude (km)", "lifetime (years)")
    vertices = np.array(axes.collections[0].get_paths()[0].vertices)
    np.testing.assert_allclose(sorted(set(vertices[:, 1] * 365.25)), [75.0, 140.0, 300.0, 560.0])
    alone = cj.plots.lifetime_against_altitude(decayed)
    assert len(alone.lines) == 1
    drawn_without_warning(axes)


def test_delta_v_against_altitude_in_order(kept: xr.Dataset) -> None:
    axes = cj.plots.delta_v_against_altitude(kept)
    assert legend(axes) == ["low solar activity", "high solar activity"]
    assert axes.lines[1].get_xdata().tolist() == [300.0, 400.0, 500.0]
    assert axes.lines[1].get_ydata().tolist() == [200.0, 100.0, 40.0]
    assert np.array(axes.collections[1].get_paths()[0].vertices)[:, 1].max() == 300.0
    assert axes.get_ylabel() == "velocity increment (m s$^{-1}$ year$^{-1}$)"
    with pytest.raises(cj.InputError, match="no 'delta_v'; it is not one of station_keeping"):
        cj.plots.delta_v_against_altitude(kept.drop_vars("delta_v"))
    drawn_without_warning(axes)


def test_groups_of_predictions_share_their_axes() -> None:
    axes = cj.plots.predicted_against_observed([10.0, 20.0], [11.0, 18.0], label="first")
    assert cj.plots.predicted_against_observed([30.0], [33.0], label="second", axes=axes) is axes
    assert [line.get_ydata().tolist() for line in axes.lines[1:]] == [[11.0, 18.0], [33.0]]
    assert legend(axes) == ["within 10 %", "first", "second"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("days left (observed)", "days left (predicted)")
    with pytest.raises(cj.InputError, match="expected two of the same length"):
        cj.plots.predicted_against_observed([1.0, 2.0], [1.0])
    drawn_without_warning(axes)


@pytest.fixture
def tuned() -> xr.Dataset:
    status = {"flag_values": np.arange(3, dtype=np.int8), "flag_meanings": "converged not_converged infeasible"}
    return xr.Dataset(
        {
            "round_trip": ("shell", [6.0], {"units": "ms"}),
            "round_trip_before": ("shell", [9.0]),
            "sweep_round_trip": (("sweep", "shell"), [[7.0], [6.5], [np.nan]]),
            "duty_cycle": (("solar", "shell"), [[0.2], [0.5]], {"units": "1"}),
            "duty_cycle_before": (("solar", "shell"), [[0.0], [0.1]]),
            "sweep_duty_cycle": (("sweep", "solar", "shell"), [[[0.1], [0.3]], [[0.2], [0.4]], [[np.nan], [np.nan]]]),
            "sweep_status": ("sweep", np.array([0, 1, 2], np.int8), status),
            "history_objective": ("evaluation", [1.0, 0.6, 0.7], {"units": "1"}),
            "history_violation": ("evaluation", [0.0, 0.2, 1e-9], {"units": "1"}),
        },
        coords={"solar": ["low", "high"], "shell": ["A"], "sweep": [0.3, 0.4, 0.1]},
    )


def test_pareto_front_of_a_sweep(tuned: xr.Dataset) -> None:
    high = tuned.sel(solar="high")
    axes = cj.plots.pareto(high, "duty_cycle", "round_trip")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("duty_cycle (no unit)", "round_trip (ms)")
    assert legend(axes) == ["sweep", "not converged", "start", "tuned"]
    points = [np.array(line.get_data()).T.tolist() for line in axes.lines[1:]]
    assert points == [[[0.3, 7.0]], [[0.4, 6.5]], [[0.1, 9.0]], [[0.5, 6.0]]]
    with pytest.raises(cj.InputError, match=r"no figure 'duty_cycles'; known are .*did you mean 'duty_cycle'"):
        cj.plots.pareto(high, "duty_cycles", "round_trip")
    with pytest.raises(cj.InputError, match="'duty_cycle' has several values along solar"):
        cj.plots.pareto(tuned, "duty_cycle", "round_trip")
    with pytest.raises(cj.InputError, match="its tuning problem has no sweep"):
        cj.plots.pareto(tuned.drop_dims("sweep"), "duty_cycle", "round_trip")
    drawn_without_warning(axes)


def test_convergence_tells_what_misses_a_constraint(tuned: xr.Dataset) -> None:
    axes = cj.plots.convergence(tuned)
    assert [line.get_data()[0].tolist() for line in axes.lines] == [[1, 2, 3], [1, 3], [2]]
    assert [line.get_data()[1].tolist() for line in axes.lines] == [[1.0, 0.6, 0.7], [1.0, 0.7], [0.6]]
    assert legend(axes) == ["constraints met", "constraints missed"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("evaluation (number)", "objective (no unit)")
    drawn_without_warning(axes)


def test_axes_that_are_given_are_used(propagated: xr.Dataset) -> None:
    own = Figure().subplots()
    assert cj.plots.altitude_histogram(propagated, axes=own) is own


def test_without_matplotlib_one_line_says_what_to_install(
    propagated: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(
        cj.InputError, match=r"^plots: matplotlib is not installed; .*pip install 'constellation-jax\[plot\]'$"
    ):
        cj.plots.altitude_histogram(propagated)

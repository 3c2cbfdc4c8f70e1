"""Figures show the numbers of their Datasets, with units on both axes, say what they leave out, and leave nothing open."""

import sys
import warnings
from collections.abc import Callable, Iterator

import figure_data as data
import matplotlib
import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

import constellation_jax as cj
from constellation_jax.views.kinds import KINDS
from constellation_jax.views.plots.coastlines import load_coastlines
from constellation_jax.views.plots.style import _AREAS, list_colours

DRAWINGS: dict[str, Callable[[], Axes]] = {
    "objects_in_orbit": lambda: cj.plots.objects_in_orbit(data.deployed(), mass_kg={"Alpha": 300.0, "Beta": 800.0}),
    "altitude_histogram": lambda: cj.plots.altitude_histogram(
        data.population(), by="system", planned=data.shells(), density=True
    ),
    "inclination_against_altitude": lambda: cj.plots.inclination_against_altitude(data.population()),
    "gabbard": lambda: cj.plots.gabbard(data.population()),
    "ground_track": lambda: cj.plots.ground_track(data.shells().isel(satellite=[0, 15, 100])),
    "track_density": lambda: cj.plots.track_density(data.shells(), bin_deg=5.0),
    "shell_slots": lambda: cj.plots.shell_slots(data.shells().isel(satellite=slice(0, 96))),
    "launch_groups": lambda: cj.plots.launch_groups(data.history()),
    "deployment_states": lambda: cj.plots.deployment_states(data.deployed(), milestones={"2029-07-01": 324}),
    "altitude_over_time": lambda: cj.plots.altitude_over_time(data.decayed(), space_weather="bundled"),
    "lifetime_against_altitude": lambda: cj.plots.lifetime_against_altitude(
        [data.decayed(solar=solar) for solar in ("low", "median", "high")]
    ),
    "delta_v_against_altitude": lambda: cj.plots.delta_v_against_altitude(data.kept()),
    "satellites_in_view": lambda: cj.plots.satellites_in_view(data.shells(), by="satellite_shell"),
    "coverage_map": lambda: cj.plots.coverage_map(data.shells(), quantity="gap"),
    "crowding": lambda: cj.plots.crowding(data.decayed(40)),
    "encounter_rates": lambda: cj.plots.encounter_rates(data.rates()),
    "sky": lambda: cj.plots.sky(data.seen()),
    "convergence": lambda: cj.plots.convergence(data.tuned()),
    "pareto": lambda: cj.plots.pareto(data.tuned().sel(solar="high"), "duty_cycle_peak", "round_trip"),
    "predicted_against_observed": lambda: cj.plots.predicted_against_observed(
        data.decayed(), data.decayed()["reentry_date"].values + np.timedelta64(20, "D")
    ),
}


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """No figure is known to pyplot and no setting has changed, whatever was drawn."""
    before = dict(matplotlib.rcParams)
    yield
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()
    assert dict(matplotlib.rcParams) == before


def test_every_kind_has_its_function_and_its_drawing() -> None:
    assert set(DRAWINGS) == set(KINDS)


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_figure_is_drawn_with_labels_inside_its_edges(name: str) -> None:
    axes = DRAWINGS[name]()
    figure = axes.figure
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.draw_without_rendering()
    width = figure.get_size_inches()[0] * 25.4
    assert round(width) in (89, 183)
    labels = {text for each in figure.axes for text in (each.get_xlabel(), each.get_ylabel()) if text}
    assert len(labels) >= (1 if name == "sky" else 2)
    assert not [text for text in labels if "_" in text.replace("$_", "")]  # no names of the code
    box = figure.get_tightbbox()
    assert (box.min > -0.02).all()  # nothing is cut off, inches
    assert (box.max < figure.get_size_inches() + 0.02).all()
    if axes.get_legend() is not None:
        assert len(axes.get_legend().get_texts()) <= 9
    if name in EMPTIED:
        with pytest.raises(cj.InputError, match=rf"^{name}: nothing to draw: "):
            getattr(cj.plots, name)(EMPTIED[name]())


WITH_SATELLITES: dict[str, Callable[[], xr.Dataset]] = {
    "objects_in_orbit": data.population,
    "altitude_histogram": data.population,
    "inclination_against_altitude": data.population,
    "gabbard": data.population,
    "ground_track": data.shells,
    "track_density": data.shells,
    "shell_slots": data.shells,
    "launch_groups": data.history,
    "altitude_over_time": data.decayed,
    "lifetime_against_altitude": data.decayed,
    "satellites_in_view": data.shells,
    "coverage_map": data.shells,
    "crowding": data.decayed,
}
EMPTIED: dict[str, Callable[[], xr.Dataset]] = {
    name: lambda make=make: make().isel(satellite=[]) for name, make in WITH_SATELLITES.items()
} | {
    "delta_v_against_altitude": lambda: data.kept().isel(shell=[]),
    "encounter_rates": lambda: data.rates().isel(shell=[]),
    "convergence": lambda: data.tuned().isel(evaluation=[]),
}
"""Kind -> a dataset of it without anything to draw."""


def lightness(colour: np.ndarray) -> np.ndarray:
    """CIE L* of linear RGB."""
    y = colour @ [0.2126, 0.7152, 0.0722]
    return 116.0 * np.cbrt(np.maximum(y, 0.0089)) - 16.0


def lab(linear: np.ndarray) -> np.ndarray:
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(np.maximum(linear @ matrix.T / [0.9505, 1.0, 1.089], 0.0089)).T
    return np.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], axis=-1)


def test_neighbours_differ_in_grey_and_without_green_cones() -> None:
    """Deuteranopia by Machado et al. (2009), severity 1. A lightness of 2.3 is just noticeable; lines have dashes besides."""
    colours = list_colours()
    values = np.array([matplotlib.colors.to_rgb(colour) for colour in colours])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    deuteranope = np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    )
    seen = lab(np.clip(linear @ deuteranope.T, 0.0, 1.0))
    for order, least in ((range(5), 6.0), (_AREAS, 8.0)):
        pairs = np.array(list(order))
        assert np.abs(np.diff(lightness(linear[pairs]))).min() > least
        assert np.linalg.norm(np.diff(seen[pairs], axis=0), axis=1).min() > 20.0
    luminance = linear[:5] @ [0.2126, 0.7152, 0.0722]
    assert (1.05 / (luminance + 0.05)).min() > 2.95  # contrast of lines on white; WCAG asks for 3
    dashes = matplotlib.rc_params_from_file(str(cj.plots.STYLE), use_default_template=False)["axes.prop_cycle"].by_key()
    assert len(set(map(str, dashes["linestyle"]))) == len(colours)  # colour never stands alone


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def named_lines(axes: Axes) -> list[matplotlib.lines.Line2D]:
    return [line for line in axes.lines if not line.get_label().startswith("_")]


def note(axes: Axes) -> str:
    return axes.get_title(loc="right")


def test_altitude_histogram_counts_every_object_once() -> None:
    sky = data.population()
    axes = cj.plots.altitude_histogram(sky, bin_km=50.0, altitude_km=(300.0, 700.0), by="system")
    bars = [patch for patch in axes.patches if isinstance(patch, StepPatch)]
    counted = sum((bar.get_data().values - bar.get_data().baseline).sum() for bar in bars)
    altitude = sky["mean_altitude"].values[1]  # the first instant of those that failed at the first
    inside = (altitude >= 300.0) & (altitude < 700.0)
    assert counted == inside.sum()
    assert note(axes) == f"{(~inside).sum()} of {len(altitude)} outside"
    assert len(texts(axes)) == 8
    assert texts(axes)[-1].startswith("other (")
    alone = cj.plots.altitude_histogram(sky, bin_km=50.0, altitude_km=(300.0, 700.0))
    values, edges, _ = alone.patches[0].get_data()
    np.testing.assert_array_equal(values, np.histogram(altitude, edges)[0])
    assert (alone.get_xlabel(), alone.get_ylabel()) == ("mean altitude (km)", "satellites (in 50 km)")
    dense = cj.plots.altitude_histogram(sky, bin_km=50.0, altitude_km=(100.0, 40_000.0), density=True).patches[0]
    radius = np.array(dense.get_data().edges) + 6378.137
    total = (dense.get_data().values * 4 / 3 * np.pi * np.diff(radius**3)).sum()
    assert total == pytest.approx(len(altitude), rel=1e-6)  # the time spent adds up to one for each object
    with pytest.raises(cj.InputError, match="no 'sistem' to group by; known are system"):
        cj.plots.altitude_histogram(sky, by="sistem")
    with pytest.raises(cj.InputError, match="expected a width above 0"):
        cj.plots.altitude_histogram(sky, bin_km=0.0)
    with pytest.raises(cj.InputError, match=r"no 'mean_altitude'; a fitting file: constellation-jax propagate"):
        cj.plots.altitude_histogram(sky.drop_vars("mean_altitude"))
    with pytest.raises(cj.InputError, match=r"nothing to draw: no object of .* is at 10 to 20 km"):
        cj.plots.altitude_histogram(sky, altitude_km=(10.0, 20.0))


def test_objects_in_orbit_end_with_all_of_today() -> None:
    axes = cj.plots.objects_in_orbit(data.population(), by="source")
    top = max(collection.get_paths()[0].vertices[:, 1].max() for collection in axes.collections)
    assert top == data.population().sizes["satellite"]
    with pytest.raises(cj.InputError, match="no group 'Gamma'; known are Alpha, Beta"):
        cj.plots.objects_in_orbit(data.deployed(), mass_kg={"Gamma": 1.0})


def test_ground_track_is_broken_at_the_edge_and_lies_on_coasts() -> None:
    tracks = data.shells().isel(satellite=[0, 40, 100])
    axes = cj.plots.ground_track(tracks)
    for k, line in enumerate(named_lines(axes)):
        x, y = line.get_data()
        steps = np.diff(x)
        assert np.abs(steps[np.isfinite(steps)]).max() <= 180.0
        assert np.isin(tracks["longitude"][:, k], x).all()
        assert np.isin(tracks["latitude"][:, k], y).all()
    assert texts(axes) == tracks["name"].values.tolist()
    assert axes.get_legend() is not None
    assert len(axes.collections) == 1  # the coasts, once
    assert len(cj.plots.ground_track(tracks, axes=axes).collections) == 1
    many = cj.plots.ground_track(data.shells())
    assert many.get_legend() is None
    assert note(many) == "192 objects"
    with pytest.raises(cj.InputError, match=r"no 'longitude'; a fitting file: constellation-jax propagate"):
        cj.plots.ground_track(tracks.drop_vars("longitude"))
    one = cj.plots.ground_track(tracks.isel(satellite=0))
    assert np.isin(tracks["longitude"][:, 0], named_lines(one)[0].get_xdata()).all()


def test_coasts_cover_the_land_of_the_earth() -> None:
    """The shoelace sum on a cylinder of equal area: 149 million km2 with the ice, 0.5 % of which the scale of the map loses."""
    area = 0.0
    for ring in load_coastlines():
        x, y = np.clip(ring[:, 0], -180.0, 180.0), np.sin(np.radians(ring[:, 1]))
        area += 6371.0**2 * np.radians(1.0) * 0.5 * np.sum(x[1:] * y[:-1] - x[:-1] * y[1:])
    assert abs(area) == pytest.approx(147e6, rel=0.02)


def on_sphere(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    phi, lam = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)


def test_satellites_in_view_are_those_that_counting_finds() -> None:
    """Against counting at points of the sphere; 0.02 is what 180 points on a circle miss."""
    sky = data.shells()
    axes = cj.plots.satellites_in_view(sky, elevations_deg=(20.0,))
    x, y = axes.lines[0].get_data()
    radius = 6371.0 + sky["altitude"].values[..., None]
    satellites = radius * on_sphere(sky["latitude"].values, sky["longitude"].values)
    for place in (0.0, 45.0, -70.0):
        longitude = np.linspace(-180.0, 180.0, 181)[:-1]
        ground = 6371.0 * on_sphere(np.full_like(longitude, place), longitude)
        counted = 0
        for row in satellites:
            away = row[None] - ground[:, None]
            sine = (away * ground[:, None]).sum(-1) / np.linalg.norm(away, axis=-1) / 6371.0
            counted += (sine >= np.sin(np.radians(20.0))).sum() / len(ground)
        assert y[list(x).index(place)] == pytest.approx(counted / len(satellites), abs=0.02)
    with pytest.raises(cj.InputError, match="expected one to four"):
        cj.plots.satellites_in_view(sky, elevations_deg=(95.0,))


def test_altitude_over_time_ends_in_reentry_within_its_band() -> None:
    falls = data.decayed()
    axes = cj.plots.altitude_over_time(falls)
    dates, heights = named_lines(axes)[0].get_data()
    assert heights[-1] == 120.0
    assert dates[-1] == falls["reentry_date"][0]
    bands = [c for c in axes.collections if isinstance(c, PolyCollection)]
    bars = [c for c in axes.collections if isinstance(c, LineCollection)]
    assert len(bands) == 5
    assert len(bars) == 4  # none for what outlives the span
    fan = cj.plots.altitude_over_time(data.decayed(40))
    assert texts(fan) == ["median of 40 objects"]
    assert len({line.get_color() for line in fan.lines}) == 2  # grey ones and the median
    low, high = data.decayed(solar="low"), data.decayed(solar="high")
    assert len(cj.plots.altitude_over_time(falls, between=(low, high)).collections) == 5 + 4
    with pytest.raises(cj.InputError, match="other objects or another span"):
        cj.plots.altitude_over_time(falls, between=(low.isel(satellite=[0]), high))


def test_lifetimes_in_order_and_what_outlives_the_span_is_counted() -> None:
    axes = cj.plots.lifetime_against_altitude([data.decayed(solar="low"), data.decayed()])
    assert texts(axes) == ["low solar activity", "median solar activity"]
    x, y = named_lines(axes)[1].get_data()
    assert (np.diff(x) > 0).all()
    np.testing.assert_allclose(y * 365.25, data.decayed()["lifetime"])
    beyond = sum(int(np.isnan(d["lifetime"]).sum()) for d in (data.decayed(solar="low"), data.decayed()))
    assert note(axes) == f"{beyond} of 10 beyond the span"
    rules = [line.get_ydata()[0] for line in axes.lines if line.get_label().startswith("_")]
    assert rules == [5.0, 25.0]


def test_delta_v_in_order() -> None:
    axes = cj.plots.delta_v_against_altitude(data.kept())
    assert texts(axes) == [f"{word} solar activity" for word in ("low", "median", "high")]
    assert (np.diff(axes.lines[2].get_xdata()) > 0).all()
    np.testing.assert_array_equal(axes.lines[2].get_ydata(), data.kept()["delta_v"][2, ::-1])
    assert axes.get_ylabel() == "velocity increment (m s$^{-1}$ year$^{-1}$)"
    with pytest.raises(cj.InputError, match="no 'delta_v'; a fitting file: constellation-jax station-keeping"):
        cj.plots.delta_v_against_altitude(data.kept().drop_vars("delta_v"))


def test_predictions_of_any_size_are_inside_the_axes() -> None:
    axes = cj.plots.predicted_against_observed([0.3, 800.0], [0.4, 900.0], label="first")
    assert cj.plots.predicted_against_observed([30_000.0], [33_000.0], label="second", axes=axes) is axes
    points = [line.get_data() for line in axes.lines if line.get_linestyle() == "None"]
    assert [(x.tolist(), y.tolist()) for x, y in points] == [([0.4, 900.0], [0.3, 800.0]), ([33_000.0], [30_000.0])]
    for low, high in (axes.get_xlim(), axes.get_ylim()):
        assert low < 0.3
        assert high > 33_000.0
    assert texts(axes) == ["within 10 %", "first", "second"]
    with pytest.raises(cj.InputError, match="expected two of the same length"):
        cj.plots.predicted_against_observed([1.0, 2.0], [1.0])
    with pytest.raises(cj.InputError, match="none of 1 objects has a prediction and an observation"):
        cj.plots.predicted_against_observed([np.nan], [1.0])
    falls = data.decayed()
    drawn = cj.plots.predicted_against_observed(falls, falls["reentry_date"].values)
    x, y = next(line.get_data() for line in drawn.lines if line.get_linestyle() == "None")
    np.testing.assert_array_equal(x, y)
    assert note(drawn) == "1 of 5 without one of the two"


def test_no_point_of_the_front_is_beaten() -> None:
    high = data.tuned().sel(solar="high")
    axes = cj.plots.pareto(high, "duty_cycle_peak", "round_trip")
    assert texts(axes) == ["front", "beaten by another", "not converged", "start", "tuned"]
    x, y = axes.lines[0].get_data()
    assert x.tolist() == [0.05, 0.1, 0.2, 0.3, 0.4]
    assert (np.diff(y) < 0).all()
    assert axes.lines[1].get_xdata().tolist() == [0.25]
    assert axes.lines[2].get_xdata().tolist() == [0.35]
    assert note(axes) == "VLEO, high solar activity; 1 of 8 infeasible"
    more = cj.plots.pareto(high, "duty_cycle_peak", "round_trip", maximise=("round_trip",))
    assert more.lines[0].get_xdata().tolist() == [0.05]  # the most of one at the least of the other
    with pytest.raises(cj.InputError, match=r"no figure 'duty_cycle_peaks'; known are .*did you mean"):
        cj.plots.pareto(high, "duty_cycle_peaks", "round_trip")
    with pytest.raises(cj.InputError, match="'duty_cycle_peak' has several values along solar"):
        cj.plots.pareto(data.tuned(), "duty_cycle_peak", "round_trip")
    with pytest.raises(cj.InputError, match="its tuning problem has no sweep"):
        cj.plots.pareto(high.drop_dims("sweep"), "duty_cycle_peak", "round_trip")


def test_convergence_tells_what_misses_a_constraint() -> None:
    axes = cj.plots.convergence(data.tuned())
    assert texts(axes) == ["constraints met", "constraints missed"]
    assert [len(line.get_xdata()) for line in axes.lines] == [12, 8, 4]


def test_deployment_shows_its_target_and_says_what_it_has_not() -> None:
    axes = cj.plots.deployment_states(data.deployed())
    heights = [line.get_ydata()[0] for line in axes.lines if len(line.get_xdata()) == 2]
    assert heights == [324.0, 648.0]
    assert note(axes) == "bands: 5 to 95 % of 200 histories"
    with pytest.raises(cj.InputError, match="no system 'Gamma'; known are Alpha, Beta"):
        cj.plots.deployment_states(data.deployed(), system="Gamma")


def test_a_shell_stands_still_in_the_frame_that_turns_with_it() -> None:
    """The lattice at its epoch; two days later the same differences, as all its element sets turn alike."""
    shell = data.shells().isel(satellite=slice(0, 96))
    first, later = (
        np.ma.getdata(cj.plots.shell_slots(shell, at=date).collections[0].get_offsets())
        for date in ("2027-01-01", "2027-01-03")
    )
    np.testing.assert_allclose(np.unique(first[:, 1].round(6)), np.arange(0.0, 360.0, 45.0))
    turned = np.mod(later - first, 360.0)
    np.testing.assert_allclose(turned, np.broadcast_to(turned[0], turned.shape), atol=1e-6)


def test_encounters_between_many_shells_are_those_of_the_most() -> None:
    names = [f"S{k}" for k in range(40)]
    matrix = np.outer(np.arange(40.0), np.arange(40.0))
    many = xr.Dataset({"encounters_per_day": (("shell", "other"), matrix)}, {"shell": names, "other": names})
    axes = cj.plots.encounter_rates(many)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == names[10:]
    assert note(axes) == "10 of 40 shells with fewer encounters not shown"
    with pytest.raises(cj.InputError, match="all 1,600 rates are zero"):
        cj.plots.encounter_rates(0.0 * many)


def test_axes_that_are_given_keep_their_style() -> None:
    own = Figure().subplots()
    size = own.xaxis.label.get_size()
    assert cj.plots.altitude_histogram(data.population(), axes=own) is own
    assert own.xaxis.label.get_size() == size == 10.0


def test_without_matplotlib_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(
        cj.InputError, match=r"^plots: matplotlib is not installed; .*pip install 'constellation-jax\[plot\]'$"
    ):
        cj.plots.altitude_histogram(data.population())


def test_the_sky_of_a_site_has_its_passes_alone() -> None:
    axes = cj.plots.sky(data.seen())
    assert [line.get_linestyle() for line in axes.lines] == ["-", ":"]  # the third has not set
    theta, distance = axes.lines[0].get_data()
    assert distance.min() == pytest.approx(20.0)
    assert np.degrees(theta[[0, -1]]) % 360.0 == pytest.approx([250.0, 50.0])
    assert note(axes).startswith("2 passes")
    assert len(cj.plots.sky(data.seen(), visible=True).lines) == 1
    with pytest.raises(cj.InputError, match="no site 'Nowhere'; known are Home, Away"):
        cj.plots.sky(data.seen(), site="Nowhere")

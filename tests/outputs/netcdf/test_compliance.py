"""The file against the conventions that it claims: IOOS compliance-checker, CF 1.11 and ACDD 1.3, offline.

For CF there is no finding at all. What ACDD misses is listed below, each with its reason; anything else fails the test.
"""

import json
import warnings

import numpy as np
import pytest
import xarray as xr

from constellation_jax.inputs.catalog.dataset_columns import ELEMENT_COLUMNS
from constellation_jax.outputs.datasets.decay import make_decay_dataset
from constellation_jax.outputs.datasets.station_keeping import make_station_keeping_dataset
from constellation_jax.outputs.netcdf.ephemeris import IN_PIECES, Block, EphemerisWriter, Pieces
from constellation_jax.outputs.netcdf.samples import NetCDFWriter
from constellation_jax.outputs.netcdf.whole_file import write_dataset
from constellation_jax.outputs.variables import GROUPS, PROPAGATED, STATION_KEEPING, VARIABLES, resolve_groups
from constellation_jax.studies.deployment.deploy import deploy

ONLY_THE_USER_KNOWS = {
    f"{word} not present"
    for word in (
        "acknowledgment/acknowledgement",
        "comment",
        "creator_name",
        "creator_url",
        "creator_email",
        "institution",
        "license",  # element sets are third parties' data
        "project",
        "publisher_name",
        "publisher_url",
        "publisher_email",
    )
}
"""Who made the file, for whom, on what terms: given by `attributes`, not guessed."""

NO_MAP = {f"geospatial_bounds{word} not present" for word in ("", "_crs", "_vertical_crs")}
"""A polygon on the map says nothing about satellites that go round the Earth."""

NOT_COMPUTED = {
    *(f"geospatial_{word} not present" for word in ("lat_min", "lat_max", "lon_min", "lon_max")),
    *(f"geospatial_vertical_{word} not present" for word in ("min", "max", "positive")),
    "geospatial_lat_min/max attribute not found, CF-1.6 spec chapter 4.1",
    "geospatial_lon_min/max attribute not found, CF-1.6 spec chapter 4.1",
}
"""Where the satellites are over the Earth, in a file of positions and velocities alone."""

VERTICAL_AXIS = {
    "Could not find vertical variable to test extent of geospatial_vertical_min/geospatial_vertical_max, "
    "see CF-1.6 spec chapter 4.3"
}
"""The checker looks for an axis Z; altitude is a result here, of every satellite at every time, and no axis."""

NO_RESOLUTION = {"time_coverage_resolution not present"}
"""An ephemeris is continuous."""

LAST_START = "Date time mismatch between time_coverage_end and actual time values "
"""The checker compares the end of the coverage with the start of the last span and does not look at its bounds."""

NO_STANDARD_NAME = {name for name in PROPAGATED if not VARIABLES[name].standard_name} - {"status"}
"""CF has no standard names for these quantities. (The checker does not ask for one where there are flags.)"""


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (["position"], ONLY_THE_USER_KNOWS | NO_MAP | NOT_COMPUTED),
        (GROUPS, ONLY_THE_USER_KNOWS | NO_MAP | VERTICAL_AXIS),
    ],
)
def test_findings_are_the_known_ones(run, tmp_path, groups, expected):
    names = resolve_groups(groups)
    with NetCDFWriter(tmp_path / "a.nc", run.catalog, run.times, names, frame="itrs") as writer:
        writer.write(0, {name: run.arrays[name] for name in names})
    report = check(tmp_path / "a.nc", tmp_path / "report.json")

    for severity in ("high_priorities", "medium_priorities", "low_priorities"):
        assert findings(report["cf:1.11"][severity]) == set()
    assert findings(report["acdd:1.3"]["medium_priorities"]) == expected
    named = {
        group["name"].removeprefix("variable ").split('"')[1] for group in failed(report["acdd:1.3"]["high_priorities"])
    }
    assert findings(report["acdd:1.3"]["high_priorities"]) == {"standard_name"}
    assert named == NO_STANDARD_NAME.intersection(names) | {*ELEMENT_COLUMNS}


def test_findings_of_an_ephemeris_are_the_known_ones(run, tmp_path):
    edges = run.times[0] + np.arange(4) * np.timedelta64(2, "h")
    series = np.ones((3, 3, 5, len(run.catalog)), np.int32)
    status = np.zeros((3, len(run.catalog)), np.int8)
    status[1, 2] = IN_PIECES
    day = np.arange(2, dtype=np.int64)
    pieces = Pieces(day.astype(np.int32), day, day + 1, day.astype(np.int8), np.ones((3, 2, 5)))
    with EphemerisWriter(tmp_path / "a.nc", run.catalog, edges, degrees=5, quantum_km=2e-5, tolerance_m=1.0) as writer:
        writer.write(Block(series, status, pieces))
    report = check(tmp_path / "a.nc", tmp_path / "report.json")
    for severity in ("high_priorities", "medium_priorities", "low_priorities"):
        assert findings(report["cf:1.11"][severity]) == set()
    found = findings(report["acdd:1.3"]["medium_priorities"])
    assert {f for f in found if not f.startswith(LAST_START)} == (
        (ONLY_THE_USER_KNOWS - {"comment not present"}) | NO_MAP | NOT_COMPUTED | NO_RESOLUTION
    )
    assert findings(report["acdd:1.3"]["high_priorities"]) == {"standard_name"}


def check(path, report):
    """The report of the checker, as its JSON has it: checker -> severity -> groups of findings."""
    with warnings.catch_warnings():
        # The checker and what it imports warn about each other's deprecations; its findings are what counts here.
        warnings.simplefilter("ignore")
        from compliance_checker.runner import CheckSuite, ComplianceChecker

        CheckSuite.load_all_available_checkers()
        ComplianceChecker.run_checker(
            str(path), ["cf:1.11", "acdd:1.3"], 0, "strict", output_filename=str(report), output_format="json"
        )
    return json.loads(report.read_text())


def failed(groups):
    return [group for group in groups if group["value"][0] < group["value"][1]]


def findings(groups):
    return {message for group in failed(groups) for message in group["msgs"]}


def test_findings_on_a_deployment_are_the_known_ones(tmp_path):
    write_dataset(deploy("casic", draws=5), tmp_path / "a.nc")
    report = check(tmp_path / "a.nc", tmp_path / "report.json")
    for severity in ("high_priorities", "medium_priorities", "low_priorities"):
        assert findings(report["cf:1.11"][severity]) == set()
    assert findings(report["acdd:1.3"]["medium_priorities"]) - ONLY_THE_USER_KNOWS - NO_MAP - NOT_COMPUTED == set()
    assert findings(report["acdd:1.3"]["high_priorities"]) == {"standard_name"}  # CF has none for these counts


def test_findings_on_a_decay_are_the_known_ones_and_the_file_is_the_dataset(run, tmp_path):
    sizes = {"time": len(run.times), "satellite": len(run.catalog), "shell": 2, "percentile": 3}
    arrays = {}
    for name, variable in VARIABLES.items():
        of_decay = variable.content == "modelResult" and variable.group in ("", "decay", "lifetime")
        if of_decay and set(variable.dims) <= set(sizes):
            values = np.ones([sizes[dim] for dim in variable.dims], np.int8 if variable.flags else np.float64)
            arrays[name] = np.full(values.shape, run.times[0]) if "date" in name else values
    dataset = make_decay_dataset(
        run.catalog, run.times, arrays, shells=["Hülle", "other"], solar="low", percentiles=(5, 50, 95), attributes={}
    )
    write_dataset(dataset, tmp_path / "a.nc")
    assert_known(check(tmp_path / "a.nc", tmp_path / "report.json"), VERTICAL_AXIS)
    with xr.open_dataset(tmp_path / "a.nc") as read:
        xr.testing.assert_identical(read.load(), dataset)
    several = xr.concat([dataset, dataset.assign_coords(solar="high")], "solar")
    assert several.shell_lifetime.sel(solar="high", shell="other").item() == 1.0


def test_findings_on_station_keeping_are_the_known_ones_and_the_file_is_the_dataset(tmp_path):
    values = {name: np.arange(4.0).reshape(2, 2) for name in STATION_KEEPING}
    dataset = make_station_keeping_dataset(
        ["a", "b"], ["low", "high"], values,
        mean_altitude=np.array([500.0, 400.0]), ballistic_coefficient=np.array([0.01, 0.02]), attributes={},
    )  # fmt: skip
    write_dataset(dataset, tmp_path / "a.nc")
    no_time = {f"time_coverage_{word} not present" for word in ("start", "end", "duration")}
    assert_known(check(tmp_path / "a.nc", tmp_path / "report.json"), NO_RESOLUTION | no_time)
    with xr.open_dataset(tmp_path / "a.nc") as read:
        xr.testing.assert_identical(read.load(), dataset)
        assert read.delta_v.sel(solar="high", shell="a").item() == 2.0


def assert_known(report, others):
    for severity in ("high_priorities", "medium_priorities", "low_priorities"):
        assert findings(report["cf:1.11"][severity]) == set()
    assert (
        findings(report["acdd:1.3"]["medium_priorities"]) - ONLY_THE_USER_KNOWS - NO_MAP - NOT_COMPUTED - others
        == set()
    )
    assert findings(report["acdd:1.3"]["high_priorities"]) == {"standard_name"}

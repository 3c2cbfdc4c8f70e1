"""The table of variables and the groups that users name."""

import pytest

from constellation_jax.errors import InputError
from constellation_jax.outputs.variable import FRAMES, check_frame
from constellation_jax.outputs.variables import GROUPS, PROPAGATED, VARIABLES, resolve_groups
from constellation_jax.physics.sgp4.status import STATUS


def test_groups_are_those_that_users_name():
    assert GROUPS == ("position", "velocity", "altitude", "geodetic", "decay", "status", "lifetime")


@pytest.mark.parametrize(
    ("groups", "names"),
    [
        (["position"], ("x", "y", "z", "status")),
        ("decay", ("mean_altitude", "decay_rate", "status")),
        ([], ("status",)),
        (["status", "status"], ("status",)),
        (["geodetic", "altitude", "velocity"], ("vx", "vy", "vz", "altitude", "latitude", "longitude", "status")),
        (GROUPS, PROPAGATED),
    ],
)
def test_groups_resolve_in_the_order_of_the_table(groups, names):
    assert resolve_groups(groups) == names


def test_unknown_group_names_the_known_ones_and_the_nearest():
    with pytest.raises(InputError, match=r"'positon'.*known are position, velocity, .*did you mean 'position'\?"):
        resolve_groups(["altitude", "positon"])
    with pytest.raises(InputError, match=r"'zzz'.*known are") as caught:
        resolve_groups("zzz")
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("frame", FRAMES)
def test_positions_and_velocities_name_their_frame_and_nothing_else_does(frame):
    for name, variable in VARIABLES.items():
        attributes = variable.make_attributes(frame)
        if variable.group in ("position", "velocity"):
            assert attributes["frame"] == frame
            assert frame.upper() in attributes["long_name"]
            assert attributes["comment"] == FRAMES[frame]
        else:
            assert "frame" not in attributes, name


def test_every_result_has_units_or_flags_unless_it_is_a_date():
    for name, variable in VARIABLES.items():
        attributes = variable.make_attributes("teme")
        assert attributes["long_name"]
        assert not variable.dims or len(set(variable.dims)) == len(variable.dims)
        if (
            variable.content in ("modelResult", "qualityInformation")
            and "date" not in name
            and "units_metadata" not in variable.others  # of times: xarray writes their units
            and "unit" not in variable.comment
        ):
            assert ("units" in attributes) != ("flag_values" in attributes), name


def test_what_a_name_means_is_the_same_in_every_dataset():
    assert VARIABLES["altitude"].make_attributes()["standard_name"] == "height_above_reference_ellipsoid"
    assert "semi-major axis minus 6378.137 km" in VARIABLES["mean_altitude"].comment
    assert {v.units for name, v in VARIABLES.items() if "lifetime" in name and name != "lifetime_spread"} == {"day"}
    assert VARIABLES["lifetime_spread"].units == "1", "it is of the logarithm"
    assert VARIABLES["delta_v"].dims == ("solar", "shell")
    assert VARIABLES["shell_lifetime"].dims == ("shell",)


def test_attributes_can_be_added_and_dimensions_exchanged():
    dims, values, attributes = VARIABLES["mean_altitude"].as_xarray([500.0], ("shell",), comment="other")
    assert (dims, values, attributes["comment"], attributes["units"]) == (("shell",), [500.0], "other", "km")


def test_status_flags_are_the_table():
    attributes = VARIABLES["status"].make_attributes("teme")
    assert attributes["flag_values"].tolist() == list(STATUS)
    assert attributes["flag_values"].dtype == "int8"
    assert attributes["flag_meanings"].split() == [entry.name for entry in STATUS.values()]


def test_unknown_frame():
    with pytest.raises(InputError, match=r"'gcrs'.*known are teme, itrs"):
        check_frame("gcrs")

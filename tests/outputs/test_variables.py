"""The table of variables and the groups that users name."""

import pytest

from constellation_jax.errors import InputError
from constellation_jax.outputs.variables import FRAMES, GROUPS, VARIABLES, check_frame, resolve_groups
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
        (GROUPS, tuple(VARIABLES)),
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
        attributes = variable.attributes_in(frame)
        if variable.group in ("position", "velocity"):
            assert attributes["frame"] == frame
            assert frame.upper() in attributes["long_name"]
            assert attributes["comment"] == FRAMES[frame]
        else:
            assert "frame" not in attributes, name


def test_every_variable_says_its_unit_or_its_flags():
    for name, variable in VARIABLES.items():
        attributes = variable.attributes_in("teme")
        assert attributes["long_name"]
        assert ("units" in attributes) != ("flag_values" in attributes), name


def test_status_flags_are_the_table():
    attributes = VARIABLES["status"].attributes_in("teme")
    assert attributes["flag_values"].tolist() == list(STATUS)
    assert attributes["flag_values"].dtype == "int8"
    assert attributes["flag_meanings"].split() == [entry.name for entry in STATUS.values()]


def test_unknown_frame():
    with pytest.raises(InputError, match=r"'gcrs'.*known are teme, itrs"):
        check_frame("gcrs")

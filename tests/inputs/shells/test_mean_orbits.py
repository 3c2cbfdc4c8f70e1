"""Sun-synchronous inclinations, local times and frozen eccentricities against published values."""

import numpy as np

from constellation_jax.inputs.shells.mean_orbits import (
    frozen_eccentricity,
    mean_sun_right_ascension_deg,
    raan_of_local_time_deg,
    sun_synchronous_inclination_deg,
)


def test_sun_synchronous_inclination() -> None:
    # Landsat 8: 705 km, 98.2 degrees; Envisat: 800 km, 98.55 degrees (nominal orbits).
    inclination = sun_synchronous_inclination_deg(np.array([705.0, 800.0]), np.array([1e-4, 1e-4]))
    assert np.abs(inclination - [98.2, 98.55]).max() < 0.1


def test_mean_sun_against_sidereal_time() -> None:
    # Meeus (1998), Astronomical Algorithms, example 12.a: at 1987-04-10 0h UT the mean sidereal time at Greenwich is
    # 13h 10m 46.3668s = 197.693195 degrees; at 0h it is the right ascension of the mean Sun and 12 hours.
    # That Sun is shifted by aberration, 0.006 degrees.
    assert abs(mean_sun_right_ascension_deg(46895.0 - 51544.5) - (197.693195 - 180.0)) < 0.01


def test_no_inclination_is_sun_synchronous_far_out() -> None:
    assert np.isnan(sun_synchronous_inclination_deg(np.array([5900.0, 6100.0]), 0.0)).tolist() == [False, True]


def test_local_time_of_a_node() -> None:
    days = 9491.0
    noon = raan_of_local_time_deg(12.0, days)
    assert abs(float(noon) - mean_sun_right_ascension_deg(days)) < 1e-12
    np.testing.assert_allclose(np.mod(raan_of_local_time_deg([18.0, 6.0], days) - noon, 360.0), [90.0, 270.0])


def test_frozen_eccentricity() -> None:
    # ERS-2, phase A, a frozen orbit: semi-major axis 7159.496 km, 98.5421 degrees, e = 0.001165, perigee at 90 degrees
    # (http://www.deos.tudelft.nl/ers/phases/phase_2.html). J5 and the odd zonals after it, left out here, make a tenth.
    found = float(frozen_eccentricity(7159.496 - 6378.137, 98.5421))
    assert abs(found / 0.001165 - 1) < 0.12
    assert frozen_eccentricity(550.0, 0.0) == 0.0

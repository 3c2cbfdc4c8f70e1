"""Correction of NRLMSISE-00 under a quiet Sun: its size, its limits, its derivatives, and that the plain model has none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from constellation_jax.inputs.environment.atmosphere import load_atmosphere, load_provenance
from constellation_jax.physics.drag import atmosphere
from constellation_jax.physics.drag.quiet_sun import weight

conditions = jax.jit(atmosphere.conditions)


@jax.jit
def log_densities(table, f107, ap, year, altitude):
    at = atmosphere.conditions(table, f107, f107, ap, 80.5, year)
    return jnp.log(atmosphere.orbit_mean_density(at, altitude, 0.9, 1.0))


def correction(f107: float, ap: float, year: float, altitude) -> np.ndarray:
    """Change of ln(density) at altitudes of any shape."""
    corrected, plain = (load_atmosphere(model) for model in ("nrlmsise00-calibrated", "nrlmsise00"))
    return np.asarray(
        log_densities(corrected, f107, ap, year, altitude) - log_densities(plain, f107, ap, year, altitude)
    )


def test_size_by_altitude_and_activity() -> None:
    size = load_provenance()["at_400_km"][0]
    heights = np.array([120.0, 200.0, 300.0, 400.0, 500.0, 600.0, 850.0, 2000.0])
    quiet = correction(70.0, 5.0, 2020.0, heights)
    assert quiet[3] == pytest.approx(size * np.exp(-0.5) / (1.0 + np.exp(-2.0)), rel=1e-4)
    assert heights[np.argmin(quiet)] == 500.0
    assert (quiet < 0.0).all()
    # a quarter to a third less at 400 km in the minima of 2008 and 2019; a half of that in the logarithm at 200 and 850 km
    assert 0.25 < 1.0 - np.exp(correction(69.0, 7.0, 2019.0, 400.0)) < 0.35
    np.testing.assert_allclose(quiet[[1, 6]] / quiet[3], 0.44, atol=0.02)
    # coefficients keep their meaning: at F10.7 = 110 the correction at 400 km is below a thousandth
    assert abs(correction(110.0, 5.0, 2020.0, 400.0)) < 2e-3
    assert abs(correction(140.0, 15.0, 2020.0, 400.0)) < 1e-5


def test_earlier_minima_deviate_less() -> None:
    """Density at 400 km fell by 36 % from 1996.4 to 2008.8 (Emmert et al. 2014); yearly means of F10.7, F10.7A and Ap."""
    corrected = load_atmosphere()
    change = log_densities(corrected, 68.3, 5.6, 2008.8, 400.0) - log_densities(corrected, 71.5, 9.6, 1996.4, 400.0)
    assert np.exp(float(change)) - 1.0 == pytest.approx(-0.36, abs=0.03)
    assert correction(70.0, 5.0, 1976.0, 400.0) == pytest.approx(0.6 * correction(70.0, 5.0, 2030.0, 400.0), rel=1e-3)


def test_weight_is_bounded_and_falls_with_activity() -> None:
    flux, ap, year = np.meshgrid(np.linspace(0.0, 400.0, 81), np.linspace(-1.0, 400.0, 50), [1957.0, 2002.0, 2100.0])
    found = np.asarray(weight(flux, ap, year))
    assert (found >= 0.0).all()
    assert (found <= 1.0).all()
    assert (np.diff(found, axis=1) <= 0.0).all()  # with F10.7A
    assert (np.diff(found, axis=0) <= 0.0).all()  # with Ap
    # at the edges of the table, 60 and 290: no less than two fifths of NRLMSISE-00 anywhere, and NRLMSISE-00 itself
    heights = np.linspace(100.0, 2000.0, 96)
    assert np.exp(correction(60.0, 0.0, 2050.0, heights)).min() > 0.4
    assert np.abs(correction(290.0, 0.0, 2050.0, heights)).max() < 1e-9


def test_derivatives_against_differences() -> None:
    slopes = jax.jit(jax.grad(log_densities, argnums=(1, 2, 3, 4)))
    for at in ([76.0, 6.0, 2003.0, 430.0], [66.0, 3.0, 2019.0, 250.0], [0.0, -1.0, 1900.0, 600.0]):
        found = np.array(slopes(load_atmosphere(), *at))
        assert np.isfinite(found).all()
        if at[0] > 60.0:  # below the table the value of its edge holds, and the correction goes on
            ends = [[log_densities(load_atmosphere(), *(at + s * e)) for s in (1.0, -1.0)] for e in 1e-3 * np.eye(4)]
            np.testing.assert_allclose(found, [(a - b) / 2e-3 for a, b in ends], rtol=1e-6, atol=1e-9)


def test_the_plain_model_has_none() -> None:
    """To the bit, whatever the year."""
    plain = load_atmosphere("nrlmsise00")
    assert not np.any(plain.quiet_sun)
    before, now = (conditions(plain, 68.0, 68.0, 3.0, 100.0, year).coefficients for year in (1960.0, 2030.0))
    assert (np.asarray(before) == np.asarray(now)).all()
    assert (
        np.asarray(before[1:]) == np.asarray(conditions(load_atmosphere(), 68.0, 68.0, 3.0, 100.0).coefficients[1:])
    ).all()

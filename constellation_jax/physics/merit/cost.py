"""What a shell takes to be put up and kept up: satellites, mass at launch, launches and replacements.

Only operators and functions of JAX, element by element: every argument is a number or an array, shapes broadcast, and counts may
be fractions, so that an optimiser can move them. Money is deliberately absent: no price of a satellite or a launch is public
enough to be shipped.
"""

import math
from typing import Final, NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from constellation_jax.physics.constants import MU, STANDARD_GRAVITY, WGS84_EQUATORIAL_RADIUS_KM

_LEAST_DELTA_V: Final = 1.0
"""m/s within which the corner of |velocity increment| at equal altitudes is rounded."""


def raising_delta_v(from_km: ArrayLike, to_km: ArrayLike) -> Array:
    """Velocity increment of a slow spiral between two circular orbits of one plane, up or down, m/s.

    The difference of the two speeds (Edelbaum, ARS Journal 31, 1079, 1961, without change of plane); below some metres a second
    rounded, so that it is smooth at equal altitudes and zero there. Drag on the way is not in it.

    Args:
        from_km, to_km: mean altitudes, semi-major axis minus 6378.137 km.
    """
    lower, upper = (jnp.sqrt(MU / (jnp.asarray(h) + WGS84_EQUATORIAL_RADIUS_KM)) * 1000.0 for h in (from_km, to_km))
    difference = lower - upper
    return jnp.sqrt(difference * difference + _LEAST_DELTA_V**2) - _LEAST_DELTA_V


def launch_mass_kg(
    mass_kg: ArrayLike, altitude_km: ArrayLike, injection_altitude_km: ArrayLike, specific_impulse_s: ArrayLike
) -> Array:
    """Mass of one satellite at launch: what arrives in the shell and the propellant that takes it there, kg.

    Args:
        mass_kg: on arrival, with the propellant for the mission.
        altitude_km, injection_altitude_km: of the shell, and where the vehicle leaves it.
        specific_impulse_s: of the thruster that raises it, s.

    Reference: Tsiolkovsky's rocket equation.
    """
    delta_v = raising_delta_v(injection_altitude_km, altitude_km)
    return jnp.asarray(mass_kg) * jnp.exp(delta_v / (jnp.asarray(specific_impulse_s) * STANDARD_GRAVITY))


def launches_needed(
    satellites: ArrayLike, mass_kg: ArrayLike, payload_kg: ArrayLike, most_satellites: ArrayLike = math.inf
) -> Array:
    """Launches that carry some satellites, a fraction that the last one is not filled up to.

    The one of mass and room decides that asks for more: where they are equal the derivative jumps.

    Args:
        satellites: how many.
        mass_kg: of one at launch, kg (`launch_mass_kg`).
        payload_kg: what a vehicle carries to the altitude of injection, kg.
        most_satellites: what there is room for on one launch.
    """
    by_mass = jnp.asarray(mass_kg) / payload_kg
    by_room = 1.0 / jnp.asarray(most_satellites, by_mass.dtype)
    return jnp.asarray(satellites) * jnp.maximum(by_mass, by_room)


def replacements_per_year(
    satellites: ArrayLike,
    design_life_years: ArrayLike,
    failures_per_year: ArrayLike = 0.0,
    *,
    lost_before_service: ArrayLike = 0.0,
) -> Array:
    """Satellites to be launched each year to keep a shell full in the long run.

    Each serves until it fails, at a constant rate, or until the end of its design life: for (1 - exp(-f T)) / f years on average.

    Args:
        satellites: in the shell.
        design_life_years: T, the time after which a satellite is retired.
        failures_per_year: f, the share of the satellites that fail in a year.
        lost_before_service: share of those launched that never serve (launch failures, dead on arrival), below 1.

    Reference: age replacement in renewal theory, Barlow & Proschan, Mathematical Theory of Reliability (1965).
    """
    x = jnp.asarray(failures_per_year) * jnp.asarray(design_life_years)
    # (1 - exp(-x)) / x by its series where the quotient, and the derivative of it, would be 0 / 0
    small = jnp.abs(x) < 1e-3
    away = jnp.where(small, 1.0, x)
    served = jnp.where(small, 1.0 - x * (0.5 - x * (1.0 / 6.0 - x * (1.0 / 24.0))), -jnp.expm1(-away) / away)
    served_years = jnp.asarray(design_life_years) * served
    return jnp.asarray(satellites) / (served_years * (1.0 - jnp.asarray(lost_before_service)))


class Launcher(NamedTuple):
    """What one launch carries. `constellation_jax.launcher` takes it from the list of vehicles."""

    payload_kg: ArrayLike
    """To the altitude of injection."""
    most_satellites: ArrayLike = math.inf
    """What there is room for; inf where mass alone decides."""


class ShellCost(NamedTuple):
    """What shells take, shape (shells,) or a number; the sum over shells is that of a constellation."""

    satellites: Array
    mass_kg: Array
    """Of all satellites on arrival."""
    launch_mass_kg: Array
    """Of one satellite at launch."""
    launches: Array
    """For the first filling, a fraction (round up for a plan)."""
    replacements_per_year: Array
    """Satellites to be launched each year in the long run."""
    launches_per_year: Array
    """For those."""


def shell_cost(
    launcher: Launcher,
    altitude_km: ArrayLike,
    planes: ArrayLike,
    satellites_per_plane: ArrayLike,
    *,
    mass_kg: ArrayLike,
    specific_impulse_s: ArrayLike,
    injection_altitude_km: ArrayLike = 300.0,
    design_life_years: ArrayLike = 5.0,
    failures_per_year: ArrayLike = 0.0,
    lost_before_service: ArrayLike = 0.0,
) -> ShellCost:
    """Satellites, mass, launches and replacements of shells.

    Args:
        launcher: what carries the satellites to the altitude of injection; from there they rise with their own thrusters.
        altitude_km, planes, satellites_per_plane: of the shells, numbers or shape (shells,); counts may be fractions.
        mass_kg: of one satellite on arrival, with its propellant for the mission.
        specific_impulse_s: of the thruster that raises it.
        injection_altitude_km: where the vehicle leaves it.
        design_life_years, failures_per_year, lost_before_service: as `replacements_per_year`; what is lost is also launched at
            the first filling.
    """
    satellites = jnp.asarray(planes) * jnp.asarray(satellites_per_plane)
    at_launch = launch_mass_kg(mass_kg, altitude_km, injection_altitude_km, specific_impulse_s)
    yearly = replacements_per_year(
        satellites, design_life_years, failures_per_year, lost_before_service=lost_before_service
    )
    filling = satellites / (1.0 - jnp.asarray(lost_before_service))
    return ShellCost(
        satellites,
        satellites * jnp.asarray(mass_kg),
        at_launch,
        launches_needed(filling, at_launch, *launcher),
        yearly,
        launches_needed(yearly, at_launch, *launcher),
    )

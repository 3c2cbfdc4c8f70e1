"""Costs of filling a shell and of keeping it full: satellites, mass at launch, launches and replacements.

Only operators and functions of JAX, element by element: shapes broadcast, and counts may be fractions, so that an optimiser can
move them. Money is deliberately absent: no price of a satellite or a launch is public enough to be shipped.
"""

import math
from typing import Final, NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from constellation_jax.physics.constants import MU, STANDARD_GRAVITY, WGS84_EQUATORIAL_RADIUS_KM
from constellation_jax.physics.merit.shells import Shells, broadcast, numbers

_LEAST_DELTA_V: Final = 1.0
"""Velocity, m/s, within which the corner of |velocity increment| at equal altitudes is rounded."""


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


def launch_mass_kg(shells: Shells, injection_altitude_km: ArrayLike = 300.0) -> Array:
    """Mass of one satellite at launch: its mass in the shell and the propellant that takes it there, kg.

    Args:
        shells: with mass and specific impulse of their satellites, the mass with the propellant for the mission.
        injection_altitude_km: altitude at which the vehicle leaves it.

    Reference: Tsiolkovsky's rocket equation.
    """
    wanted = ("spacecraft.mass_kg", "orbit.altitude_km", "spacecraft.specific_impulse_s")
    mass, altitude, impulse, injection = broadcast(*numbers(shells, *wanted), injection_altitude_km)
    return mass * jnp.exp(raising_delta_v(injection, altitude) / (impulse * STANDARD_GRAVITY))


def launches_needed(
    satellites: ArrayLike, mass_kg: ArrayLike, payload_kg: ArrayLike, most_satellites: ArrayLike = math.inf
) -> Array:
    """Launches that carry some satellites; a fraction, where the last one is not full.

    Mass or room decides, whichever asks for more launches; the derivative jumps where both ask for equally many.

    Args:
        satellites: how many.
        mass_kg: of one at launch, kg (`launch_mass_kg`).
        payload_kg: payload of a vehicle to the altitude of injection, kg.
        most_satellites: places on one launch.
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


class ShellCost(NamedTuple):
    """Costs of shells, of their shape; the sum over shells is that of a constellation."""

    satellites: Array
    mass_kg: Array
    """Mass of all satellites on arrival."""
    launch_mass_kg: Array
    """Mass of one satellite at launch."""
    launches: Array
    """Launches of the first filling, a fraction (round up for a plan)."""
    replacements_per_year: Array
    """Satellites to be launched each year in the long run."""
    launches_per_year: Array
    """Launches of the replacements."""


def shell_cost(
    shells: Shells,
    launcher: tuple[ArrayLike, ArrayLike],
    *,
    injection_altitude_km: ArrayLike = 300.0,
    failures_per_year: ArrayLike = 0.0,
    lost_before_service: ArrayLike = 0.0,
) -> ShellCost:
    """Satellites, mass, launches and replacements of shells.

    Args:
        shells: with mass, specific impulse and design life of their satellites; counts may be fractions.
        launcher: payload to the altitude of injection, kg, and places on one launch, such as `Launcher.of_vehicle` gives; from
            there satellites rise with their own thrusters.
        injection_altitude_km: altitude at which the vehicle leaves them.
        failures_per_year, lost_before_service: as `replacements_per_year`; the lost are also launched at the first filling.
    """
    satellites, mass, life = broadcast(*numbers(shells, "total", "spacecraft.mass_kg", "spacecraft.design_life_years"))
    at_launch = launch_mass_kg(shells, injection_altitude_km)
    yearly = replacements_per_year(satellites, life, failures_per_year, lost_before_service=lost_before_service)
    filling = satellites / (1.0 - jnp.asarray(lost_before_service))
    return ShellCost(
        satellites,
        satellites * mass,
        at_launch,
        launches_needed(filling, at_launch, *launcher),
        yearly,
        launches_needed(yearly, at_launch, *launcher),
    )

"""What drag costs a satellite that keeps its altitude: velocity increments, propellant and the time that its thruster works.

Thrust works along the track against the mean drag: da/dt by drag, made good at 2 a / v km for each km/s. Drag is a force, so the
propellant it costs does not depend on how much is left, where the ballistic coefficient and the mass are those of one instant.

Only operators, element by element: every argument is a number or an array, of NumPy on the host or of JAX, and shapes broadcast.
"""

from typing import Any

from constellation_jax.physics.constants import (
    MU,
    SECONDS_PER_DAY,
    STANDARD_GRAVITY,
    WGS84_EQUATORIAL_RADIUS_KM,
    YEAR_DAYS,
)


def delta_v_rate(altitude_km: Any, decay_rate: Any) -> Any:
    """Velocity increment that makes a decay good, m/s per day.

    Args:
        altitude_km: mean semi-major axis minus 6378.137 km.
        decay_rate: of the semi-major axis, km/day, below zero.
    """
    a = altitude_km + WGS84_EQUATORIAL_RADIUS_KM
    return -decay_rate * (MU / a) ** 0.5 / (2.0 * a) * 1000.0


def propellant_kg(delta_v_m_s: Any, mass_kg: Any, specific_impulse_s: Any) -> Any:
    """Propellant that makes drag good, kg; in the unit of time of the velocity increment.

    Args:
        delta_v_m_s: velocity increment against drag of a satellite of that mass, m/s.
        mass_kg: of one satellite at the beginning, for which the ballistic coefficient holds.
        specific_impulse_s: s.
    """
    return delta_v_m_s * mass_kg / (specific_impulse_s * STANDARD_GRAVITY)


def duty_cycle(delta_v_per_year: Any, mass_kg: Any, thrust_mn: Any) -> Any:
    """Fraction of the time that a thruster works to hold the altitude; above 1 it cannot.

    Args:
        delta_v_per_year: m/s.
        mass_kg: of one satellite.
        thrust_mn: mN.
    """
    return delta_v_per_year * mass_kg / (thrust_mn * (1e-3 * SECONDS_PER_DAY * YEAR_DAYS))


def thruster_margin(delta_v_per_year: Any, mass_kg: Any, thrust_mn: Any) -> Any:
    """Thrust over drag: how many times the drag the thruster, always on, can hold. Below 1 the altitude is lost.

    Args:
        delta_v_per_year: at the rate of the time that matters, the worst one as a rule, m/s.
        mass_kg, thrust_mn: as `duty_cycle`.
    """
    return 1.0 / duty_cycle(delta_v_per_year, mass_kg, thrust_mn)

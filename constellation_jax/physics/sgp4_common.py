"""What SGP4 and SDP4 share: the coefficients made once from an element set, and the way from mean orbit to position.

Variable names inside the functions are those of Vallado's sgp4unit, so that the lines can be read against the paper.

Reference: Hoots & Roehrich, Spacetrack Report 3 (1980), section 6; Vallado, Crawford, Hujsak & Kelso, "Revisiting Spacetrack
Report #3", AIAA 2006-6753 (2006), functions initl, sgp4init and sgp4.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from constellation_jax.physics import kepler
from constellation_jax.physics.brouwer import kozai_to_brouwer
from constellation_jax.physics.constants import MINUTES_PER_DAY, WGS84_EQUATORIAL_RADIUS_KM, GravityModel
from constellation_jax.physics.elements import Elements
from constellation_jax.physics.fastmath import sincos, turn

ECCENTRICITY_FLOOR = 1e-6
"""SGP4 never lets the mean eccentricity of a running orbit fall below this."""


class Orbit(NamedTuple):
    """State of one satellite at one instant. TEME; where `status` is not 0 the numbers are finite but mean nothing."""

    x: Array  # km
    y: Array
    z: Array
    vx: Array  # km/s
    vy: Array
    vz: Array
    mean_altitude: Array
    """Mean semi-major axis minus 6378.137 km, km."""
    decay_rate: Array
    """Time derivative of the mean semi-major axis, km/day."""
    status: Array
    """Key of `status.STATUS`, int32."""


class Epoch(NamedTuple):
    """Quantities at the epoch of an element set, in Vallado's names; rad, minutes and Earth radii."""

    no: Array
    ao: Array
    cosio: Array
    sinio: Array
    con41: Array
    eta: Array
    delmo: Array
    sinmao: Array
    cc1: Array
    cc4: Array
    cc5: Array
    mdot: Array
    argpdot: Array
    nodedot: Array
    nodecf: Array
    t2cof: Array
    omgcof: Array
    xmcof: Array
    tsi: Array
    sfour: Array
    perigee: Array


def at_epoch(elements: Elements, gravity: GravityModel) -> Epoch:
    """Secular rates and drag coefficients of one element set (functions initl and the first half of sgp4init)."""
    radius, j2, j4, j3oj2 = gravity.equatorial_radius_km, gravity.j2, gravity.j4, gravity.j3_over_j2
    ecco, bstar = jnp.asarray(elements.eccentricity), jnp.asarray(elements.bstar)
    sinio, cosio = sincos(jnp.asarray(elements.inclination))
    cosio2 = cosio * cosio
    no, ao = kozai_to_brouwer(jnp.asarray(elements.mean_motion), ecco, cosio, gravity)
    con42 = 1.0 - 5.0 * cosio2
    con41 = 3.0 * cosio2 - 1.0
    omeosq = 1.0 - ecco * ecco
    rteosq = jnp.sqrt(omeosq)
    pinvsq = 1.0 / ((ao * omeosq) * (ao * omeosq))

    # atmosphere: s and (q - s)^4 change below perigees of 156 and 98 km
    perigee = (ao * (1.0 - ecco) - 1.0) * radius
    s_km = jnp.where(perigee < 98.0, 20.0, jnp.where(perigee < 156.0, perigee - 78.0, 78.0))
    sfour = s_km / radius + 1.0
    qzms24 = ((120.0 - s_km) / radius) ** 4
    tsi = 1.0 / (ao - sfour)
    eta = ao * ecco * tsi
    etasq = eta * eta
    eeta = ecco * eta
    psisq = jnp.abs(1.0 - etasq)
    coef = qzms24 * tsi**4
    coef1 = coef / (psisq**3 * jnp.sqrt(psisq))
    cc2 = coef1 * no * (
        ao * (1.0 + 1.5 * etasq + eeta * (4.0 + etasq))
        + 0.375 * j2 * tsi / psisq * con41 * (8.0 + 3.0 * etasq * (8.0 + etasq))
    )  # fmt: skip
    cc1 = bstar * cc2
    x1mth2 = 1.0 - cosio2
    sin_argpo, cos_argpo = sincos(jnp.asarray(elements.arg_perigee))
    cos_2argpo = 1.0 - 2.0 * sin_argpo * sin_argpo
    cc4 = 2.0 * no * coef1 * ao * omeosq * (
        eta * (2.0 + 0.5 * etasq) + ecco * (0.5 + 2.0 * etasq)
        - j2 * tsi / (ao * psisq) * (
            -3.0 * con41 * (1.0 - 2.0 * eeta + etasq * (1.5 - 0.5 * eeta))
            + 0.75 * x1mth2 * (2.0 * etasq - eeta * (1.0 + etasq)) * cos_2argpo
        )
    )  # fmt: skip
    cc5 = 2.0 * coef1 * ao * omeosq * (1.0 + 2.75 * (etasq + eeta) + eeta * etasq)

    # secular rates of the zonal harmonics
    cosio4 = cosio2 * cosio2
    temp1 = 1.5 * j2 * pinvsq * no
    temp2 = 0.5 * temp1 * j2 * pinvsq
    temp3 = -0.46875 * j4 * pinvsq * pinvsq * no
    mdot = (
        no + 0.5 * temp1 * rteosq * con41
        + 0.0625 * temp2 * rteosq * (13.0 - 78.0 * cosio2 + 137.0 * cosio4)
    )  # fmt: skip
    argpdot = (
        -0.5 * temp1 * con42
        + 0.0625 * temp2 * (7.0 - 114.0 * cosio2 + 395.0 * cosio4)
        + temp3 * (3.0 - 36.0 * cosio2 + 49.0 * cosio4)
    )
    xhdot1 = -temp1 * cosio
    nodedot = xhdot1 + (0.5 * temp2 * (4.0 - 19.0 * cosio2) + 2.0 * temp3 * (3.0 - 7.0 * cosio2)) * cosio

    # Terms in 1/e: SGP4 drops them for e <= 1e-4. The divisor is replaced before the division, so that value and gradient are
    # finite at e = 0 (a mask after the division would give NaN gradients there).
    eccentric = ecco > 1.0e-4
    e_safe = jnp.where(eccentric, ecco, 1.0)
    eeta_safe = jnp.where(eccentric, eeta, 1.0)
    cc3 = jnp.where(eccentric, -2.0 * coef * tsi * j3oj2 * no * sinio / e_safe, 0.0)
    xmcof = jnp.where(eccentric, -2.0 / 3.0 * coef * bstar / eeta_safe, 0.0)
    sinmao, cosmao = sincos(jnp.asarray(elements.mean_anomaly))
    return Epoch(
        no=no, ao=ao, cosio=cosio, sinio=sinio, con41=con41, eta=eta, delmo=(1.0 + eta * cosmao) ** 3, sinmao=sinmao,
        cc1=cc1, cc4=cc4, cc5=cc5, mdot=mdot, argpdot=argpdot, nodedot=nodedot, nodecf=3.5 * omeosq * xhdot1 * cc1,
        t2cof=1.5 * cc1, omgcof=bstar * cc3 * cos_argpo, xmcof=xmcof, tsi=tsi, sfour=sfour, perigee=perigee,
    )  # fmt: skip


def long_period_coefficients(sini: Array, cosi: Array, gravity: GravityModel) -> tuple[Array, Array]:
    """Factors (aycof, xlcof) of the long-period terms of J3."""
    aycof = -0.5 * gravity.j3_over_j2 * sini
    # 1 + cos i vanishes at i = 180 deg: SGP4 puts 1.5e-12 there
    denominator = 1.0 + cosi
    denominator = jnp.where(jnp.abs(denominator) > 1.5e-12, denominator, 1.5e-12)
    return aycof, -0.25 * gravity.j3_over_j2 * sini * (3.0 + 5.0 * cosi) / denominator


def position_and_velocity(
    root_a: Array,
    eccentricity: Array,
    arg_perigee: Array,
    mean_argument: Array,
    raan: Array,
    sini: Array,
    cosi: Array,
    long_period: tuple[Array, Array],
    gravity: GravityModel,
    small_eccentricity: bool,
) -> tuple[Array, Array, Array, Array, Array, Array, Array, Array]:
    """From a mean orbit to x, y, z (km), vx, vy, vz (km/s), and whether the semi-latus rectum is negative and r is below one.

    Args:
        root_a: square root of the mean semi-major axis, Earth radii^0.5, positive.
        eccentricity: 0 < e < 1.
        arg_perigee, raan: rad.
        mean_argument: M + omega, rad.
        sini, cosi: of the inclination.
        long_period: (aycof, xlcof).
        small_eccentricity: static; True where the eccentricity stays below `kepler.SMALL_ECCENTRICITY`.
    """
    am, inv_root = root_a * root_a, 1.0 / root_a
    inv_a = inv_root * inv_root
    aycof, xlcof = long_period
    sin_argp, cos_argp = sincos(arg_perigee)
    temp = inv_a / (1.0 - eccentricity * eccentricity)
    axnl = eccentricity * cos_argp
    aynl = eccentricity * sin_argp + temp * aycof
    u = mean_argument + temp * xlcof * axnl
    sineo1, coseo1 = kepler.solve(u, axnl, aynl, small_eccentricity)

    ecose = axnl * coseo1 + aynl * sineo1
    esine = axnl * sineo1 - aynl * coseo1
    el2 = axnl * axnl + aynl * aynl
    # el2 reaches one only where the orbit has failed (status 4); the floor keeps value and gradient of the root finite there
    one_minus_el2 = jnp.maximum(1.0 - el2, 1e-9)
    betal = jnp.sqrt(one_minus_el2)
    q = 1.0 / jnp.maximum(1.0 - ecose, 1e-9)
    rl = am * (1.0 - ecose)
    inv_rl = inv_a * q
    rdotl = root_a * esine * inv_rl
    rvdotl = root_a * betal * inv_rl
    temp = esine / (1.0 + betal)
    sinu = q * (sineo1 - aynl - axnl * temp)
    cosu = q * (coseo1 - axnl + aynl * temp)
    sin2u = 2.0 * sinu * cosu
    cos2u = 1.0 - 2.0 * sinu * sinu

    # short-period terms of J2: angles of some 1e-3 rad, by which sines and cosines are turned instead of computed again; only an
    # eccentric orbit with its perigee deep in the Earth makes them large
    temp = inv_a / one_minus_el2
    temp1 = 0.5 * gravity.j2 * temp
    temp2 = temp1 * temp
    cosi2 = cosi * cosi
    con41, x1mth2, x7thm1 = 3.0 * cosi2 - 1.0, 1.0 - cosi2, 7.0 * cosi2 - 1.0
    mrt = rl * (1.0 - 1.5 * temp2 * betal * con41) + 0.5 * temp1 * x1mth2 * cos2u
    sinsu, cossu = turn(sinu, cosu, -0.25 * temp2 * x7thm1 * sin2u, small=small_eccentricity)
    snod, cnod = turn(*sincos(raan), 1.5 * temp2 * cosi * sin2u, small=small_eccentricity)
    sini, cosi = turn(sini, cosi, 1.5 * temp2 * cosi * sini * cos2u, small=small_eccentricity)
    rate = inv_a * inv_root * temp1  # nm temp1 / xke
    mvt = rdotl - rate * x1mth2 * sin2u
    rvdot = rvdotl + rate * (x1mth2 * cos2u + 1.5 * con41)

    xmx, xmy = -snod * cosi, cnod * cosi
    ux, uy, uz = xmx * sinsu + cnod * cossu, xmy * sinsu + snod * cossu, sini * sinsu
    vx, vy, vz = xmx * cossu - cnod * sinsu, xmy * cossu - snod * sinsu, sini * cossu
    km, km_s = mrt * gravity.equatorial_radius_km, gravity.velocity_unit_km_s
    return (
        km * ux, km * uy, km * uz,
        km_s * (mvt * ux + rvdot * vx), km_s * (mvt * uy + rvdot * vy), km_s * (mvt * uz + rvdot * vz),
        el2 > 1.0, mrt < 1.0,
    )  # fmt: skip


def mean_altitude_and_decay_rate(root_a: Array, root_a_rate: Array, gravity: GravityModel) -> tuple[Array, Array]:
    """Mean semi-major axis minus 6378.137 km, and its rate in km/day, from sqrt(a) in Earth radii^0.5 and its rate per minute."""
    radius = gravity.equatorial_radius_km
    # Earth radii differ by 2 m between the models: the altitude counts from WGS-84 whatever the gravity model
    return root_a * root_a * radius - WGS84_EQUATORIAL_RADIUS_KM, 2.0 * root_a * root_a_rate * (
        radius * MINUTES_PER_DAY
    )

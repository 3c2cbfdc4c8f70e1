"""Common parts of SGP4 and SDP4: quantities at the epoch of an element set, and position and velocity from a mean orbit.

Variable names inside the functions are those of Vallado's sgp4unit, so that the lines can be read against the paper.

Reference: Hoots & Roehrich, Spacetrack Report 3 (1980), section 6; Vallado, Crawford, Hujsak & Kelso, "Revisiting Spacetrack
Report #3", AIAA 2006-6753 (2006), functions initl, sgp4init and sgp4.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from constellation_jax.physics.constants import MINUTES_PER_DAY, WGS84_EQUATORIAL_RADIUS_KM, GravityModel
from constellation_jax.physics.numerics.fastmath import computed_once, sincos, turn
from constellation_jax.physics.sgp4 import kepler
from constellation_jax.physics.sgp4.brouwer import kozai_to_brouwer
from constellation_jax.physics.sgp4.elements import Elements
from constellation_jax.physics.sgp4.status import DECAYED, FARTHEST_KM, OK, SEMILATUS_RECTUM_NEGATIVE, TOO_FAR

ECCENTRICITY_FLOOR = 1e-6
"""Least mean eccentricity in the course of an orbit (SGP4's own limit)."""
SHORT_PERIOD_RAD = 1e-3
"""Bound of the short-period terms of J2 in a near-circular orbit above the ground: they are at most 3/4 J2 over the square
of the semi-latus rectum in Earth radii."""


class OrbitState(NamedTuple):
    """State of one satellite at one instant in TEME, km and km/s; meaningless but finite numbers where `status` is not 0."""

    x: Array
    y: Array
    z: Array
    vx: Array
    vy: Array
    vz: Array
    mean_altitude: Array
    """Mean semi-major axis minus 6378.137 km, km."""
    decay_rate: Array
    """Time derivative of the mean semi-major axis, km/day."""
    status: Array
    """Key of `status.STATUS`, int32."""


class Epoch(NamedTuple):
    """Quantities at the epoch of an element set, in Vallado's names; units are rad, minutes and Earth radii."""

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


def _long_period_coefficients(sini: Array, cosi: Array, gravity: GravityModel) -> tuple[Array, Array]:
    """Factors (aycof, xlcof) of the long-period terms of J3."""
    aycof = -0.5 * gravity.j3_over_j2 * sini
    # 1 + cos i vanishes at i = 180 deg: SGP4 puts 1.5e-12 there
    numerator, denominator = sini, 1.0 + cosi
    if denominator.dtype.itemsize < 8:
        # float32 has no digits of 1 + cos i left near 180 deg (13,000 km at 179.998 deg): tan(i / 2) by its other form there
        retrograde = (cosi < 0.0) & (jnp.abs(sini) > math.sqrt(3.0e-12))
        numerator = jnp.where(retrograde, 1.0 - cosi, sini)
        denominator = jnp.where(retrograde, sini, jnp.where(cosi < 0.0, 1.5e-12, denominator))
    else:
        denominator = jnp.where(jnp.abs(denominator) > 1.5e-12, denominator, 1.5e-12)
    return aycof, -0.25 * gravity.j3_over_j2 * numerator * (3.0 + 5.0 * cosi) / denominator


def state_of_mean_orbit(
    signed_root_a: Array,
    root_a_rate: Array,
    eccentricity: Array,
    arg_perigee: Array,
    mean_argument: Array,
    raan: Array,
    sini: Array,
    cosi: Array,
    failures: Sequence[tuple[int, Array]],
    gravity: GravityModel,
    small_eccentricity: bool,
) -> OrbitState:
    """State of a mean orbit, with its long-period and short-period terms.

    Args:
        signed_root_a: square root of the mean semi-major axis, Earth radii^0.5. SGP4 squares it, so that a negative value counts by
            its size; near zero the satellite has long decayed, and its state must only be finite.
        root_a_rate: time derivative of it, per minute.
        eccentricity: 0 < e < 1.
        arg_perigee, raan: rad.
        mean_argument: M + omega, rad.
        sini, cosi: of the inclination.
        failures: status codes that the caller has found, and where each holds; the last one counts, as SGP4 checks it first.
        gravity: static; Earth model.
        small_eccentricity: static; True where the eccentricity stays below `kepler.SMALL_ECCENTRICITY`.
    """
    root_a = jnp.maximum(jnp.abs(signed_root_a), 1e-3)
    aycof, xlcof = _long_period_coefficients(sini, cosi, gravity)
    mean = _MeanState(root_a, eccentricity, arg_perigee, mean_argument, raan, sini, cosi, aycof, xlcof)
    x, y, z, vx, vy, vz, el2, mrt = _state(mean, gravity, small_eccentricity)
    status = jnp.where(mrt < 1.0, DECAYED, OK)
    # negated, so that they hold for NaN too: elements or times that are not finite, and powers of time that overflow
    nowhere = ~(x * x + y * y + z * z <= FARTHEST_KM**2)
    for code, holds in ((TOO_FAR, nowhere), (SEMILATUS_RECTUM_NEGATIVE, ~(el2 <= 1.0)), *failures):
        status = jnp.where(holds, code, status)
    # Earth radii differ by 2 m between the models: the altitude counts from WGS-84 whatever the gravity model
    radius = gravity.equatorial_radius_km
    mean_altitude = root_a * root_a * radius - WGS84_EQUATORIAL_RADIUS_KM
    decay_rate = 2.0 * root_a * (root_a_rate * jnp.sign(signed_root_a)) * (radius * MINUTES_PER_DAY)
    return OrbitState(x, y, z, vx, vy, vz, mean_altitude, decay_rate, status.astype(jnp.int32))


class _MeanState(NamedTuple):
    """Mean orbit that `_state` is differentiated by: arguments of `state_of_mean_orbit`, and factors of the long-period terms."""

    root_a: Array
    eccentricity: Array
    arg_perigee: Array
    mean_argument: Array
    raan: Array
    sini: Array
    cosi: Array
    aycof: Array
    xlcof: Array


class _Polar(NamedTuple):
    """Orbit in its own plane and the plane's orientation, with the intermediate results that its derivative needs again."""

    inv_root: Array
    sin_argp: Array
    cos_argp: Array
    temp: Array
    axnl: Array
    aynl: Array
    sineo1: Array
    coseo1: Array
    esine: Array
    ecose: Array
    el2: Array
    betal: Array
    q: Array
    rl: Array
    rdotl: Array
    rvdotl: Array
    sinu: Array
    cosu: Array
    inv_pl: Array
    mrt: Array
    mvt: Array
    rvdot: Array
    sinsu: Array
    cossu: Array
    snod: Array
    cnod: Array
    sini: Array
    cosi: Array


def _polar(mean: _MeanState, gravity: GravityModel, small_eccentricity: bool) -> _Polar:
    am, one_minus_e2 = mean.root_a * mean.root_a, 1.0 - mean.eccentricity * mean.eccentricity
    # divisions cost as much as ten multiplications: some share one here and below
    inverse = 1.0 / (mean.root_a * one_minus_e2)
    inv_root = inverse * one_minus_e2
    inv_a = inv_root * inv_root
    sin_argp, cos_argp = sincos(mean.arg_perigee)
    temp = inv_a * (inverse * mean.root_a)
    axnl = mean.eccentricity * cos_argp
    aynl = mean.eccentricity * sin_argp + temp * mean.aycof
    u = mean.mean_argument + temp * mean.xlcof * axnl
    sineo1, coseo1 = kepler.solve(u, axnl, aynl, small_eccentricity)

    ecose = axnl * coseo1 + aynl * sineo1
    esine = axnl * sineo1 - aynl * coseo1
    el2 = axnl * axnl + aynl * aynl
    # el2 reaches one only where the orbit has failed (status 4); the floor keeps value and gradient of the root finite there
    one_minus_el2 = jnp.maximum(1.0 - el2, 1e-9)
    betal = jnp.sqrt(one_minus_el2)
    one_minus_ecose = jnp.maximum(1.0 - ecose, 1e-9)
    beta_el2 = (1.0 + betal) * one_minus_el2
    inverse = 1.0 / (one_minus_ecose * beta_el2)
    q = inverse * beta_el2
    rl = am * (1.0 - ecose)
    inv_rl = inv_a * q
    rdotl = mean.root_a * esine * inv_rl
    rvdotl = mean.root_a * betal * inv_rl
    tau = esine * (inverse * one_minus_ecose * one_minus_el2)
    sinu = q * (sineo1 - aynl - axnl * tau)
    cosu = q * (coseo1 - axnl + aynl * tau)
    sin2u = 2.0 * sinu * cosu
    cos2u = 1.0 - 2.0 * sinu * sinu

    # short-period terms of J2: angles of up to 1e-3 rad, by which sines and cosines are rotated instead of computed again; only an
    # eccentric orbit with its perigee deep in the Earth makes them large
    inv_pl = inv_a * (inverse * one_minus_ecose * (1.0 + betal))
    temp1 = 0.5 * gravity.j2 * inv_pl
    temp2 = temp1 * inv_pl
    sini, cosi = mean.sini, mean.cosi
    cosi2 = cosi * cosi
    con41, x1mth2, x7thm1 = 3.0 * cosi2 - 1.0, 1.0 - cosi2, 7.0 * cosi2 - 1.0
    mrt = rl * (1.0 - 1.5 * temp2 * betal * con41) + 0.5 * temp1 * x1mth2 * cos2u
    largest = SHORT_PERIOD_RAD if small_eccentricity else None
    sinsu, cossu = turn(sinu, cosu, -0.25 * temp2 * x7thm1 * sin2u, largest)
    snod, cnod = turn(*sincos(mean.raan), 1.5 * temp2 * cosi * sin2u, largest)
    sini, cosi = turn(sini, cosi, 1.5 * temp2 * cosi * sini * cos2u, largest)
    rate = inv_a * inv_root * temp1  # nm temp1 / xke
    mvt = rdotl - rate * x1mth2 * sin2u
    rvdot = rvdotl + rate * (x1mth2 * cos2u + 1.5 * con41)
    return _Polar(
        inv_root, sin_argp, cos_argp, temp, axnl, aynl, sineo1, coseo1, esine, ecose, el2, betal, q, rl, rdotl, rvdotl, sinu,
        cosu, inv_pl, mrt, mvt, rvdot, sinsu, cossu, snod, cnod, sini, cosi,
    )  # fmt: skip


def _axes(p: _Polar) -> tuple[Array, ...]:
    """Unit vectors to the satellite and along its motion, in TEME."""
    xmx, xmy = -p.snod * p.cosi, p.cnod * p.cosi
    ux, uy, uz = xmx * p.sinsu + p.cnod * p.cossu, xmy * p.sinsu + p.snod * p.cossu, p.sini * p.sinsu
    vx, vy, vz = xmx * p.cossu - p.cnod * p.sinsu, xmy * p.cossu - p.snod * p.sinsu, p.sini * p.cossu
    return ux, uy, uz, vx, vy, vz


def _cartesian(p: _Polar, gravity: GravityModel) -> tuple[Array, ...]:
    """x, y, z (km), vx, vy, vz (km/s), el2 and the distance in Earth radii."""
    ux, uy, uz, vx, vy, vz = _axes(p)
    km, km_s = p.mrt * gravity.equatorial_radius_km, gravity.velocity_unit_km_s
    return (
        km * ux, km * uy, km * uz,
        km_s * (p.mvt * ux + p.rvdot * vx), km_s * (p.mvt * uy + p.rvdot * vy), km_s * (p.mvt * uz + p.rvdot * vz),
        p.el2, p.mrt,
    )  # fmt: skip


@partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _state(mean: _MeanState, gravity: GravityModel, small_eccentricity: bool) -> tuple[Array, ...]:
    """x, y, z (km), vx, vy, vz (km/s), el2 and the distance in Earth radii."""
    return _cartesian(_polar(mean, gravity, small_eccentricity), gravity)


@_state.defjvp
def _state_jvp(gravity, small_eccentricity, primals, tangents):  # type: ignore[no-untyped-def]
    """Derivative of `_state`, by hand along the steps of `_polar`.

    Sines and cosines are replaced by the angle that they belong to, and the axes turn as one rigid body: a quarter of the
    arithmetic that JAX makes of the same steps, and it compiles in a fraction of the time. It is linear in the tangents, so
    reverse mode follows; the short-period terms count as in `_polar`, not to first order.
    """
    (mean,), (d,) = primals, tangents
    p = computed_once(_polar(mean, gravity, small_eccentricity))
    e, cosi = mean.eccentricity, mean.cosi
    dlog = d.root_a * p.inv_root  # relative change of the square root of a

    # long-period terms and Kepler's equation
    dtemp = 2.0 * p.temp * (e / (1.0 - e * e) * d.eccentricity - dlog)
    daxnl = p.cos_argp * d.eccentricity - e * p.sin_argp * d.arg_perigee
    daynl = p.sin_argp * d.eccentricity + p.axnl * d.arg_perigee + mean.aycof * dtemp + p.temp * d.aycof
    du = d.mean_argument + mean.xlcof * (p.axnl * dtemp + p.temp * daxnl) + p.temp * p.axnl * d.xlcof
    across = p.sineo1 * daxnl - p.coseo1 * daynl
    dlongitude = p.q * (du + across)
    desine = across + p.ecose * dlongitude
    decose = p.coseo1 * daxnl + p.sineo1 * daynl - p.esine * dlongitude
    dbetal = (p.axnl * daxnl + p.aynl * daynl) / -p.betal

    dlog, daxnl, daynl, dlongitude, desine, decose, dbetal = computed_once(
        (dlog, daxnl, daynl, dlongitude, desine, decose, dbetal)
    )

    # orbit in its plane; sinu and cosu by their angle
    inv_root_q = p.inv_root * p.q
    drl = 2.0 * p.rl * dlog - mean.root_a * mean.root_a * decose
    drdotl = inv_root_q * (desine + p.esine * p.q * decose) - p.rdotl * dlog
    drvdotl = inv_root_q * (dbetal + p.betal * p.q * decose) - p.rvdotl * dlog
    inv_beta = 1.0 / (1.0 + p.betal)
    tau = p.esine * inv_beta
    dtau = inv_beta * (desine - tau * dbetal)
    du = p.q * (
        (p.cosu * p.coseo1 + p.sinu * p.sineo1) * dlongitude
        + (p.sinu - tau * p.cosu) * daxnl
        - (p.cosu + tau * p.sinu) * daynl
        - (p.cosu * p.axnl + p.sinu * p.aynl) * dtau
    )

    # short-period terms
    sin2u, cos2u = 2.0 * p.sinu * p.cosu, 1.0 - 2.0 * p.sinu * p.sinu
    temp1 = 0.5 * gravity.j2 * p.inv_pl
    temp2 = temp1 * p.inv_pl
    rate = p.inv_root * p.inv_root * p.inv_root * temp1
    cosi2 = cosi * cosi
    con41, x1mth2, x7thm1 = 3.0 * cosi2 - 1.0, 1.0 - cosi2, 7.0 * cosi2 - 1.0
    dlog_pl = -2.0 * (dlog + dbetal / p.betal)  # of 1 / semi-latus rectum: temp1 goes with it, temp2 with its square
    dtemp2 = 2.0 * temp2 * dlog_pl
    drate = rate * (dlog_pl - 3.0 * dlog)
    dcosi2 = 2.0 * cosi * d.cosi
    radial = 1.5 * temp2 * con41
    dmrt = (
        (1.0 - radial * p.betal) * drl
        - 1.5 * p.rl * (p.betal * con41 * dtemp2 + 3.0 * temp2 * p.betal * dcosi2)
        - radial * p.rl * dbetal
        + 0.5 * temp1 * (x1mth2 * cos2u * dlog_pl - cos2u * dcosi2 - 2.0 * x1mth2 * sin2u * du)
    )
    dsu = du - 0.25 * (x7thm1 * sin2u * dtemp2 + 7.0 * temp2 * sin2u * dcosi2 + 2.0 * temp2 * x7thm1 * cos2u * du)
    dnode = d.raan + 1.5 * (cosi * sin2u * dtemp2 + temp2 * sin2u * d.cosi + 2.0 * temp2 * cosi * cos2u * du)
    dinc = (cosi * d.sini - mean.sini * d.cosi) + 1.5 * (
        cosi * mean.sini * cos2u * dtemp2
        + temp2 * cos2u * (cosi * d.sini + mean.sini * d.cosi)
        - 2.0 * temp2 * cosi * mean.sini * sin2u * du
    )
    dmvt = drdotl - sin2u * (x1mth2 * drate - rate * dcosi2) - 2.0 * rate * x1mth2 * cos2u * du
    drvdot = (
        drvdotl + (x1mth2 * cos2u + 1.5 * con41) * drate + rate * ((4.5 - cos2u) * dcosi2 - 2.0 * x1mth2 * sin2u * du)
    )

    # the axes turn as a rigid body, about the radius, the direction of motion and the normal
    about_radius = p.sini * p.sinsu * dnode + p.cossu * dinc
    about_motion = p.sini * p.cossu * dnode - p.sinsu * dinc
    about_normal = p.cosi * dnode + dsu
    km, km_s = gravity.equatorial_radius_km, gravity.velocity_unit_km_s
    dr = (km * dmrt, km * p.mrt * about_normal, -km * p.mrt * about_motion)
    dv = (
        km_s * (dmvt - p.rvdot * about_normal),
        km_s * (drvdot + p.mvt * about_normal),
        km_s * (p.rvdot * about_radius - p.mvt * about_motion),
    )
    ux, uy, uz, vx, vy, vz = _axes(p)
    wx, wy, wz = p.sini * p.snod, -p.sini * p.cnod, p.cosi
    axes = ((ux, vx, wx), (uy, vy, wy), (uz, vz, wz))
    rotated = [u * along[0] + v * along[1] + w * along[2] for along in (dr, dv) for u, v, w in axes]
    return _cartesian(p, gravity), (*rotated, 2.0 * (p.axnl * daxnl + p.aynl * daynl), dmrt)

"""SDP4 for deep-space orbits, those with a period of 225 minutes or more: the Moon, the Sun and the 12 h and 24 h resonances.

As in near_earth.py, everything secular is a polynomial in the time since an anchor. The resonances are integrated in steps of 720
minutes from the epoch, as the standard has it: `resonance_at` does so for one instant.

Variable names inside the functions are those of Vallado's sgp4unit (dscom, dsinit, dspace, dpper).

Reference: Hoots & Roehrich, Spacetrack Report 3 (1980), section 7; Hujsak, Spacetrack Report 1 (1979); Vallado et al., AIAA
2006-6753 (2006), in its "improved" mode of operation.
"""

import dataclasses
import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from constellation_jax.physics.constants import MJD_1950, MJD_OFFSET, TWO_PI, GravityModel
from constellation_jax.physics.frames import gmst82
from constellation_jax.physics.numerics.fastmath import horner, sincos
from constellation_jax.physics.sgp4.common import (
    ECCENTRICITY_FLOOR,
    Epoch,
    OrbitState,
    at_epoch,
    state_of_mean_orbit,
)
from constellation_jax.physics.sgp4.elements import Elements
from constellation_jax.physics.sgp4.status import (
    MEAN_ECCENTRICITY_OUT_OF_RANGE,
    MEAN_MOTION_NOT_POSITIVE,
    PERTURBED_ECCENTRICITY_OUT_OF_RANGE,
)

STEP_MINUTES = 720.0
"""Step of the resonance integrator."""
_STEPS_A_PASS = 4
"""Steps in a pass of a loop of known length on accelerators: to a GPU each pass is two launches. On a CPU it would only take
longer to compile."""

# Sun and Moon: mean motions (rad/min), eccentricities, and the factors of Spacetrack Report 3
_ZNS, _ZES, _C1SS = 1.19459e-5, 0.01675, 2.9864797e-6
_ZNL, _ZEL, _C1L = 1.5835218e-4, 0.05490, 4.7968065e-7
_ZSINIS, _ZCOSIS, _ZSINGS, _ZCOSGS = 0.39785416, 0.91744867, -0.98088458, 0.1945905
_RPTIM = 4.37526908801129966e-3
"""Rotation of the Earth, rad/min."""

# Terms A sin(l * lambda + w * omega - phase): three of the 24 h resonance, ten of the 12 h resonance
MULTIPLES = (1, 2, 3, 1, 1, 1, 1, 2, 2, 1, 1, 2, 2)
"""Multiple l of the resonance angle in each resonance term."""
_W = (0, 0, 0, 2, 0, 1, -1, 2, 0, 1, -1, 1, -1)
_FASX2, _FASX4, _FASX6 = 0.13130908, 2.8843198, 0.37448087
_G22, _G32, _G44, _G52, _G54 = 5.7686396, 0.95240898, 1.8014998, 1.0508330, 4.4108898
_PHASE = (_FASX2, 2 * _FASX4, 3 * _FASX6, _G22, _G22, _G32, _G32, _G44, _G44, _G52, _G52, _G54, _G54)


class ThirdBody(NamedTuple):
    """Periodics of the Sun or the Moon: coefficients of f2, f3 (and sin of the true anomaly) for each element."""

    e2: Array
    e3: Array
    i2: Array
    i3: Array
    l2: Array
    l3: Array
    l4: Array
    gh2: Array
    gh3: Array
    gh4: Array
    h2: Array
    h3: Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class DeepSpace:
    """Coefficients of SDP4 for one satellite (or arrays of them). Tuples are polynomials in minutes since the anchor."""

    mean_anomaly: tuple[Array, ...]
    """Mean anomaly with drag, without resonance, degree 2, rad."""
    drag_anomaly: tuple[Array, Array, Array]
    """Part of the mean anomaly that is due to drag, rad."""
    arg_perigee: tuple[Array, Array]
    """Argument of perigee with the secular terms of Sun and Moon, rad."""
    raan: tuple[Array, Array, Array]
    """Right ascension of the ascending node with the secular terms of Sun and Moon and drag, rad."""
    eccentricity: tuple[Array, Array]
    """Mean eccentricity with the secular terms of Sun and Moon and drag."""
    inclination: tuple[Array, Array]
    """Inclination with the secular terms of Sun and Moon, rad."""
    drag: tuple[Array, Array]
    """Factor by which drag lowers the square root of the semi-major axis."""
    sidereal: tuple[Array, Array]
    """Greenwich mean sidereal time, rad."""
    solar_phase: tuple[Array, Array]
    """Mean anomaly of the Sun, rad."""
    lunar_phase: tuple[Array, Array]
    """Mean anomaly of the Moon, rad."""
    solar: ThirdBody
    """Periodics of the Sun."""
    lunar: ThirdBody
    """Periodics of the Moon."""
    mean_motion: Array
    """Brouwer mean motion at the epoch, rad/min."""
    synchronous: Array
    """1.0 where the 24 h resonance acts, else 0.0."""
    half_day: Array
    """1.0 where the 12 h resonance acts, else 0.0."""
    resonance: tuple[Array, ...]
    """Amplitudes of the 13 resonance terms, rad/min^2."""
    lambda_epoch: Array
    """Resonance angle at the epoch, rad."""
    lambda_rate: Array
    """Rate of the resonance angle beyond the mean motion, rad/min."""
    arg_perigee_epoch: tuple[Array, Array]
    """Argument of perigee without third bodies, about the epoch, rad."""


class Resonance(NamedTuple):
    """State of the resonance integrator, at the last step before an instant."""

    xli: Array
    """Resonance angle, rad."""
    xni: Array
    """Mean motion, rad/min."""
    atime: Array
    """Time of the integrator, minutes since the epoch: a multiple of 720."""


def initialise(elements: Elements, gravity: GravityModel) -> DeepSpace:
    """Coefficients of one element set, anchored at its epoch (functions dscom and dsinit)."""
    e = at_epoch(elements, gravity)
    ecco, inclo, nodeo, argpo, mo, bstar = (
        jnp.asarray(v)
        for v in (
            elements.eccentricity, elements.inclination, elements.raan, elements.arg_perigee, elements.mean_anomaly,
            elements.bstar,
        )
    )  # fmt: skip
    day, fraction = jnp.asarray(elements.epoch_day), jnp.asarray(elements.epoch_fraction)
    if day.dtype == jnp.float64:
        # Vallado adds the epoch up to one Julian date, which rounds it to 20 microseconds. The Moon's phase of an orbit with a
        # period of weeks, and a resonance, make millimetres of that: the same rounding is made here
        since_1950 = ((day + MJD_OFFSET) + fraction) - (MJD_1950 + MJD_OFFSET)
        day, fraction = jnp.floor(since_1950) + MJD_1950, since_1950 - jnp.floor(since_1950)
    gsto = gmst82(day, fraction)
    moon_day = ((day - MJD_1950) + fraction) + 18261.5  # since 1899 December 31, 12:00
    xnodce = _wrap(4.5236020 - 9.2422029e-4 * moon_day)
    gam = 5.8351514 + 0.0019443680 * moon_day
    zmol = _wrap(4.7199672 + 0.22997150 * moon_day - gam)
    zmos = _wrap(6.2565837 + 0.017201977 * moon_day)

    stem, ctem = sincos(xnodce)
    zcosil = 0.91375164 - 0.03568096 * ctem
    zsinil = jnp.sqrt(1.0 - zcosil * zcosil)  # the Moon's inclination stays between 18 and 29 deg: no singular point
    zsinhl = 0.089683511 * stem / zsinil
    zcoshl = jnp.sqrt(1.0 - zsinhl * zsinhl)
    zx = jnp.arctan2(0.39785416 * stem / zsinil, zcoshl * ctem + 0.91744867 * zsinhl * stem)
    zsingl, zcosgl = sincos(gam + zx - xnodce)

    sinim, cosim = e.sinio, e.cosio
    snodm, cnodm = sincos(nodeo)
    sinomm, cosomm = sincos(argpo)
    orbit = (ecco, e.no, sinim, cosim, sinomm, cosomm)
    solar, sun_rates = _third_body(*orbit, _ZSINGS, _ZCOSGS, _ZSINIS, _ZCOSIS, snodm, cnodm, cc=_C1SS, ze=_ZES, zn=_ZNS)
    lunar, moon_rates = _third_body(
        *orbit, zsingl, zcosgl, zsinil, zcosil,
        snodm * zcoshl - cnodm * zsinhl, zcoshl * cnodm + zsinhl * snodm, cc=_C1L, ze=_ZEL, zn=_ZNL,
    )  # fmt: skip
    dedt, didt, dmdt, dgdt, dhdt = (s + m for s, m in zip(sun_rates, moon_rates, strict=True))
    # Below 3 deg of inclination, or of 180, SDP4 drops the node's rate; so the division by sin i never meets zero
    inclined = (inclo >= 5.2359877e-2) & (inclo <= math.pi - 5.2359877e-2)
    dnodt = jnp.where(inclined, dhdt, 0.0) / jnp.where(inclined, sinim, 1.0)
    domdt = dgdt - cosim * dnodt

    amplitudes, synchronous, half_day = _resonance_terms(ecco, e, gravity)
    two_gsto = 2.0 * gsto
    lambda_half = mo + 2.0 * nodeo - two_gsto
    rate_half = e.mdot + dmdt + 2.0 * (e.nodedot + dnodt - _RPTIM) - e.no
    lambda_sync = mo + nodeo + argpo - gsto
    rate_sync = e.mdot + e.argpdot + e.nodedot - _RPTIM + dmdt + domdt + dnodt - e.no
    is_half = half_day > 0.5
    zero, one = jnp.zeros_like(mo), jnp.ones_like(mo)
    drag_anomaly = e.no * e.t2cof
    return DeepSpace(
        mean_anomaly=(mo, e.mdot + dmdt, drag_anomaly),
        drag_anomaly=(zero, zero, drag_anomaly),
        arg_perigee=(argpo, e.argpdot + domdt),
        raan=(nodeo, e.nodedot + dnodt, e.nodecf),
        eccentricity=(ecco, dedt - bstar * e.cc4),
        inclination=(inclo, didt),
        drag=(one, -e.cc1),
        sidereal=(gsto, _RPTIM * one),
        solar_phase=(zmos, _ZNS * one),
        lunar_phase=(zmol, _ZNL * one),
        solar=solar,
        lunar=lunar,
        mean_motion=e.no,
        synchronous=synchronous,
        half_day=half_day,
        resonance=amplitudes,
        lambda_epoch=_wrap(jnp.where(is_half, lambda_half, lambda_sync)),
        lambda_rate=jnp.where(is_half, rate_half, rate_sync),
        arg_perigee_epoch=(argpo, e.argpdot),
    )


def evaluate(
    c: DeepSpace, t: Array, resonance: Resonance, ft: Array, gravity: GravityModel, small_eccentricity: bool = False
) -> OrbitState:
    """State of one satellite t minutes after the anchor of its coefficients.

    Args:
        c: coefficients of the satellite.
        t: minutes since their anchor.
        resonance: state of the resonance integrator (`resonance_at`).
        ft: minutes from there to the instant.
        gravity: static; the Earth model with which the coefficients were made.
        small_eccentricity: static; True where the eccentricity stays below `kepler.SMALL_ECCENTRICITY`.
    """
    argpm, nodem, inclm = horner(t, c.arg_perigee), horner(t, c.raan), horner(t, c.inclination)
    # dspace: mean anomaly and mean motion, by the resonance where there is one
    xndt, xldot, xnddt = _resonance_rates((c.lambda_rate, *c.arg_perigee_epoch, *c.resonance), resonance)
    nm_resonant = resonance.xni + (xndt + 0.5 * xnddt * ft) * ft
    xl = resonance.xli + (xldot + 0.5 * xndt * ft) * ft
    theta = horner(t, c.sidereal)
    half_day, synchronous = c.half_day > 0.5, c.synchronous > 0.5
    drag_anomaly = horner(t, c.drag_anomaly)
    mm = jnp.where(
        half_day,
        xl - 2.0 * nodem + 2.0 * theta + drag_anomaly,
        jnp.where(synchronous, xl - nodem - argpm + theta + drag_anomaly, horner(t, c.mean_anomaly)),
    )
    resonant = half_day | synchronous
    nm = jnp.where(resonant, nm_resonant, c.mean_motion)
    nm_rate = jnp.where(resonant, xndt + xnddt * ft, 0.0)
    bad_mean_motion = nm <= 0.0
    nm = jnp.maximum(nm, 1e-6)  # a failed orbit only: keeps the power below finite
    tempa, tempa_rate = horner(t, c.drag), c.drag[1]
    root_a_undragged = (gravity.xke / nm) ** (1.0 / 3.0)
    root_a_rate = root_a_undragged * (tempa_rate - tempa * nm_rate / (3.0 * nm))
    em = horner(t, c.eccentricity)
    bad_mean_eccentricity = (em >= 1.0) | (em < -0.001)
    em = jnp.clip(em, ECCENTRICITY_FLOOR, 1.0 - ECCENTRICITY_FLOOR)

    ep, xincp, nodep, argpp, mp = _periodics(c, t, em, inclm, nodem, argpm, mm)
    bad_eccentricity = (ep < 0.0) | (ep > 1.0)
    ep = jnp.clip(ep, 0.0, 1.0 - ECCENTRICITY_FLOOR)
    sini, cosi = sincos(xincp)
    failures = (  # the check that the standard makes first stands last and wins
        (PERTURBED_ECCENTRICITY_OUT_OF_RANGE, bad_eccentricity),
        (MEAN_ECCENTRICITY_OUT_OF_RANGE, bad_mean_eccentricity),
        (MEAN_MOTION_NOT_POSITIVE, bad_mean_motion),
    )
    return state_of_mean_orbit(
        root_a_undragged * tempa, root_a_rate, ep, argpp, mp + argpp, nodep, sini, cosi, failures, gravity, small_eccentricity,
    )  # fmt: skip


def resonance_at(c: DeepSpace, t: Array, *, forward_only: bool = False, most_steps: int | None = None) -> Resonance:
    """Integrate the resonance from the epoch to the last step before an instant.

    Forward and reverse derivatives both work, though the number of steps depends on t, since the rule carries the Jacobian along.

    Args:
        c: coefficients, anchored at the epoch.
        t: minutes since the epoch.
        forward_only: static; True derives the loop itself, which costs less than the rule and has no reverse mode.
        most_steps: static; number of steps that serves every t, known to a compiler beforehand; None: as many as t asks for. A GPU
            waits for its host before each step of a loop of unknown length.
    """
    t = jnp.asarray(t)
    steps = jax.lax.stop_gradient(jnp.floor(jnp.abs(t) * (1.0 / STEP_MINUTES)))
    direction = jnp.where(t > 0.0, 1.0, -1.0).astype(t.dtype)
    shape = jnp.broadcast_shapes(t.shape, jnp.shape(c.lambda_epoch))
    dtype = jnp.result_type(c.lambda_epoch)
    given = (c.lambda_epoch, c.mean_motion, c.lambda_rate, *c.arg_perigee_epoch, *c.resonance)
    parameters = tuple(jnp.asarray(p, dtype) for p in given)
    steps, direction = (jnp.broadcast_to(v, shape).astype(dtype) for v in (steps, direction))
    integrate = _integrate_steps if forward_only else _integrate
    xli, xni = integrate(parameters, steps, direction, most_steps)
    return Resonance(xli, xni, steps * direction * STEP_MINUTES)


def _integrate_steps(
    parameters: tuple[Array, ...] | Array, steps: Array, direction: Array, most_steps: int | None
) -> tuple[Array, Array]:
    """Resonance angle and mean motion after some steps of dspace, from parameters as `resonance_at` lists them, or stacked."""
    delt, half = direction * STEP_MINUTES, 0.5 * STEP_MINUTES * STEP_MINUTES

    def step(k: Array, r: Resonance) -> Resonance:
        xndt, xldot, xnddt = _resonance_rates(tuple(parameters[2:]), r)
        xli, xni = r.xli + xldot * delt + xndt * half, r.xni + xndt * delt + xnddt * half
        moved = Resonance(xli, xni, r.atime + delt)
        running = k < steps
        return jax.tree.map(lambda new, old: jnp.where(running, new, old), moved, r)

    xli, xni = (jnp.broadcast_to(p, steps.shape) for p in parameters[:2])
    start = Resonance(xli, xni, jnp.zeros_like(steps))
    if most_steps is not None:

        def take_all(start: Resonance, unroll: int) -> Resonance:
            def body(k: Array, r: Resonance) -> Resonance:
                return step(k.astype(steps.dtype), r)

            return jax.lax.fori_loop(0, most_steps, body, start, unroll=unroll)

        several = partial(take_all, unroll=min(_STEPS_A_PASS, most_steps))
        r = jax.lax.platform_dependent(start, cpu=partial(take_all, unroll=1), default=several)
        return r.xli, r.xni
    most = jnp.max(steps, initial=0.0)
    _, r = jax.lax.while_loop(
        lambda k_r: k_r[0] < most, lambda k_r: (k_r[0] + 1.0, step(*k_r)), (jnp.zeros_like(most), start)
    )
    return r.xli, r.xni


_integrate = jax.custom_jvp(_integrate_steps, nondiff_argnums=(3,))


@_integrate.defjvp
def _integrate_jvp(most_steps, primals, tangents):  # type: ignore[no-untyped-def]
    # The Jacobian with respect to each parameter is made by the primal loop, so that the result is linear in the tangents and
    # can be transposed: reverse mode works although the number of steps is dynamic. Lanes are independent of each other.
    parameters, steps, direction = primals
    stacked, change = (
        jnp.stack([jnp.broadcast_to(v, steps.shape) for v in some]) for some in (parameters, tangents[0])
    )
    n = len(stacked)
    basis = jnp.eye(n, dtype=stacked.dtype).reshape(n, n, *[1] * steps.ndim)
    basis = jnp.broadcast_to(basis, (n, *stacked.shape))

    def derivative(direction_of_change: Array) -> tuple[Array, Array]:
        integrate = partial(_integrate_steps, steps=steps, direction=direction, most_steps=most_steps)
        return jax.jvp(integrate, (stacked,), (direction_of_change,))[1]

    dxli, dxni = jax.vmap(derivative)(basis)
    return _integrate(parameters, steps, direction, most_steps), (
        jnp.sum(dxli * change, axis=0),
        jnp.sum(dxni * change, axis=0),
    )


def _resonance_rates(parameters: tuple[Array, ...], r: Resonance) -> tuple[Array, Array, Array]:
    """First derivative of the mean motion, of the resonance angle, and second derivative of the mean motion (dspace).

    Args:
        parameters: `lambda_rate`, `arg_perigee_epoch` and `resonance` of `DeepSpace`.
        r: state of the integrator.
    """
    lambda_rate, argpo, argpdot, *amplitudes = parameters
    sl1, cl1 = sincos(r.xli)
    sl2, cl2 = 2.0 * sl1 * cl1, 1.0 - 2.0 * sl1 * sl1
    sl3, cl3 = sl2 * cl1 + cl2 * sl1, cl2 * cl1 - sl2 * sl1
    sw1, cw1 = sincos(argpo + argpdot * r.atime)
    lambdas = {1: (sl1, cl1), 2: (sl2, cl2), 3: (sl3, cl3)}
    omegas = {1: (sw1, cw1), -1: (-sw1, cw1), 2: (2.0 * sw1 * cw1, 1.0 - 2.0 * sw1 * sw1)}
    xndt = xnddt = jnp.zeros_like(sl1)
    for amplitude, multiple, w, phase in zip(amplitudes, MULTIPLES, _W, _PHASE, strict=True):
        s, cs = lambdas[multiple]
        if w:
            sw, cw = omegas[w]
            s, cs = s * cw + cs * sw, cs * cw - s * sw
        sp, cp = math.sin(phase), math.cos(phase)
        xndt = xndt + amplitude * (s * cp - cs * sp)
        xnddt = xnddt + multiple * amplitude * (cs * cp + s * sp)
    xldot = r.xni + lambda_rate
    return xndt, xldot, xnddt * xldot


def _third_body(ecco, no, sinim, cosim, sinomm, cosomm, zsing, zcosg, zsini, zcosi, zsinh, zcosh, *, cc, ze, zn):  # type: ignore[no-untyped-def]
    """Periodic coefficients and secular rates of one body (dscom, dsinit); the rates of g and h lack cos i and 1/sin i here."""
    a1 = zcosg * zcosh + zsing * zcosi * zsinh
    a3 = -zsing * zcosh + zcosg * zcosi * zsinh
    a7 = -zcosg * zsinh + zsing * zcosi * zcosh
    a8 = zsing * zsini
    a9 = zsing * zsinh + zcosg * zcosi * zcosh
    a10 = zcosg * zsini
    a2 = cosim * a7 + sinim * a8
    a4 = cosim * a9 + sinim * a10
    a5 = -sinim * a7 + cosim * a8
    a6 = -sinim * a9 + cosim * a10
    x1 = a1 * cosomm + a2 * sinomm
    x2 = a3 * cosomm + a4 * sinomm
    x3 = -a1 * sinomm + a2 * cosomm
    x4 = -a3 * sinomm + a4 * cosomm
    x5, x6, x7, x8 = a5 * sinomm, a6 * sinomm, a5 * cosomm, a6 * cosomm
    emsq = ecco * ecco
    betasq = 1.0 - emsq
    rtemsq = jnp.sqrt(betasq)
    z31 = 12.0 * x1 * x1 - 3.0 * x3 * x3
    z32 = 24.0 * x1 * x2 - 6.0 * x3 * x4
    z33 = 12.0 * x2 * x2 - 3.0 * x4 * x4
    z1 = 6.0 * (a1 * a1 + a2 * a2) + 2.0 * z31 * emsq + betasq * z31
    z2 = 12.0 * (a1 * a3 + a2 * a4) + 2.0 * z32 * emsq + betasq * z32
    z3 = 6.0 * (a3 * a3 + a4 * a4) + 2.0 * z33 * emsq + betasq * z33
    z11 = -6.0 * a1 * a5 + emsq * (-24.0 * x1 * x7 - 6.0 * x3 * x5)
    z12 = -6.0 * (a1 * a6 + a3 * a5) + emsq * (-24.0 * (x2 * x7 + x1 * x8) - 6.0 * (x3 * x6 + x4 * x5))
    z13 = -6.0 * a3 * a6 + emsq * (-24.0 * x2 * x8 - 6.0 * x4 * x6)
    z21 = 6.0 * a2 * a5 + emsq * (24.0 * x1 * x5 - 6.0 * x3 * x7)
    z22 = 6.0 * (a4 * a5 + a2 * a6) + emsq * (24.0 * (x2 * x5 + x1 * x6) - 6.0 * (x4 * x7 + x3 * x8))
    z23 = 6.0 * a4 * a6 + emsq * (24.0 * x2 * x6 - 6.0 * x4 * x8)
    s3 = cc / no
    s2 = -0.5 * s3 / rtemsq
    s4 = s3 * rtemsq
    s1 = -15.0 * ecco * s4
    s5, s6, s7 = x1 * x3 + x2 * x4, x2 * x3 + x1 * x4, x2 * x4 - x1 * x3
    periodics = ThirdBody(
        e2=2.0 * s1 * s6, e3=2.0 * s1 * s7,
        i2=2.0 * s2 * z12, i3=2.0 * s2 * (z13 - z11),
        l2=-2.0 * s3 * z2, l3=-2.0 * s3 * (z3 - z1), l4=-2.0 * s3 * (-21.0 - 9.0 * emsq) * ze,
        gh2=2.0 * s4 * z32, gh3=2.0 * s4 * (z33 - z31), gh4=-18.0 * s4 * ze,
        h2=-2.0 * s2 * z22, h3=-2.0 * s2 * (z23 - z21),
    )  # fmt: skip
    rates = (
        s1 * zn * s5,
        s2 * zn * (z11 + z13),
        -zn * s3 * (z1 + z3 - 14.0 - 6.0 * emsq),
        s4 * zn * (z31 + z33 - 6.0),
        -zn * s2 * (z21 + z23),
    )
    return periodics, rates


def _resonance_terms(ecco: Array, e: Epoch, gravity: GravityModel) -> tuple[tuple[Array, ...], Array, Array]:
    """Amplitudes of the 13 terms, and 1.0 where the 24 h and where the 12 h resonance acts, else 0.0 (dsinit)."""
    nm, sinim, cosim = e.no, e.sinio, e.cosio
    synchronous = (nm > 0.0034906585) & (nm < 0.0052359877)
    half_day = (nm >= 8.26e-3) & (nm <= 9.24e-3) & (ecco >= 0.5)
    em, emsq = ecco, ecco * ecco
    aonv = (nm / gravity.xke) ** (2.0 / 3.0)

    def fit(*coefficients: float) -> Array:
        return horner(em, coefficients)

    low = em <= 0.65
    g201 = -0.306 - (em - 0.64) * 0.440
    g211 = jnp.where(low, fit(3.616, -13.2470, 16.2900), fit(-72.099, 331.819, -508.738, 266.724))
    g310 = jnp.where(low, fit(-19.302, 117.3900, -228.4190, 156.5910), fit(-346.844, 1582.851, -2415.925, 1246.113))
    g322 = jnp.where(low, fit(-18.9068, 109.7927, -214.6334, 146.5816), fit(-342.585, 1554.908, -2366.899, 1215.972))
    g410 = jnp.where(low, fit(-41.122, 242.6940, -471.0940, 313.9530), fit(-1052.797, 4758.686, -7193.992, 3651.957))
    g422 = jnp.where(
        low, fit(-146.407, 841.8800, -1629.014, 1083.4350), fit(-3581.690, 16178.110, -24462.770, 12422.520)
    )
    g520 = jnp.where(
        low,
        fit(-532.114, 3017.977, -5740.032, 3708.2760),
        jnp.where(em > 0.715, fit(-5149.66, 29936.92, -54087.36, 31324.56), fit(1464.74, -4664.75, 3763.64)),
    )
    middle = em < 0.7
    g533 = jnp.where(
        middle, fit(-919.22770, 4988.6100, -9064.7700, 5542.21), fit(-37995.780, 161616.52, -229838.20, 109377.94)
    )
    g521 = jnp.where(
        middle, fit(-822.71072, 4568.6173, -8491.4146, 5337.524), fit(-51752.104, 218913.95, -309468.16, 146349.42)
    )
    g532 = jnp.where(
        middle, fit(-853.66600, 4690.2500, -8624.7700, 5341.4), fit(-40023.880, 170470.89, -242699.48, 115605.82)
    )
    cosisq, sini2 = cosim * cosim, sinim * sinim
    f220 = 0.75 * (1.0 + 2.0 * cosim + cosisq)
    f221 = 1.5 * sini2
    f321 = 1.875 * sinim * (1.0 - 2.0 * cosim - 3.0 * cosisq)
    f322 = -1.875 * sinim * (1.0 + 2.0 * cosim - 3.0 * cosisq)
    f441 = 35.0 * sini2 * f220
    f442 = 39.3750 * sini2 * sini2
    f522 = 9.84375 * sinim * (
        sini2 * (1.0 - 2.0 * cosim - 5.0 * cosisq) + 0.33333333 * (-2.0 + 4.0 * cosim + 6.0 * cosisq)
    )  # fmt: skip
    f523 = sinim * (
        4.92187512 * sini2 * (-2.0 - 4.0 * cosim + 10.0 * cosisq) + 6.56250012 * (1.0 + 2.0 * cosim - 3.0 * cosisq)
    )
    f542 = 29.53125 * sinim * (2.0 - 8.0 * cosim + cosisq * (-12.0 + 8.0 * cosim + 10.0 * cosisq))
    f543 = 29.53125 * sinim * (-2.0 - 8.0 * cosim + cosisq * (12.0 + 8.0 * cosim - 10.0 * cosisq))
    root22, root32, root44, root52, root54 = 1.7891679e-6, 3.7393792e-7, 7.3636953e-9, 1.1428639e-7, 2.1765803e-9
    d2 = 3.0 * nm * nm * aonv * aonv * root22
    d3 = 3.0 * nm * nm * aonv**3 * root32
    d4 = 6.0 * nm * nm * aonv**4 * root44
    d52 = 3.0 * nm * nm * aonv**5 * root52
    d54 = 6.0 * nm * nm * aonv**5 * root54
    half_day_terms = (
        d2 * f220 * g201, d2 * f221 * g211, d3 * f321 * g310, d3 * f322 * g322, d4 * f441 * g410, d4 * f442 * g422,
        d52 * f522 * g520, d52 * f523 * g532, d54 * f542 * g521, d54 * f543 * g533,
    )  # fmt: skip

    q22, q31, q33 = 1.7891679e-6, 2.1460748e-6, 2.2123015e-7
    g200 = 1.0 + emsq * (-2.5 + 0.8125 * emsq)
    g300 = 1.0 + emsq * (-6.0 + 6.60937 * emsq)
    f311 = 0.9375 * sini2 * (1.0 + 3.0 * cosim) - 0.75 * (1.0 + cosim)
    del0 = 3.0 * nm * nm * aonv * aonv
    synchronous_terms = (
        del0 * f311 * (1.0 + 2.0 * emsq) * q31 * aonv,
        2.0 * del0 * (0.75 * (1.0 + cosim) ** 2) * g200 * q22,
        3.0 * del0 * (1.875 * (1.0 + cosim) ** 3) * g300 * q33 * aonv,
    )
    amplitudes = (
        *(jnp.where(synchronous, term, 0.0) for term in synchronous_terms),
        *(jnp.where(half_day, term, 0.0) for term in half_day_terms),
    )
    return amplitudes, synchronous.astype(nm.dtype), half_day.astype(nm.dtype)


def _periodics(c: DeepSpace, t: Array, em: Array, inclm: Array, nodem: Array, argpm: Array, mm: Array):  # type: ignore[no-untyped-def]
    """Eccentricity, inclination, node, argument of perigee and mean anomaly with the periodics of Sun and Moon (dpper)."""
    pe, pinc, pl, pgh, ph = (
        s + m
        for s, m in zip(
            _body_periodics(c.solar, horner(t, c.solar_phase), _ZES),
            _body_periodics(c.lunar, horner(t, c.lunar_phase), _ZEL),
            strict=True,
        )
    )
    ep, xincp = em + pe, inclm + pinc
    sinip, cosip = sincos(xincp)
    mp = mm + pl

    # above 0.2 rad: directly. The divisor is replaced below it, where this branch is not taken
    direct = xincp >= 0.2
    ph_direct = ph / jnp.where(direct, sinip, 1.0)
    argp_direct, node_direct = argpm + pgh - cosip * ph_direct, nodem + ph_direct

    # below: Lyddane's variables. Here the node itself is multiplied by cos i, so the turn that it is counted from matters: SGP4
    # brings it between -2 pi and 2 pi, keeping its sign
    node = jnp.fmod(nodem, TWO_PI)
    sinop, cosop = sincos(node)
    alfdp = sinip * sinop + ph * cosop + pinc * cosip * sinop
    betdp = sinip * cosop - ph * sinop + pinc * cosip * cosop
    # both vanish only for an orbit that the periodics make exactly equatorial: arctan2 has no gradient there
    singular = (alfdp == 0.0) & (betdp == 0.0)
    node_new = jnp.arctan2(jnp.where(singular, 0.0, alfdp), jnp.where(singular, 1.0, betdp))
    node_new = node_new + jnp.where(
        jnp.abs(node - node_new) > math.pi, jnp.where(node_new < node, TWO_PI, -TWO_PI), 0.0
    )
    argp_lyddane = argpm + pgh + (cosip - pinc * sinip) * node - cosip * node_new

    argpp, nodep = jnp.where(direct, argp_direct, argp_lyddane), jnp.where(direct, node_direct, node_new)
    flipped = xincp < 0.0
    return (
        ep,
        jnp.where(flipped, -xincp, xincp),
        jnp.where(flipped, nodep + math.pi, nodep),
        jnp.where(flipped, argpp - math.pi, argpp),
        mp,
    )


def _body_periodics(b: ThirdBody, zm: Array, ze: float) -> tuple[Array, Array, Array, Array, Array]:
    sinzf, coszf = sincos(zm + 2.0 * ze * sincos(zm)[0])
    f2 = 0.5 * sinzf * sinzf - 0.25
    f3 = -0.5 * sinzf * coszf
    return (
        b.e2 * f2 + b.e3 * f3,
        b.i2 * f2 + b.i3 * f3,
        b.l2 * f2 + b.l3 * f3 + b.l4 * sinzf,
        b.gh2 * f2 + b.gh3 * f3 + b.gh4 * sinzf,
        b.h2 * f2 + b.h3 * f3,
    )


def _wrap(angle: Array) -> Array:
    return angle - TWO_PI * jnp.round(angle * (1.0 / TWO_PI))

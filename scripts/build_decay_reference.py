"""Make tests/reference_data/decay_dsst.json: lifetimes by Orekit's semi-analytical propagator (DSST) in NRLMSISE-00.

    python scripts/build_decay_reference.py      # needs Java and the packages orekit-jpype and tellurion (orekit-data)

Mean elements, J2 and drag; B = 0.01 m2/kg, i = 53 degrees, e = 1e-4, constant activity from 2020-01-01; to a mean
altitude of 140 km, below which DSST's averaging ends, and from there what the last step's slope leaves to 120 km.
"""

import json
from pathlib import Path

import jpype
import orekit_jpype
import tellurion

CASES = ((300.0, 140.0), (350.0, 140.0), (400.0, 140.0), (400.0, 200.0))
AP = {140.0: 15.0, 200.0: 20.0}
INCLINATIONS_DEG = (53.0, 97.0)
BALLISTIC_COEFFICIENT = 0.01
TARGET = Path(__file__).parents[1] / "tests" / "reference_data" / "decay_dsst.json"


def main() -> None:
    orekit_jpype.initVM()
    folder = Path(tellurion.__file__).parent / "ork" / "_orekit_data"
    j = jpype.JPackage("org").orekit
    crawler = j.data.DirectoryCrawler(jpype.java.io.File(str(folder)))
    j.data.DataContext.getDefault().getDataProvidersManager().addProvider(crawler)
    rows = [
        {"altitude_km": h, "f107": f, "ap": AP[f], "inclination_deg": i, "days": lifetime(j, h, f, AP[f], i)}
        for i in INCLINATIONS_DEG
        for h, f in CASES
    ]
    version = jpype.JPackage("org").orekit.utils.OrekitConfiguration.getOrekitVersion()
    document = {
        "made_by": f"scripts/build_decay_reference.py with Orekit {version} (DSST, J2, NRLMSISE-00)",
        "start": "2020-01-01T00:00:00Z",
        "ballistic_coefficient_m2_kg": BALLISTIC_COEFFICIENT,
        "eccentricity": 1e-4,
        "cases": rows,
    }
    TARGET.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def lifetime(j, altitude: float, f107: float, ap: float, inclination: float) -> float:
    """Days to 120 km by DSST of a near-circular orbit at a mean altitude (km) and inclination (deg), under constant indices."""
    math = jpype.JPackage("java").lang.Math
    utc = j.time.TimeScalesFactory.getUTC()
    start = j.time.AbsoluteDate(2020, 1, 1, 0, 0, 0.0, utc)
    inputs = jpype.JProxy(
        "org.orekit.models.earth.atmosphere.NRLMSISE00InputParameters",
        dict={
            "getMinDate": lambda: start.shiftedBy(-1e8),
            "getMaxDate": lambda: start.shiftedBy(1e9),
            "getDailyFlux": lambda date: f107,
            "getAverageFlux": lambda date: f107,
            "getAp": lambda date: jpype.JArray(jpype.JDouble)([ap] * 7),
        },
    )
    constants = j.utils.Constants
    itrf = j.frames.FramesFactory.getITRF(j.utils.IERSConventions.IERS_2010, True)
    earth = j.bodies.OneAxisEllipsoid(constants.WGS84_EARTH_EQUATORIAL_RADIUS, constants.WGS84_EARTH_FLATTENING, itrf)
    sun = j.bodies.CelestialBodyFactory.getSun()
    msis = j.models.earth.atmosphere.NRLMSISE00(inputs, sun, earth)
    drag = j.propagation.semianalytical.dsst.forces.DSSTAtmosphericDrag(
        msis, 1.0, BALLISTIC_COEFFICIENT, constants.WGS84_EARTH_MU
    )
    gravity = j.forces.gravity.potential.GravityFieldFactory.getUnnormalizedProvider(2, 0)
    zonal = j.propagation.semianalytical.dsst.forces.DSSTZonal(gravity)
    kind = j.orbits.PositionAngleType.MEAN
    radius = 6378137.0
    frame = j.frames.FramesFactory.getTOD(j.utils.IERSConventions.IERS_2010, True)
    orbit = j.orbits.KeplerianOrbit(
        radius + 1e3 * altitude, 1e-4, math.toRadians(inclination), 0.0, 0.0, 0.0, kind, frame, start, constants.WGS84_EARTH_MU
    )  # fmt: skip
    orbit = j.orbits.EquinoctialOrbit(orbit)
    integrator = jpype.JPackage("org").hipparchus.ode.nonstiff.DormandPrince853Integrator(60.0, 5 * 86400.0, 1.0, 1e-8)
    propagator = j.propagation.semianalytical.dsst.DSSTPropagator(integrator, j.propagation.PropagationType.MEAN)
    propagator.setInitialState(j.propagation.SpacecraftState(orbit, 1.0), j.propagation.PropagationType.MEAN)
    propagator.addForceModel(zonal)
    propagator.addForceModel(drag)
    date, h, rate = start, altitude, 0.0
    days = 0.0
    while h > 140.0:
        # a small part of what is left at the present rate, which never steps over the end
        step = 0.5 if rate == 0.0 else max(min(0.02 * (h - 60.0) / -rate, 5.0), 0.002)
        date = date.shiftedBy(86400.0 * step)
        now = propagator.propagate(date).getOrbit().getA() * 1e-3 - radius * 1e-3
        rate, h, days = (now - h) / step, now, days + step
    # density doubles every 6 km there: the mean rate down to 120 km is three times that at 140 km
    days += (h - 120.0) / (-3.0 * rate)
    print(altitude, f107, inclination, days, flush=True)
    return round(days, 3)


if __name__ == "__main__":
    main()

"""Small datasets for every kind of figure, by the package's own makers of datasets; nothing is propagated."""

from functools import cache

import numpy as np
import xarray as xr
from shell_values import shell_of

import constellation_jax as cj
from constellation_jax.outputs.datasets.decay import make_decay_dataset
from constellation_jax.outputs.datasets.deployment import make_counts_dataset
from constellation_jax.outputs.datasets.passes import make_passes_dataset
from constellation_jax.outputs.datasets.propagation import make_dataset
from constellation_jax.outputs.variables import DEPLOYMENT_STATES, VARIABLES

START = np.datetime64("2027-01-01", "ns")
DAYS = np.linspace(0.0, 1800.0, 61)


def times_of(days: np.ndarray) -> np.ndarray:
    return START + np.rint(days * 86400.0).astype("timedelta64[s]")


@cache
def population() -> xr.Dataset:
    """Every twentieth object of the bundled population, at two instants, of which some have no altitude at the first."""
    catalog = cj.bundled_population()[::20]
    launched = 1998 + np.sort(np.random.default_rng(1).integers(0, 28, len(catalog)))
    catalog = catalog.replace(international_designator=np.array([f"{year}-001A" for year in launched]))
    altitude = np.tile(catalog.mean_altitude_km, (2, 1))
    status = np.zeros(altitude.shape, np.int8)
    status[0, ::50] = 1
    arrays = {"status": status, "altitude": altitude, "mean_altitude": altitude}
    return make_dataset(catalog, times_of(np.array([0.0, 0.001])), arrays, dtype="float64")


@cache
def shells() -> xr.Dataset:
    """Two planned shells for two hours, on circles of two bodies about a turning sphere."""
    made = [
        shell_of(name=name, altitude_km=height, inclination_deg=tilt, planes=8, satellites_per_plane=12)
        for name, height, tilt in (("low", 550.0, 53.0), ("polar", 1200.0, 87.9))
    ]
    catalog = cj.shells_to_catalog(made, epoch=str(START))
    minutes = np.arange(0.0, 120.0, 2.0)[:, None]
    along = np.radians(catalog.mean_anomaly_deg + 360.0 * minutes / catalog.period_minutes)
    tilt = np.radians(catalog.inclination_deg)
    latitude = np.degrees(np.arcsin(np.sin(tilt) * np.sin(along)))
    ahead = np.degrees(np.arctan2(np.cos(tilt) * np.sin(along), np.cos(along)))
    longitude = np.mod(catalog.raan_deg + ahead - 0.25068 * minutes + 180.0, 360.0) - 180.0
    flat = np.ones_like(latitude) * catalog.mean_altitude_km
    arrays = {"status": np.zeros(flat.shape, np.int8), "altitude": flat, "mean_altitude": flat}
    return make_dataset(
        catalog,
        times_of(minutes[:, 0] / 1440.0),
        arrays | {"latitude": latitude, "longitude": longitude},
        dtype="float64",
    )


@cache
def decayed(count: int = 5, solar: str = "median") -> xr.Dataset:
    """Decays from 380 to 560 km with bands, of which the highest outlive the span; the first instant of one is before its epoch."""
    heights = np.linspace(380.0, 560.0, count)
    catalog = cj.shells_to_catalog(
        [
            shell_of(name=f"S{h:.0f}", altitude_km=h, inclination_deg=53, planes=1, satellites_per_plane=1)
            for h in heights
        ],
        epoch=str(START),
    )
    faster = {"low": 0.6, "median": 1.0, "high": 1.7}[solar]

    def fall(speed: float) -> tuple[np.ndarray, np.ndarray]:
        lifetime = 150.0 * np.exp((heights - 380.0) / 55.0) / speed
        left = 1.0 - DAYS[:, None] / lifetime
        altitude = 120.0 + (heights - 120.0) * np.maximum(left, 0.0) ** 0.3
        altitude[left <= 0.0] = np.nan
        return lifetime, altitude

    lifetime, altitude = fall(faster)
    altitude[0, -1] = np.nan
    beyond = lifetime > DAYS[-1]

    def dates(days: np.ndarray) -> np.ndarray:
        found = times_of(days)
        found[days > DAYS[-1]] = np.datetime64("NaT")
        return found

    spread = [fall(faster * part) for part in (1.4, 1.0, 0.7)]
    arrays = {
        "mean_altitude": altitude,
        "lifetime": np.where(beyond, np.nan, lifetime),
        "reentry_date": dates(lifetime),
        "mean_altitude_percentile": np.stack([each[1] for each in spread]),
        "lifetime_percentile": np.stack([np.where(each[0] > DAYS[-1], np.nan, each[0]) for each in spread]),
        "reentry_date_percentile": np.stack([dates(each[0]) for each in spread]),
    }
    return make_decay_dataset(
        catalog, times_of(DAYS), arrays, shells=[], solar=solar, percentiles=(5.0, 50.0, 95.0), attributes={}
    )


@cache
def kept() -> xr.Dataset:
    """Velocity increments of six altitudes, highest first."""
    altitude = np.linspace(600.0, 300.0, 6)
    delta_v = np.array([[0.4], [1.0], [2.5]]) * 60.0 * np.exp((450.0 - altitude) / 60.0)
    return xr.Dataset(
        {
            "delta_v": VARIABLES["delta_v"].as_xarray(delta_v),
            "delta_v_peak": VARIABLES["delta_v_peak"].as_xarray(1.6 * delta_v),
            "mean_altitude": VARIABLES["mean_altitude"].as_xarray(altitude, ("shell",)),
        },
        coords={"solar": ["low", "median", "high"], "shell": [f"{a:.0f} km" for a in altitude]},
    )


@cache
def deployed() -> xr.Dataset:
    """Two systems over four years, with bands."""
    days = START.astype("datetime64[D]") + np.arange(0, 1460, 10)
    t = np.linspace(0.0, 4.0, len(days))
    launched = np.stack([120.0 * t**1.5, 80.0 * t])
    parts = {"raising": 0.12, "on_station": 0.78, "failed": 0.03, "deorbiting": 0.02, "gone": 0.05}
    counts = {state: np.rint(launched * parts.get(state, 1.0)) for state in DEPLOYMENT_STATES}
    bands = {state: np.stack([0.8 * v, v, 1.15 * v]) for state, v in counts.items()}
    return make_counts_dataset(days, ["Alpha", "Beta"], counts, [648, None], bands=bands, attributes={"draws": 200})


@cache
def history() -> xr.Dataset:
    """Element sets of three launches of four satellites over half a year, which climb to 550 km; with their phases."""
    launch, satellite, day = (v.ravel() for v in np.meshgrid(range(3), range(4), range(0, 180, 6), indexing="ij"))
    since = day - 25.0 * launch
    altitude = np.minimum(550.0, 320.0 + np.maximum(since - 10.0 - satellite, 0.0) * 3.0)
    flown = since >= 0
    designators = [f"2027-{k + 10:03d}{'ABCD'[s]}" for k, s in zip(launch[flown], satellite[flown], strict=True)]
    catalog = cj.Catalog.from_columns({
        "norad_id": (60000 + 10 * launch + satellite)[flown],
        "name": np.array([f"ALPHA-{k}" for k in (10 * launch + satellite)[flown]]),
        "international_designator": np.array(designators),
        "epoch": times_of(day[flown].astype(float)),
        "mean_motion_rev_per_day": 86400.0 / (2 * np.pi) * np.sqrt(398600.8 / (6378.135 + altitude[flown]) ** 3),
        "eccentricity": 1e-4, "inclination_deg": 53.0, "raan_deg": 0.0, "arg_perigee_deg": 0.0, "mean_anomaly_deg": 0.0,
    })  # fmt: skip
    rows = np.tile(catalog.mean_altitude_km, (1, 1))
    dataset = make_dataset(catalog, [START], {"status": np.zeros(rows.shape, np.int8), "mean_altitude": rows})
    state = np.where(altitude[flown] > 545.0, 0, 1).astype(np.int8)
    return dataset.assign(match_state=VARIABLES["match_state"].as_xarray(state))


@cache
def tuned() -> xr.Dataset:
    """A sweep of eight points, of which two are beaten by others, one did not converge and one is infeasible."""
    status = {"flag_values": np.arange(3, dtype=np.int8), "flag_meanings": "converged not_converged infeasible"}
    x = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.25, 0.35, np.nan])
    y = np.array([9.0, 7.0, 5.6, 5.0, 4.7, 6.5, 5.9, np.nan])
    link = {"units": "ms", "long_name": "light time from user to gateway and back, mean of the satellites in view"}
    duty = {"units": "1", "long_name": "fraction of the worst ten days that the thruster works"}
    return xr.Dataset(
        {
            "round_trip": ("shell", [5.0], link),
            "round_trip_before": ("shell", [7.5]),
            "sweep_round_trip": (("sweep", "shell"), y[:, None]),
            "duty_cycle_peak": (("solar", "shell"), [[0.2], [0.3]], duty),
            "duty_cycle_peak_before": (("solar", "shell"), [[0.1], [0.15]]),
            "sweep_duty_cycle_peak": (("sweep", "solar", "shell"), np.stack([0.6 * x, x], axis=1)[:, :, None]),
            "sweep_status": ("sweep", np.array([0, 0, 0, 0, 0, 0, 1, 2], np.int8), status),
            "history_objective": ("evaluation", 5.0 + 3.0 * np.exp(-np.arange(12) / 3.0), {"units": "1"}),
            "history_violation": ("evaluation", [0.2, 0.1, 0.05, 0.01, *[0.0] * 8], {"units": "1"}),
        },
        coords={"solar": ["median", "high"], "shell": ["VLEO"], "sweep": x},
    )


@cache
def rates() -> xr.Dataset:
    """Encounters between five shells, of which two never meet."""
    names = ["catalogue", "Starlink 550", "Guowang 508", "Qianfan 1070", "Kuiper 630"]
    size = np.array([30.0, 12.0, 5.0, 4.0, 2.0])
    matrix = size[:, None] * size / 40.0
    matrix[3, 4] = matrix[4, 3] = 0.0
    attributes = {"units": "day-1", "long_name": "encounters within 5 km"}
    return xr.Dataset(
        {"encounters_per_day": (("shell", "other"), matrix, attributes)}, {"shell": names, "other": names}
    )


@cache
def seen() -> xr.Dataset:
    """Three passes over one site, one in the shadow and one under way at the end of the span, and one over another site."""
    catalog = cj.bundled_population()[:2]
    sites = (cj.Site("Home", 48.8, 9.2), cj.Site("Away", -30.0, 20.0))
    time = START + np.array([[0, 4, 8], [100, 103, 106], [200, 204, 0], [50, 53, 57]]).astype("timedelta64[m]")
    time[2, 2] = np.datetime64("NaT")
    nan = np.nan
    arrays = {
        "pass_site": np.array([0, 0, 0, 1], np.int32),
        "pass_satellite": np.array([0, 1, 1, 0], np.int32),
        "event_time": time,
        "event_azimuth": np.array([[250, 330, 50], [300, 10, 80], [200, 150, nan], [10, 90, 170]], np.float32),
        "event_sunlit": np.array([[1, 1, 1], [0, 0, 0], [1, 1, nan], [1, 1, 1]], np.float32),
        "max_elevation": np.array([70.0, 35.0, 20.0, 85.0], np.float32),
        "least_range": np.full(4, 600.0, np.float32),
        "sun_elevation": np.full(4, -20.0, np.float32),
        "is_visible": np.array([1, 0, 1, 1], np.int8),
    }
    span = START + np.array([0, 205]).astype("timedelta64[m]")
    return make_passes_dataset(catalog, sites, span, arrays, attributes={"min_elevation": 10.0})

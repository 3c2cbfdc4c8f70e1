"""constellation_jax: every satellite and every planned constellation, propagated together in JAX.

`import constellation_jax as cj` gives the public names below, loaded when they are first used; importing it starts no JAX, opens no
file and changes no flag.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    # name: module that defines it, below constellation_jax
    "Catalog": "inputs.catalog.catalog",
    "Reject": "inputs.catalog.catalog",
    "read_catalog": "inputs.element_sets.read",
    "bundled_population": "inputs.catalog.population",
    "load_shells": "inputs.shells.files",
    "Shell": "inputs.shells.shell",
    "shells_to_catalog": "inputs.shells.lattice",
    "fetch": "inputs.catalog.celestrak",
    "time_grid": "inputs.times",
    "space_weather": "inputs.environment.space_weather",
    "SpaceWeather": "inputs.environment.space_weather_series",
    "Elements": "physics.sgp4.elements",
    "sgp4": "physics.sgp4.api",
    "frames": "physics.frames",
    "STATUS": "physics.sgp4.status",
    "propagate": "studies.propagation.propagate",
    "propagate_to": "studies.propagation.propagate",
    "jacobians": "studies.propagation.jacobians",
    "deploy": "studies.deployment.deploy",
    "deployed_catalog": "studies.deployment.catalog",
    "cadence_needed": "studies.deployment.cadence",
    "load_deployment": "inputs.deployment.files",
    "known_deployments": "inputs.deployment.files",
    "Deployment": "inputs.deployment.files",
    "ephemeris_to": "studies.ephemeris.write",
    "open_ephemeris": "studies.ephemeris.read",
    "decay": "studies.decay.decay",
    "lifetimes": "studies.decay.decay",
    "station_keeping": "studies.decay.station_keeping",
    "fit_ballistic_coefficient": "studies.decay.ballistic_fit",
    "drag_climate": "studies.decay.fill_tables",
    "DragClimate": "physics.drag.tables",
    "delta_v_per_year": "physics.drag.tables",
    "propellant_kg": "physics.drag.station_keeping",
    "duty_cycle": "physics.drag.station_keeping",
    "thruster_margin": "physics.drag.station_keeping",
    "lifetime_table": "studies.decay.fill_tables",
    "LifetimeTable": "physics.drag.tables",
    "lifetime_years": "physics.drag.tables",
    "Launcher": "physics.merit.cost",
    "ShellCost": "physics.merit.cost",
    "launcher": "studies.deployment.launcher",
    "shell_cost": "physics.merit.cost",
    "raising_delta_v": "physics.merit.cost",
    "launch_mass_kg": "physics.merit.cost",
    "launches_needed": "physics.merit.cost",
    "replacements_per_year": "physics.merit.cost",
    "demand": "inputs.environment.demand",
    "Demand": "inputs.environment.demand",
    "coverage": "physics.merit.coverage",
    "coverage_gaps": "physics.merit.revisit",
    "link": "physics.merit.link",
    "crowding": "physics.merit.conjunction_rate",
    "crowding_background": "inputs.environment.crowding_background",
    "tune": "studies.tuning.tune",
    "TuneResult": "studies.tuning.tune",
    "known_studies": "inputs.tuning.files",
    "load_study": "inputs.tuning.files",
    "Study": "inputs.tuning.problem",
    "write_shells": "outputs.shell_file",
    "InputError": "errors",
    "OutputError": "errors",
    "known_shells": "inputs.shells.files",
    "configure": "settings",
    "match_shells": "studies.matching.match",
    "plots": "views.plots",
}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_PUBLIC[name]}")
    value = getattr(module, name, module)  # "sgp4" and its like are modules themselves
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

"""Table of the kinds of figures: name, picture, and the command that makes a fitting file. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Kind(NamedTuple):
    """One kind of figure: a function of `cj.plots`, and on the command line its name with hyphens."""

    name: str
    """Name of the function."""
    picture: str
    """Contents of the figure, for the help."""
    command: str
    """Words of the command, or line of Python, that makes a fitting file."""
    others: str = ""
    """Parameter to which the files after the first go on the command line; empty where there is one file."""

    @property
    def source(self) -> str:
        """Command line, or line of Python, that makes a fitting file."""
        return self.command if self.command.startswith("cj.") else f"constellation-jax {self.command}"


_KINDS: Final = (
    Kind("objects_in_orbit", "objects in orbit by year, stacked", "decay active --output decay.nc"),
    Kind("altitude_histogram", "satellites or density by altitude, stacked", "propagate --catalog active --output day.nc",
         "planned"),
    Kind("inclination_against_altitude", "inclination and altitude of shells, area by count",
         "propagate --catalog active --output day.nc"),
    Kind("gabbard", "apogee and perigee against period", "propagate --catalog active --output day.nc"),
    Kind("ground_track", "ground tracks on a map", "propagate --catalog FILE --variables geodetic --output tracks.nc"),
    Kind("track_density", "density of ground tracks on a map",
         "propagate --catalog active --variables geodetic --output tracks.nc"),
    Kind("shell_slots", "planes and slots of a shell", "propagate --shells starlink:flown --output shell.nc"),
    Kind("launch_groups", "altitude of each launch over the epochs of its element sets",
         "propagate --catalog HISTORY --duration 1min --step 1min --output history.nc"),
    Kind("deployment_states", "satellites in each state by date, with milestones",
         "deploy qianfan --draws 200 --output deploy.nc"),
    Kind("altitude_over_time", "decay with percentiles, and F10.7", "decay FILE --output decay.nc", "between"),
    Kind("lifetime_against_altitude", "lifetime by altitude, one file a solar activity",
         "decay --shells FILE --solar low --output low.nc", "datasets"),
    Kind("delta_v_against_altitude", "velocity increment that holds an altitude",
         "station-keeping --shells FILE --output keeping.nc"),
    Kind("satellites_in_view", "satellites above an elevation by latitude",
         "propagate --shells kuiper --variables altitude,geodetic --output orbits.nc"),
    Kind("coverage_map", "satellites in view, or the longest gap, on a map",
         "propagate --shells kuiper --variables altitude,geodetic --output orbits.nc"),
    Kind("crowding", "objects by altitude and year", "decay active --output decay.nc"),
    Kind("encounter_rates", "encounters a day between shells", "cj.encounter_rates(catalog, shells).to_netcdf('rates.nc')"),
    Kind("convergence", "objective at each evaluation of a tuning", "tune casic-vleo --output tuned.nc"),
    Kind("pareto", "two figures of merit along the sweep of a tuning", "tune casic-vleo --output tuned.nc"),
    Kind("predicted_against_observed", "predicted and observed re-entries",
         "decay FILE --output decay.nc"),
    Kind("sky", "passes on the sky of a site", "passes bundled --site Home,48.8,9.2 --output passes.nc"),
)  # fmt: skip
KINDS: Final[Mapping[str, Kind]] = {kind.name: kind for kind in _KINDS}
"""Kind of figure by the name of its function."""

"""Figures of the package's Datasets, one function each: `cj.plots.altitude_histogram(dataset)`.

Each draws into the given axes, or into a new figure in the style of `STYLE` that pyplot does not manage, and returns the axes:
`axes.figure.savefig("altitudes.svg")`. Labels and units come from the Dataset; what a figure leaves out it says above its axes.
matplotlib is the extra `plot`, imported when something is drawn. Deliberately absent: projections, and showing or closing a figure.
"""

from constellation_jax.views.plots.conjunctions import crowding as crowding
from constellation_jax.views.plots.conjunctions import encounter_rates as encounter_rates
from constellation_jax.views.plots.decay import altitude_over_time as altitude_over_time
from constellation_jax.views.plots.decay import delta_v_against_altitude as delta_v_against_altitude
from constellation_jax.views.plots.decay import lifetime_against_altitude as lifetime_against_altitude
from constellation_jax.views.plots.decay import predicted_against_observed as predicted_against_observed
from constellation_jax.views.plots.deployment import deployment_states as deployment_states
from constellation_jax.views.plots.deployment import launch_groups as launch_groups
from constellation_jax.views.plots.deployment import objects_in_orbit as objects_in_orbit
from constellation_jax.views.plots.ground import coverage_map as coverage_map
from constellation_jax.views.plots.ground import ground_track as ground_track
from constellation_jax.views.plots.ground import satellites_in_view as satellites_in_view
from constellation_jax.views.plots.ground import track_density as track_density
from constellation_jax.views.plots.orbits import altitude_histogram as altitude_histogram
from constellation_jax.views.plots.orbits import gabbard as gabbard
from constellation_jax.views.plots.orbits import inclination_against_altitude as inclination_against_altitude
from constellation_jax.views.plots.orbits import shell_slots as shell_slots
from constellation_jax.views.plots.sky import sky as sky
from constellation_jax.views.plots.style import STYLE as STYLE
from constellation_jax.views.plots.tuning import convergence as convergence
from constellation_jax.views.plots.tuning import pareto as pareto

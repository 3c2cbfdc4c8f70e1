"""Figures of merit of shells: smooth functions of a shell as a whole, differentiable in it, pure JAX.

    coverage          satellites in view of a latitude: mean number, and chance of at least k
    revisit           longest gap without a satellite in view, and a smooth margin of continuous coverage
    link              slant range, light time and path loss, by elevation and averaged over the satellites in view
    conjunction_rate  expected close approaches with a background catalogue and between shells
    drag              velocity increments, propellant, duty cycle and lifetimes, from tables filled by the engine of decay
    cost              satellites, mass, launches and replacements

Where a function takes shells, that is one `constellation_jax.Shell`, a stack of them (a `Shell` whose numbers are arrays of one
shape), or a list of shells. Results have the shape of the stack, () for one shell and (shells,) for a list.
"""

from constellation_jax.physics.merit import conjunction_rate as conjunction_rate
from constellation_jax.physics.merit import cost as cost
from constellation_jax.physics.merit import coverage as coverage
from constellation_jax.physics.merit import drag as drag
from constellation_jax.physics.merit import link as link
from constellation_jax.physics.merit import revisit as revisit

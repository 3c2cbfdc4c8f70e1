"""Objects that hold or change their orbits by thrust: which they are, and the ballistic coefficient of their class.

Three kinds of evidence: the state at a shell (`match_shells`), a climb in the element sets, and a drag term too small for an
object that is left alone (`Ballistic.is_held` of inputs.py, which knows the atmosphere). Debris and rocket bodies, by name or type,
never thrust. Deep space is left out: the Moon and the Sun change mean motions there.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.decay.engine import Floats
from constellation_jax.inputs.catalog.catalog import NO_NORAD_ID, Catalog
from constellation_jax.inputs.shells.shell import Shell
from constellation_jax.studies.matching.match import MATCH_STATES, ShellMatch, load_flown_shells, match_shells
from constellation_jax.studies.matching.motion import find_remains, find_systems, measure_climb_km_per_day

DECAY_MEANINGS: Final = ("uncontrolled", "if_left_alone_now", "if_it_goes_on_descending")
"""Meanings of a decay, by number."""
CLIMB_KM_PER_DAY: Final = 0.002
"""Climb of a single element set that only thrust explains. Of 4,235 pieces of debris and rocket bodies of 2026-03-10, 0.2 % seem to
climb as fast, all above 800 km, where drag is lost in the noise and sunlight pushes."""
RISE_KM: Final = 0.003
"""Least rise of the median of three sets over that of the three before that shows thrust."""
RISE_SCATTERS: Final = 3.0
"""The same in units of the scatter from set to set. Histories of passive objects of 2001 to 2026 stay below 1.7 in 60 days."""
STEP_KM: Final = 0.5
"""Rise from one set to the next that only thrust explains, where there are too few sets for medians."""
_FEWEST_SETS: Final = 8
"""Fewest sets whose medians are compared."""


class OrbitControl(NamedTuple):
    """Evidence of thrust, and the class of each object, shape (satellites,)."""

    manoeuvres: NDArray[np.bool_]
    """True where an object holds or changes its orbit by thrust."""
    match_state: NDArray[np.int8]
    """State at a shell of its constellation, position in MATCH_STATES."""
    coefficient: Floats
    """Ballistic coefficient of the class of an object that manoeuvres, left alone, m2/kg; NaN where no shell file states one."""

    def take(self, those: NDArray[np.bool_]) -> OrbitControl:
        """The same for some of the objects."""
        return OrbitControl(self.manoeuvres[those], self.match_state[those], self.coefficient[those])

    def add(self, is_held: NDArray[np.bool_], catalog: Catalog) -> OrbitControl:
        """The same with the evidence of drag terms (`Ballistic.is_held`); of several sets of an object, most have to show it."""
        _, of = np.unique(_number_objects(catalog.norad_id), return_inverse=True)
        shares = np.bincount(of, is_held) / np.bincount(of)
        return self._replace(manoeuvres=self.manoeuvres | ((shares[of] > 0.5) & ~find_remains(catalog)))


def find_orbit_control(catalog: Catalog) -> OrbitControl:
    """Find the objects that hold or change their orbits by thrust.

    These are the objects on station or raising at a shell of a bundled constellation as flown; those that lower while another
    shell in use lies below them, where they may stop; and those that `find_raised` finds. Of an object with several sets, the
    newest decides about its shell.
    """
    n = len(catalog)
    number = {name: k for k, name in enumerate(MATCH_STATES)}
    state, coefficient = np.full(n, number["other"], np.int8), np.full(n, np.nan)
    kept = find_raised(catalog)
    shells = load_flown_shells()
    tracked = np.flatnonzero(~catalog.synthetic & (find_systems(catalog.name, [s.system for s in shells]) != ""))
    if not len(tracked):
        return OrbitControl(kept, state, coefficient)
    newest, of = _find_newest(catalog, tracked)
    match = match_shells(catalog[newest], shells)
    found = np.array([number[name] for name in match.state.tolist()], np.int8)
    may_stop = (match.state == "lowering") & match.has_shell_below
    controlled = np.isin(match.state, ("on_station", "raising")) | may_stop
    of_class = np.where(controlled, _find_class_coefficients(match, shells), np.nan)
    state[tracked], coefficient[tracked] = found[of], of_class[of]
    kept[tracked] |= controlled[of]
    return OrbitControl(kept, state, coefficient)


def find_decay_meanings(control: OrbitControl) -> NDArray[np.int8]:
    """Meaning of the decay of each object, position in DECAY_MEANINGS. Shape (satellites,)."""
    lowers = control.match_state == MATCH_STATES.index("lowering")
    return np.where(control.manoeuvres, 1, np.where(lowers, 2, 0)).astype(np.int8)


def find_raised(catalog: Catalog) -> NDArray[np.bool_]:
    """Find objects whose element sets show the orbit being raised, against drag. Boolean, shape (satellites,).

    A climb of more than 2 m a day by the derivative of the mean motion; or, of objects with several sets, a rise above the scatter
    of the sets, which then marks all of them.
    """
    found = measure_climb_km_per_day(catalog) > CLIMB_KM_PER_DAY
    altitude = catalog.mean_altitude_km
    known = np.flatnonzero(catalog.norad_id != NO_NORAD_ID)
    order = known[np.lexsort((catalog.epoch[known], catalog.norad_id[known]))]
    for sets in np.split(order, np.flatnonzero(np.diff(catalog.norad_id[order])) + 1):
        if len(sets) > 1:
            found[sets] = (found[sets].mean() > 0.5) | _rises(altitude[sets])
    return np.asarray(found & ~catalog.is_deep_space & ~catalog.synthetic & ~find_remains(catalog))


def _rises(altitude_km: Floats) -> bool:
    """Tell whether successive mean altitudes of one object show thrust."""
    step = np.diff(altitude_km)
    if len(altitude_km) < _FEWEST_SETS:
        return bool((step > STEP_KM).any())
    scatter = 1.4826 * np.median(np.abs(step - np.median(step)))
    medians = np.median(np.lib.stride_tricks.sliding_window_view(altitude_km, 3), axis=1)
    return bool((medians[3:] - medians[:-3]).max() > max(RISE_KM, RISE_SCATTERS * scatter))


def _find_newest(catalog: Catalog, at: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Positions of the newest set of each object among those at `at`, and, for each of those, the place of its object in them."""
    number = _number_objects(catalog.norad_id[at])
    order = np.lexsort((catalog.epoch[at], number))
    last = np.append(np.diff(number[order]) != 0, True)
    _, of = np.unique(number, return_inverse=True)
    return at[order[last]], of


def _number_objects(norad_id: NDArray[np.int64]) -> NDArray[np.int64]:
    """Catalogue numbers, with a number of its own for each object without one. Shape (n,)."""
    return np.where(norad_id == NO_NORAD_ID, NO_NORAD_ID - 1 - np.arange(len(norad_id)), norad_id)


def _find_class_coefficients(match: ShellMatch, shells: list[Shell]) -> Floats:
    """Ballistic coefficient of the satellites of the shell of each object, left alone, m2/kg; NaN where none is known.

    A satellite that is left alone no longer holds its attitude. So it is the one that a shell file states, or else that of a
    tumbling satellite. An unlisted shell takes it from the nearest listed one of its inclination.
    """
    coefficient = np.full(len(match.shell), np.nan)
    for row in match.shells:
        near = [
            s for s in shells if s.system == row.system and abs(s.orbit.inclination_deg - row.inclination_deg) <= 1.0
        ]
        if not near:  # a line outside the shells
            continue
        shell = min(near, key=lambda s: (s.name != row.shell, abs(s.orbit.altitude_km - row.altitude_km)))
        craft = shell.spacecraft
        stated = craft.ballistic_coefficient_m2_kg or craft.ballistic_coefficient("tumbling")
        if stated is not None:
            coefficient[(match.system == row.system) & (match.shell == row.shell)] = stated
    return coefficient

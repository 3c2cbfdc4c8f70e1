"""Closest approaches of candidate pairs, in float64: Newton's method on the derivative of the squared distance."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.screening.state_lists import ListStates, StateLists
from constellation_jax.physics.constants import MU

Floats = NDArray[np.float64]
_TURNS: Final = 2
"""Newton's steps from a straight line: the first leaves a microsecond, the second nothing."""
_MOST_TURNS: Final = 8
_CONVERGED_S: Final = 1e-6


class Encounters(NamedTuple):
    """Pairs at instants, with the states of both."""

    first: NDArray[np.int32]
    """Lower index of the two objects, shape (encounters,)."""
    second: NDArray[np.int32]
    seconds: Floats
    """Since the start of the span."""
    states: tuple[ListStates, ListStates]
    """States of both objects."""

    @property
    def distance(self) -> Floats:
        """Distance, km, shape (encounters,)."""
        return np.asarray(np.sqrt((self.separation**2).sum(axis=0)))

    @property
    def separation(self) -> Floats:
        """Position of the second seen from the first, km, shape (3, encounters)."""
        return self.states[1].position - self.states[0].position

    @property
    def speed(self) -> Floats:
        """Relative speed, km/s, shape (encounters,)."""
        return np.asarray(np.sqrt(((self.states[1].velocity - self.states[0].velocity) ** 2).sum(axis=0)))

    @property
    def closing(self) -> Floats:
        """Half the derivative of the squared distance, km^2/s, shape (encounters,)."""
        return np.asarray((self.separation * (self.states[1].derivative - self.states[0].derivative)).sum(axis=0))

    @property
    def correction(self) -> Floats:
        """Newton's step to the closest approach, s, shape (encounters,)."""
        v = self.states[1].derivative - self.states[0].derivative
        with np.errstate(divide="ignore", invalid="ignore"):
            return -self.closing / ((v * v).sum(axis=0) + (self.separation * self._pull).sum(axis=0))

    @property
    def _pull(self) -> Floats:
        """Relative acceleration of point masses, km/s^2."""
        one, other = (state.position / (state.position**2).sum(axis=0) ** 1.5 for state in self.states)
        return -MU * (other - one)

    def part(self, entries: Any) -> Encounters:
        """Select some of them."""
        one, other = self.states
        return Encounters(
            self.first[entries], self.second[entries], self.seconds[entries], (one.part(entries), other.part(entries))
        )


def encounters_at(lists: StateLists, first: Any, second: Any, seconds: Floats) -> Encounters:
    """Compute pairs at instants, shape (encounters,) each."""
    both = lists.at(np.concatenate([first, second]), np.concatenate([seconds, seconds]))
    count = len(first)
    return Encounters(first, second, seconds, (both.part(slice(count)), both.part(slice(count, None))))


def approach(lists: StateLists, first: Any, second: Any, seconds: Floats, reach_s: Floats | float) -> Encounters:
    """Find the closest approaches near some instants.

    Args:
        lists: states of the objects.
        first, second: indices, shape (pairs,).
        seconds: where to begin.
        reach_s: largest distance from there.

    Returns:
        The encounters at the closest approach; those whose states are not there have NaN.
    """
    found = encounters_at(lists, first, second, seconds)
    for turn in range(_MOST_TURNS):
        step = found.correction
        late = np.flatnonzero(np.abs(step) > _CONVERGED_S) if turn >= _TURNS else np.arange(len(step))
        if not len(late):
            break
        moved = found.seconds.copy()
        moved[late] = np.clip(
            moved[late] + np.nan_to_num(step[late]), (seconds - reach_s)[late], (seconds + reach_s)[late]
        )
        if len(late) == len(step):
            found = encounters_at(lists, first, second, moved)
            continue
        again = encounters_at(lists, first[late], second[late], moved[late])
        for old, new in zip(found.states, again.states, strict=True):
            for values, others in zip(old, new, strict=True):
                values[:, late] = others
        found = found._replace(seconds=moved)
    return found

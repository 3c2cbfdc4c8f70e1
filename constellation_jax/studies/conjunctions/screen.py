"""Close approaches of everything with everything, planned shells included, over any span. The physics is in engine/screening."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final, TypedDict

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from constellation_jax.engine.default_device import on_device
from constellation_jax.engine.screening.engine import CloseApproaches, ScreeningEngine
from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.catalog.catalog import NO_NORAD_ID, Catalog, check_catalog
from constellation_jax.inputs.times import Span, parse_span, to_day_fraction
from constellation_jax.outputs.conjunction_variables import CONJUNCTION_FLAGS
from constellation_jax.outputs.datasets.conjunctions import make_conjunctions_dataset
from constellation_jax.physics.conjunctions.encounter import ric_axes
from constellation_jax.studies.conjunctions.fleets import Groups, find_fleets, find_planned_shells, is_same
from constellation_jax.studies.propagation.runs import Counter, Progress, make_counter

_LOGGER = logging.getLogger("constellation_jax")
FARTHEST_KM: Final = 50.0
"""Largest distance that is searched: beyond, half of all objects are near each other."""
STEP_S: Final = 120.0
MEMORY_BYTES: Final = 2**30
"""Default bound on the events of a run."""
OLD_DAYS: Final = 30.0
"""Distance of the span from an epoch beyond which elements say little about who meets whom."""
EVENT_BYTES: Final = 400
"""Memory of an event, with what is there at the end beside it."""

Primaries = str | int | Iterable[str | int] | NDArray[np.bool_]
"""Objects by catalogue number, name or pattern, or a mask of all objects."""


@on_device
def conjunctions(
    catalog: Catalog,
    span: Span,
    distance_km: float = 5.0,
    *,
    primaries: Primaries | None = None,
    same_fleet: bool = False,
    same_shell: bool = False,
    step_s: float = STEP_S,
    memory_bytes: int = MEMORY_BYTES,
    device: str | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Find all close approaches among the objects of a catalogue, planned shells included.

    Positions come from SGP4 every two minutes; pairs are found by boxes and straight lines whose bounds miss nothing
    (docs/concepts/screening.md), and refined by SGP4 in float64: the time of closest approach is where the distance of the
    positions is least. Pairs slower than 10 m/s are one event as long as they stay together, at their least distance. Where the
    distance is within the threshold at an end of the span and the closest approach beyond it, the event is at that end, and
    flagged. An object counts up to the last step before it decays or fails. Two element sets of one catalogue number are no pair.

    Public element sets are good to a kilometre at best: what is found here ranks and counts approaches, and decides on no
    manoeuvre.

    Args:
        catalog: n objects; `Catalog.concatenate` joins tracked and planned ones.
        span: (start, end), (start, length) such as ("2026-03-10T04:00", "7 days"), or times whose first and last are the ends.
        distance_km: largest miss distance, up to 50 km.
        primaries: objects of which one is in every pair, by catalogue number, name or pattern, or as a mask of shape (n,); None:
        all.
        same_fleet: whether pairs of one fleet count too. Without, satellites on station of one known constellation, and planned
            ones of it, are taken to be kept apart by their operator.
        same_shell: whether pairs of one planned shell count too. They are of one fleet as well.
        step_s: s between the instants of the search, 10 to 120. The result does not depend on it.
        memory_bytes: bound on the events; a run that is going to have more ends with an error that says how many.
        device: platform that propagates and, where it is an accelerator, searches for pairs, as for `propagate`.
        progress: called as work is done.

    Returns:
        Dataset with the dim event, in order of time: objects, time of closest approach, miss distance, its radial, in-track and
        cross-track parts, relative speed, ages of the elements, states in TEME, and `status`, whose flags say what is special.

    Raises:
        InputError: no object; a span, distance, step or primary that cannot be; more events than memory holds.
    """
    screening = Screening(
        catalog, span, distance_km, primaries=primaries, same_fleet=same_fleet, same_shell=same_shell, step_s=step_s,
        memory_bytes=memory_bytes, device=device,
    )  # fmt: skip
    engine = screening.make_engine(0.0, screening.span_s)
    found = screening.run(engine, make_counter(progress, engine.steps * len(catalog)))
    return screening.make_dataset(found)


class ScreeningOptions(TypedDict, total=False):
    """Arguments of `conjunctions` that `conjunctions_to` hands on."""

    primaries: Primaries | None
    same_fleet: bool
    same_shell: bool
    step_s: float
    memory_bytes: int


class Screening:
    """Checked inputs of a run; arguments and errors are those of `conjunctions`."""

    def __init__(
        self,
        catalog: Catalog,
        span: Span,
        distance_km: float,
        *,
        primaries: Primaries | None = None,
        same_fleet: bool = False,
        same_shell: bool = False,
        step_s: float = STEP_S,
        memory_bytes: int = MEMORY_BYTES,
        device: str | None = None,
    ) -> None:
        check_catalog(catalog)
        self.catalog, self.distance_km, self.step_s = catalog, distance_km, step_s
        self.start, self.stop = parse_span(span)
        _check(catalog, distance_km, step_s)
        _warn_of_age(catalog, self.start, self.stop)
        self.span_s = float((self.stop - self.start) / np.timedelta64(1, "ns")) * 1e-9
        self.is_primary = None if primaries is None else find_primaries(catalog, primaries)
        self.same_fleet, self.same_shell, self.device = same_fleet, same_shell, device
        self._fleets, self._shells = find_fleets(catalog), find_planned_shells(catalog)
        self._most = memory_bytes // EVENT_BYTES

    def make_engine(self, begin_s: float, span_s: float) -> ScreeningEngine:
        """Make the engine of a part of the span that begins some seconds after its start."""
        nanoseconds = np.timedelta64(round(begin_s * 1e9), "ns")
        day, fraction = to_day_fraction(np.array([self.start + nanoseconds]))
        return ScreeningEngine(
            self.catalog.elements, int(day[0]), float(fraction[0]), span_s, distance_km=self.distance_km,
            step_s=self.step_s, is_allowed=self._is_allowed, groups=self._find_groups(), platform=self.device,
        )  # fmt: skip

    def run(self, engine: ScreeningEngine, count: Counter | None, before: int = 0) -> CloseApproaches:
        """Screen the span of an engine, of which so many events are known before."""
        try:
            return engine.screen(self._most - before, count)
        except OverflowError as error:
            raise self.describe_overflow(before + int(error.args[0])) from None

    def describe_overflow(self, expected: int) -> InputError:
        """Describe more events than memory holds."""
        size = f"{expected * EVENT_BYTES / 2**30:.1f} GiB"
        return InputError(
            f"distance_km {self.distance_km:g}: some {expected:,} approaches expected in this span ({size}), memory_bytes "
            f"hold {self._most:,}; ask for a shorter span, a smaller distance or primaries"
        )

    def check_number(self, count: int, done_s: float) -> None:
        """Check that the events of the whole span fit, after so many in its first seconds."""
        expected = int(count * self.span_s / done_s)
        if expected > self._most:
            raise self.describe_overflow(expected)

    def make_dataset(self, found: CloseApproaches) -> xr.Dataset:
        """Make the Dataset of the events of the whole span."""
        arrays = _make_arrays(found, self.start, self.is_primary, self._fleets, self._shells)
        settings = {
            "distance_km": self.distance_km, "same_fleet": int(self.same_fleet), "same_shell": int(self.same_shell),
            "step_s": self.step_s,
            "primaries": len(self.catalog) if self.is_primary is None else int(self.is_primary.sum()),
        }  # fmt: skip
        return make_conjunctions_dataset(self.catalog, (self.start, self.stop), arrays, settings)

    def _find_groups(self) -> NDArray[np.int32]:
        """Number the groups whose own pairs the search leaves out, -1 for none; `_is_allowed` has the rest."""
        if self.is_primary is not None:
            return np.where(self.is_primary, -1, 0).astype(np.int32)
        if not self.same_fleet:
            return np.where(self.same_shell & (self._shells >= 0), -1, self._fleets).astype(np.int32)
        return np.where(self.same_shell, -1, self._shells).astype(np.int32)

    def _is_allowed(self, first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.bool_]:
        number = self.catalog.norad_id[first]
        keep = (number != self.catalog.norad_id[second]) | (number == NO_NORAD_ID)
        if self.is_primary is not None:
            keep &= self.is_primary[first] | self.is_primary[second]
        in_shell = is_same(self._shells, first, second)
        if not self.same_shell:
            keep &= ~in_shell
        if not self.same_fleet:  # pairs of one shell that were asked for stay
            keep &= ~is_same(self._fleets, first, second) | (self.same_shell & in_shell)
        return np.asarray(keep)


def find_primaries(catalog: Catalog, primaries: Primaries) -> NDArray[np.bool_]:
    """True for the primaries, shape (objects,).

    Raises:
        InputError: a mask of another shape, or a number or name that no object has; it names the nearest one.
    """
    if isinstance(primaries, np.ndarray) and primaries.dtype == np.bool_:
        if primaries.shape != (len(catalog),):
            raise InputError(f"primaries: found a mask of shape {primaries.shape}, expected ({len(catalog)},)")
        return primaries
    found = np.zeros(len(catalog), np.bool_)
    words = [primaries] if isinstance(primaries, str | int | np.integer) else list(primaries)
    for word in words:
        is_number = str(word).strip().isdigit()
        own = catalog.norad_id == int(word) if is_number else np.zeros(len(catalog), np.bool_)
        if not own.any():
            own = _fits(catalog.name, str(word))
        if not own.any():
            near = suggest(str(word).upper(), set(catalog.name.tolist()))
            raise InputError(f"primaries: {word!r} is not among the {len(catalog)} objects{near}")
        found |= own
    if not words:
        raise InputError("primaries: found none, expected numbers, names or a mask; None stands for all")
    return found


def _fits(names: NDArray[np.str_], pattern: str) -> NDArray[np.bool_]:
    from constellation_jax.inputs.catalog.selection import find_matches

    return find_matches("name", names, [pattern])


def _check(catalog: Catalog, distance_km: float, step_s: float) -> None:
    if not len(catalog):
        raise InputError("catalogue: no objects; there is nothing to screen")
    if not 0.0 < distance_km <= FARTHEST_KM:  # NaN falls here too
        raise InputError(f"distance_km {distance_km!r}: expected a distance above 0, up to {FARTHEST_KM:g} km")
    if not 10.0 <= step_s <= 120.0:
        raise InputError(f"step_s {step_s!r}: expected 10 to 120 s")


def _warn_of_age(catalog: Catalog, start: np.datetime64, stop: np.datetime64) -> None:
    """Log a warning where the span lies outside of the days for which element sets say who meets whom."""
    days = np.abs((np.array([start, stop])[:, None] - catalog.epoch) / np.timedelta64(86400, "s")).max(axis=0)
    old = days > OLD_DAYS
    tracked = old & ~catalog.synthetic
    if tracked.any():
        _LOGGER.warning(
            "%d of %d element sets: the span reaches %.0f to %.0f days from their epochs, and says little about who meets whom "
            "beyond %.0f days",
            *(int(tracked.sum()), len(catalog), days[tracked].min(), days[tracked].max(), OLD_DAYS),
        )


def _make_arrays(
    events: CloseApproaches, start: np.datetime64, is_primary: NDArray[np.bool_] | None, fleets: Groups, shells: Groups
) -> dict[str, NDArray[Any]]:
    """Variables of the Dataset, in order of time, the primary of each pair first."""
    met = events.encounters
    order = np.lexsort((met.second, met.first, met.seconds))
    first, second = met.first[order], met.second[order]
    positions, velocities = ([state[k][:, order].T for state in met.states] for k in (0, 2))
    if is_primary is not None:
        swap = ~is_primary[first]
        first, second = np.where(swap, second, first), np.where(swap, first, second)
        for pair in (positions, velocities):
            pair[:] = [np.where(swap[:, None], pair[1 - k], pair[k]) for k in range(2)]
    axes = ric_axes(positions[0], velocities[0])
    miss, speed = positions[1] - positions[0], velocities[1] - velocities[0]
    flags = {
        "together": events.together_s[order] > 0.0,
        "at_start": events.is_at_start[order],
        "at_end": events.is_at_end[order],
        "same_fleet": is_same(fleets, first, second),
        "same_shell": is_same(shells, first, second),
    }
    status = sum(np.where(holds, CONJUNCTION_FLAGS[name], 0) for name, holds in flags.items())
    nanoseconds = np.rint(met.seconds[order] * 1e9).astype("timedelta64[ns]")
    return {
        "object_1": first.astype(np.int32),
        "object_2": second.astype(np.int32),
        "tca": start.astype("datetime64[ns]") + nanoseconds,
        "seconds": met.seconds[order],
        "miss_distance": np.sqrt((miss**2).sum(axis=1)),
        "miss_ric": np.einsum("eij,ej->ei", axes, miss),
        "relative_speed": np.sqrt((speed**2).sum(axis=1)),
        "relative_velocity_ric": np.einsum("eij,ej->ei", axes, speed),
        **{f"position_{k + 1}": positions[k] for k in range(2)},
        **{f"velocity_{k + 1}": velocities[k] for k in range(2)},
        "together_seconds": events.together_s[order],
        "status": np.asarray(status, np.int16),
    }

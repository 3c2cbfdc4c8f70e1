"""Close approaches to a file, a day after the other: what is done is kept, so that an interrupted run may be gone on with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Final, Unpack

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from constellation_jax.engine.default_device import on_device
from constellation_jax.engine.propagation.options import Options
from constellation_jax.engine.screening.engine import CloseApproaches
from constellation_jax.engine.screening.refine import Encounters
from constellation_jax.engine.screening.state_lists import ListStates
from constellation_jax.engine.state_variables import POSITION
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.times import Span
from constellation_jax.outputs.fingerprint import Fingerprint
from constellation_jax.outputs.formats import find_format, make_place, write
from constellation_jax.outputs.parts import Parts
from constellation_jax.studies.conjunctions.screen import Screening, ScreeningOptions
from constellation_jax.studies.propagation.fingerprint import digest, make_fingerprint
from constellation_jax.studies.propagation.runs import Progress, make_counter

PART_S: Final = 86_400.0
"""Seconds that are screened, and kept, together."""


@on_device
def conjunctions_to(
    path: str | os.PathLike[str],
    catalog: Catalog,
    span: Span,
    distance_km: float = 5.0,
    *,
    add: Callable[[xr.Dataset], xr.Dataset] | None = None,
    overwrite: bool = False,
    resume: bool = False,
    device: str | None = None,
    progress: Progress | None = None,
    **options: Unpack[ScreeningOptions],
) -> xr.Dataset:
    """Find all close approaches, as `conjunctions`, write them to a file, and return them.

    The span is screened a day after the other. Until the file is complete, and if the run is stopped, the folder `PATH.parts` holds
    the days that are done.

    Args:
        path: the file to be made: .nc, .zarr, .csv or .parquet. It appears under its name when it is complete.
        catalog, span, distance_km: as for `conjunctions`.
        add: function of the events whose result is written and returned, such as one that adds probabilities.
        overwrite: whether an existing file may be replaced.
        resume: keep the days that an interrupted run of the same inputs has left in `PATH.parts`; without them, begin anew.
        device, progress, options: as for `conjunctions`.

    Raises:
        InputError: as for `conjunctions`; the file exists, or its folder does not; the days there are of another run.
        OutputError: the file could not be written.
    """
    find_format(path, "events")
    place = make_place(path, overwrite=overwrite)  # an error about it comes before the computation
    screening = Screening(catalog, span, distance_km, device=device, **options)
    begins = np.arange(0.0, screening.span_s, PART_S) if screening.span_s > 0.0 else np.zeros(1)
    ends = np.append(begins[1:], screening.span_s)
    count = make_counter(progress, int(np.ceil(screening.span_s / screening.step_s)) * len(catalog))
    fingerprint = _make_fingerprint(screening)
    with place, Parts(place, fingerprint, total=len(begins), unit="days", resume=resume) as parts:
        found: list[CloseApproaches] = []
        known = 0
        for k, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True)):
            arrays = parts.read(k)
            if arrays is None:
                one = screening.run(screening.make_engine(begin, end - begin), count, known)
                parts.write(k, _to_arrays(one))
            else:
                one = _from_arrays(arrays)
                if count is not None:
                    count(int(np.ceil((end - begin) / screening.step_s - 1e-9)) * len(catalog))
            found.append(one)
            known += len(one.together_s)
            screening.check_number(known, end)
        events = screening.make_dataset(_join(found, begins))
        if add is not None:
            events = add(events)
        write(events, place, overwrite=overwrite, kind="events")
    return events


def _make_fingerprint(screening: Screening) -> Fingerprint:
    """Make the fingerprint of a run: that of the states behind it, and what is searched."""
    ends = np.array([screening.start, screening.stop])
    primaries = screening.is_primary
    return {
        **make_fingerprint(
            screening.catalog, ends, Options(POSITION, precision="float32", platform=screening.device), None
        ),
        "distance": f"{screening.distance_km!r} km",
        "step": f"{screening.step_s!r} s",
        "primaries": "all" if primaries is None else digest([primaries]),
        "same_fleet": str(screening.same_fleet),
        "same_shell": str(screening.same_shell),
        "part": f"{PART_S:g} s",
    }


def _join(parts: list[CloseApproaches], begins: NDArray[np.float64]) -> CloseApproaches:
    """Join the events of consecutive parts: an end of a part that is no end of the span is none.

    An approach beyond the end of a part is found in the next one; where rounding puts it beyond the end for both, it is that at the
    border. Two that are together on both sides of a border are one event.
    """
    number = np.repeat(np.arange(len(parts)), [len(part.together_s) for part in parts])
    arrays = [_to_arrays(part) for part in parts]
    whole = {name: np.concatenate([part[name] for part in arrays], axis=-1) for name in arrays[0]}
    first, second, seconds, lasts = (whole[name] for name in ("first", "second", "seconds", "together_s"))
    start, end = whole["is_at_start"], whole["is_at_end"]
    seconds = seconds + begins[number]
    inner_start, inner_end = start & (number > 0), end & (number < len(parts) - 1)
    keep = np.ones(len(number), bool)
    distance = np.sqrt(((whole["states"][1, 0] - whole["states"][0, 0]) ** 2).sum(axis=0))
    joined: dict[int, int] = {}
    for before, j in _pairs_at_borders(first, second, number, inner_end, inner_start):
        i = joined.get(before, before)
        if lasts[i] > 0.0 and lasts[j] > 0.0:  # j goes on with i
            near, far = (i, j) if distance[i] <= distance[j] else (j, i)
            lasts[near], start[near], end[near] = lasts[i] + lasts[j], start[i], end[j]
            inner_start[near], inner_end[near], keep[far] = inner_start[i], inner_end[j], False
            joined[j] = near
        elif lasts[i] == 0.0 and lasts[j] == 0.0:
            inner_end[i] = end[i] = False
    keep &= (lasts > 0.0) | ~(inner_start | inner_end)
    kept = np.flatnonzero(keep)
    kept = kept[_once(first[kept], second[kept], seconds[kept], lasts[kept])]
    whole |= {"seconds": seconds, "is_at_start": start & ~inner_start, "is_at_end": end & ~inner_end}
    return _from_arrays({name: values[..., kept] for name, values in whole.items()})


def _pairs_at_borders(
    first: NDArray[np.int32],
    second: NDArray[np.int32],
    number: NDArray[np.intp],
    is_end: NDArray[np.bool_],
    is_start: NDArray[np.bool_],
) -> Iterator[tuple[int, int]]:
    """Yield the events of a pair of objects at the end of a part and at the beginning of the next one, in order of time."""
    begin = {(first[k], second[k], number[k]): k for k in np.flatnonzero(is_start).tolist()}
    for k in np.flatnonzero(is_end).tolist():
        j = begin.get((first[k], second[k], number[k] + 1))
        if j is not None:
            yield k, j


def _once(
    first: NDArray[np.int32], second: NDArray[np.int32], seconds: NDArray[np.float64], lasts: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Positions of events, each once: an approach at a border may be found on both sides."""
    order = np.lexsort((seconds, second, first))
    one, other = order[:-1], order[1:]
    same = (first[one] == first[other]) & (second[one] == second[other]) & (seconds[other] - seconds[one] < 1.0)
    same &= (lasts[one] == 0.0) & (lasts[other] == 0.0)
    return np.sort(order[np.append(True, ~same)[: len(order)]])


def _to_arrays(found: CloseApproaches) -> dict[str, NDArray[Any]]:
    met = found.encounters
    return {
        "first": met.first, "second": met.second, "seconds": met.seconds, "states": np.array(met.states),
        "is_at_start": found.is_at_start, "is_at_end": found.is_at_end, "together_s": found.together_s,
    }  # fmt: skip


def _from_arrays(arrays: dict[str, NDArray[Any]]) -> CloseApproaches:
    one, other = (ListStates(*values) for values in arrays["states"])
    met = Encounters(arrays["first"], arrays["second"], arrays["seconds"], (one, other))
    return CloseApproaches(met, arrays["is_at_start"], arrays["is_at_end"], arrays["together_s"])

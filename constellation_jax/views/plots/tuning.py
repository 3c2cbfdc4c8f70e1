"""Figures of tuned shells: the front of a sweep and the convergence of the solver."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import InputError, suggest
from constellation_jax.outputs.variable import SHELL, SOLAR
from constellation_jax.views.plots.common import (
    add_legend,
    add_note,
    check_some,
    check_variables,
    count_left_out,
    format_units,
)
from constellation_jax.views.plots.style import get_axes, in_style, list_colours

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_LINES: Final = {"x": 44, "y": 32}
"""Longest line of a label along each axis, characters."""
_MORE_IS_BETTER: Final = frozenset({"mean_in_view", "probability_in_view", "coverage_margin", "clearance"})
"""Figures of merit of which more is better; of all others it is less."""


@in_style
def pareto(
    dataset: xr.Dataset, x: str, y: str, *, maximise: Collection[str] | None = None, axes: Axes | None = None
) -> Axes:
    """Plot one figure of merit against another along the sweep of a tuning problem, beside the start and the tuned shells.

    The line is the front: it joins the points that no other point beats in both figures. Points off it are small and grey, points
    that did not converge are hollow and not on the front.

    Args:
        dataset: of `tune`, of a problem with a sweep; one value of each figure, as in `tuned.sel(solar="high", shell="VLEO")`.
        x, y: names of its figures of merit, such as "duty_cycle_peak".
        maximise: those of the two of which more is better; coverage, probability in view, margin and clearance if not given.
        axes: where to draw; a new figure if not given.
    """
    if "sweep_status" not in dataset.variables:
        raise InputError("pareto: the dataset has no 'sweep_status': its tuning problem has no sweep")
    known = [str(name) for name in dataset.data_vars if f"sweep_{name}" in dataset]
    for name in (x, y):
        if name not in known:
            raise InputError(f"pareto: no figure {name!r}; known are {', '.join(known)}{suggest(name, known)}")
        many = [str(d) for d in dataset[name].dims if dataset.sizes[d] > 1]
        if many:
            raise InputError(
                f"pareto: {name!r} has several values along {', '.join(many)}; choose one with dataset.sel(...)"
            )
    found = np.array([dataset[f"sweep_{name}"].values.ravel() for name in (x, y)], float)
    there = np.isfinite(found).all(axis=0)
    check_some(there.sum(), "pareto", f"none of the {found.shape[1]} points of the sweep has both figures")
    meanings = dataset["sweep_status"].attrs["flag_meanings"].split()
    settled = there & (dataset["sweep_status"].values == meanings.index("converged"))
    better = _MORE_IS_BETTER if maximise is None else maximise
    signs = np.array([[-1.0 if re.sub(r"_\d+$", "", name) in better else 1.0] for name in (x, y)])
    on_front = settled & _find_front(np.where(settled, signs * found, np.inf))
    axes = get_axes(axes)
    blue, green, _, vermilion, *_ = list_colours()
    front = found[:, on_front]
    front = front[:, np.argsort(front[0])]
    axes.plot(*front, "o-", color=blue, label="front")
    others: list[tuple[NDArray[np.bool_], str, dict[str, Any]]] = [
        (settled & ~on_front, "beaten by another", {"color": "0.6", "markersize": 2.5}),
        (there & ~settled, "not converged", {"color": blue, "fillstyle": "none"}),
    ]
    for chosen, label, style in others:
        if chosen.any():
            axes.plot(*found[:, chosen], linestyle="none", marker="o", label=label, **style)
    for ending, marker, label, colour in (("_before", "X", "start", vermilion), ("", "*", "tuned", green)):
        if x + ending in dataset and y + ending in dataset:
            values = [dataset[name + ending].values.ravel() for name in (x, y)]
            axes.plot(*values, linestyle="none", marker=marker, markersize=7.0, label=label, color=colour, zorder=3)
    axes.set(xlabel=_label_figure(dataset, x, "x"), ylabel=_label_figure(dataset, y, "y"))
    add_legend(axes)
    chosen_words = [str(dataset[SHELL].item())] if SHELL in dataset.coords and dataset[SHELL].size == 1 else []
    if SOLAR in dataset.coords and dataset[SOLAR].size == 1:
        chosen_words.append(f"{dataset[SOLAR].item()} solar activity")
    add_note(axes, ", ".join(chosen_words), count_left_out((~there).sum(), len(there), "infeasible"))
    return axes


@in_style
def convergence(dataset: xr.Dataset, *, axes: Axes | None = None) -> Axes:
    """Objective at each evaluation; hollow where a constraint is missed by more than a thousandth.

    Args:
        dataset: of `tune`.
        axes: where to draw; a new figure if not given.
    """
    check_variables(dataset, "convergence", ["history_objective", "history_violation"])
    objective, violation = dataset["history_objective"].values, dataset["history_violation"].values
    check_some(np.isfinite(objective).sum(), "convergence", "the history has no evaluations")
    axes = get_axes(axes)
    number = np.arange(1, len(objective) + 1)
    (line,) = axes.plot(number, objective, linewidth=0.8, linestyle="-")
    axes.locator_params(axis="x", integer=True)
    for chosen, fill, label in (
        (violation <= 1e-3, "full", "constraints met"),
        (violation > 1e-3, "none", "constraints missed"),
    ):
        if chosen.any():
            style: dict[str, Any] = {"color": line.get_color(), "fillstyle": fill, "label": label}
            axes.plot(number[chosen], objective[chosen], linestyle="none", marker="o", **style)
    axes.set(xlabel="evaluation", ylabel=f"objective ({format_units(dataset['history_objective'].attrs['units'])})")
    add_legend(axes)
    return axes


def _find_front(losses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Find the points that no other beats: losses of shape (2, points), less is better."""
    no_worse = (losses[:, :, None] <= losses[:, None, :]).all(axis=0)
    better = (losses[:, :, None] < losses[:, None, :]).any(axis=0)
    return np.asarray(~(no_worse & better).any(axis=0))


def _label_figure(dataset: xr.Dataset, name: str, side: str) -> str:
    attributes = dataset[name].attrs
    units = format_units(attributes["units"]).replace(" ", "\u00a0")  # which is not broken over lines
    words = f"{attributes.get('long_name', name.replace('_', ' '))} ({units})"
    return "\n".join(textwrap.wrap(words, _LINES[side], break_long_words=False))

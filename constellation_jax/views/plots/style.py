"""Style of the figures and the axes that they are drawn into. matplotlib is the extra `plot`, imported when something is drawn."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from constellation_jax.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE: Final = Path(__file__).with_name("constellation.mplstyle")
"""Style file of matplotlib, of which every figure is made: `plt.style.use(cj.plots.STYLE)` gives it to figures of your own."""
BAND: Final = 0.2
"""Opacity of a band between two percentiles or scenarios."""
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
"""Markers of groups of points, beside their colours."""

_MM_PER_INCH: Final = 25.4
_WIDTHS_MM: Final = {"single": 89.0, "double": 183.0}
_AREAS: Final = (0, 6, 1, 5, 3, 7, 4, 2)
"""Order of the colours of the style file for areas that touch: neighbours differ in lightness."""

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")


def in_style(function: Callable[Parameters, Returned]) -> Callable[Parameters, Returned]:
    """Decorate a function that draws: a figure of its own is made in the style; axes that are given keep theirs."""

    @functools.wraps(function)
    def draw(*arguments: Parameters.args, **options: Parameters.kwargs) -> Returned:
        if options.get("axes") is not None:
            return function(*arguments, **options)
        with in_house_style():
            return function(*arguments, **options)

    return draw


def in_house_style() -> AbstractContextManager[Any]:
    """Context with the settings of the style, for saving too: the type of fonts, and ids in SVG that are not random."""
    context: AbstractContextManager[Any] = _import("matplotlib").rc_context(fname=str(STYLE))
    return context


def get_axes(axes: Axes | None, *, width: str = "single", ratio: float = 0.7) -> Axes:
    """Return the given axes, or those of a new figure that pyplot does not manage.

    Args:
        axes: None for a new figure.
        width: of a new figure: "single" (89 mm) or "double" (183 mm), the columns of a journal.
        ratio: height of a new figure over its width.
    """
    return axes if axes is not None else make_figure(width, ratio).subplots()


def make_figure(width: str = "single", ratio: float = 0.7) -> Figure:
    """Make a figure of the width of one or two columns, whose height is a ratio of it."""
    inches = _WIDTHS_MM[width] / _MM_PER_INCH
    figure: Figure = _import("matplotlib.figure").Figure(figsize=(inches, ratio * inches), layout="constrained")
    return figure


def add_panel(axes: Axes, height: float) -> Axes:
    """Divide axes: give a part of their height, such as 0.3, to a panel below that shares their abscissa."""
    grid = axes.get_subplotspec()
    if grid is None:
        raise InputError("plots: these axes were placed by hand and cannot be divided; make them with subplots()")
    parts = grid.subgridspec(2, 1, height_ratios=(1.0 - height, height), hspace=0.05)
    axes.set_subplotspec(parts[0])
    panel: Axes = axes.figure.add_subplot(parts[1], sharex=axes)
    axes.tick_params(labelbottom=False)
    return panel


def list_colours() -> list[str]:
    """List the eight colours of the style, in the order of lines."""
    settings = _import("matplotlib").rc_params_from_file(str(STYLE), use_default_template=False)
    return [f"#{colour.lstrip('#')}" for colour in settings["axes.prop_cycle"].by_key()["color"]]


def list_group_colours(names: Sequence[str]) -> list[str]:
    """List the colours of groups whose areas touch; what is put together as "other" is grey."""
    colours = list_colours()
    return ["#B0B0B0" if name.startswith("other") else colours[_AREAS[k % 8]] for k, name in enumerate(names)]


def _import(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        raise InputError(
            "plots: matplotlib is not installed; install it with: pip install 'constellation-jax[plot]'"
        ) from None

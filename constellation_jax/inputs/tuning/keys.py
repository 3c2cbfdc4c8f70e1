"""Rules of the keys of tuning problem files."""

from __future__ import annotations

from typing import Any, Final

from constellation_jax.inputs.deployment.vehicles import DATE
from constellation_jax.inputs.files.keys import TRUE_OR_FALSE, Rule, above_zero, is_number, number, one_of, text, whole
from constellation_jax.inputs.shells.shell import RULES
from constellation_jax.inputs.tuning.terms import QUANTITIES

METHODS: Final = ("slsqp", "trust-constr", "adam", "lbfgs")


def _is_list_of(accepts: Any) -> Any:
    return lambda v: isinstance(v, list) and len(v) > 0 and all(accepts(x) for x in v)


_SHELLS = Rule("a list of names of shells, or patterns such as 'L*'", _is_list_of(lambda x: isinstance(x, str)))
_NUMBERS = Rule("a list of numbers", _is_list_of(is_number))
_LATITUDES = Rule("a list of latitudes from -90 to 90 degrees", _is_list_of(lambda x: is_number(x) and -90 <= x <= 90))
_TERM_RULES: dict[str, Rule] = {
    "shells": _SHELLS,
    "over": one_of("sum", "mean", "worst", "each"),
    "latitude_deg": _LATITUDES,
    "demand": text("'area', 'population' or a file of weights by latitude"),
    "at_least_in_view": whole(1),
}

VARIABLE_RULES: Final[dict[str, Rule]] = {
    **{
        key: Rule(
            f"two bounds, [low, high]{'' if q.units == '1' else f' ({q.units})'}",
            lambda v: isinstance(v, list) and len(v) == 2 and all(map(is_number, v)),
        )
        for key, q in QUANTITIES.items()
    },
    "shells": _SHELLS,
    "together": TRUE_OR_FALSE,
}
OBJECTIVE_RULES: Final[dict[str, Rule]] = {
    "minimise": text("a term", required=True),
    "maximise": text("a term", required=True),
    **_TERM_RULES,
    "over": one_of("sum", "mean", "worst"),
    "weight": above_zero(),
    "scale": above_zero("in the unit of the term"),
}
CONSTRAINT_RULES: Final[dict[str, Rule]] = {
    "quantity": text("a term", required=True),
    "name": text("a name"),
    **_TERM_RULES,
    "at_least": number(unit="in the unit of the term"),
    "at_most": number(unit="in the unit of the term"),
}
REPORT_RULES: Final[dict[str, Rule]] = {"quantity": text("a term", required=True), **_TERM_RULES}
SWEEP_RULES: Final[dict[str, Rule]] = {
    "constraint": text("the name of a constraint"),
    "limits": _NUMBERS,
    "shells": _SHELLS,
    **dict.fromkeys(QUANTITIES, _NUMBERS),
}
SOLVER_RULES: Final[dict[str, Rule]] = {
    "method": one_of(*METHODS),
    "starts": whole(1),
    "seed": whole(0),
    "iterations": whole(1),
    "tolerance": above_zero(),
}
SOLAR_RULES: Final[dict[str, Rule]] = {
    "scenarios": Rule("a list of 'low', 'median', 'high'", _is_list_of(lambda x: x in ("low", "median", "high"))),
    "combine": one_of("worst", "mean"),
    "start": DATE,
    "years": above_zero("years"),
}
BACKGROUND_RULES: Final[dict[str, Rule]] = {
    "catalog": text("'bundled', 'none', a CelesTrak group or a file of element sets"),
    "exclude": Rule("a list of patterns of names, such as 'QIANFAN*'", _is_list_of(lambda x: isinstance(x, str))),
    "miss_distance_km": above_zero("km"),
}
LAUNCH_RULES: Final[dict[str, Rule]] = {
    "vehicle": text("the name of a launch vehicle"),
    "cargo": text("a kind of satellite"),
    "injection_altitude_km": number(120.0, unit="km"),
}
COMMON_RULES: Final[dict[str, Rule]] = {
    key: RULES[key]
    for key in (
        "mass_kg", "drag_area_min_m2", "drag_coefficient", "ballistic_coefficient_m2_kg", "propellant_kg",
        "specific_impulse_s", "thrust_mn", "min_elevation_deg", "design_life_years",
    )
}  # fmt: skip
"""Keys that a problem may add to the shells of a constellation that do not say them."""

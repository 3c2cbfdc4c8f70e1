"""Tables of variables, frames, constellations and groups, made from the package so that pages cannot differ from it.

A page takes one in by its name, as in `{{ variables_table }}`.
"""

from collections.abc import Iterable

from constellation_jax.inputs.catalog.celestrak import GROUPS as CELESTRAK_GROUPS
from constellation_jax.inputs.deployment.files import known_deployments, load_deployment
from constellation_jax.inputs.deployment.vehicles import load_vehicles
from constellation_jax.inputs.files.toml_tables import STATUSES
from constellation_jax.inputs.shells.files import known_shells, load_constellation, load_shells
from constellation_jax.outputs.variable import FRAMES, STATUS_VARIABLE
from constellation_jax.outputs.variables import LIFETIME, PROPAGATED, VARIABLES


def substitutions() -> dict[str, str]:
    """The tables by name, in Markdown."""
    return {
        "deployments_table": _deployments_table(),
        "vehicles_table": _vehicles_table(),
        "constellations_table": _constellations_table(),
        "variables_table": _variables_table(),
        "frames_table": _table(("`frame`", "definition"), [(f"`{name}`", words) for name, words in FRAMES.items()]),
        "provenance_table": _table(("`status`", "meaning"), [(f"`{name}`", words) for name, words in STATUSES.items()]),
        "celestrak_groups": ", ".join(f"`{group}`" for group in CELESTRAK_GROUPS),
    }


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _variables_table() -> str:
    rows = []
    for variable in (*(VARIABLES[name] for name in PROPAGATED), LIFETIME):
        meaning = [variable.long_name]
        if variable.is_in_frame:
            meaning.append("in the frame of the run")
        if variable.comment:
            meaning.append(variable.comment)
        group = "always there" if variable.name == STATUS_VARIABLE else f"`{variable.group}`"
        rows.append((f"`{variable.name}`", group, f"`{variable.units or 'none'}`", "; ".join(meaning)))
    return _table(("variable", "group", "units", "meaning"), rows)


def _constellations_table() -> str:
    rows = []
    for name in known_shells(variants=True):
        shells, system = load_shells(name), load_constellation(name)
        words = [system.title, system.variants.get(shells[0].variant, "")]
        total = sum(shell.total for shell in shells)
        rows.append((f"`{name}`", f"{total:,}", str(len(shells)), ": ".join(filter(None, words))))
    return _table(("name", "satellites", "shells", "what it is"), rows)


def _deployments_table() -> str:
    rows = []
    for name in known_deployments(variants=True):
        deployment = load_deployment(name)
        rows.append((f"`{name}`", str(deployment.start), str(deployment.until), deployment.title))
    return _table(("name", "first launch", "until", "what it is"), rows)


def _vehicles_table() -> str:
    rows = []
    for name, vehicle in load_vehicles().items():
        payload = "" if vehicle.payload_kg is None else f"{vehicle.payload_kg:,}"
        loads = ", ".join(f"{load.satellites} {kind}" for kind, load in vehicle.loads.items() if load.satellites)
        rows.append((f"`{name}`", payload, str(vehicle.first_flight or ""), "yes" if vehicle.reusable else "no", loads))
    return _table(("vehicle", "payload, kg", "first flight", "reusable", "satellites on a launch"), rows)

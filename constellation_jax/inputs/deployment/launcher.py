"""What a launch carries, from the list of vehicles; what a shell then costs is in physics/merit/cost.py."""

from __future__ import annotations

import math

from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.deployment.vehicles import load_vehicles, unknown_vehicle
from constellation_jax.physics.merit.cost import Launcher


def launcher(vehicle: str, *, cargo: str | None = None, expended: bool = False) -> Launcher:
    """Payload and room of a launch vehicle, for `shell_cost`.

    The payload is that to a low orbit, whatever its inclination: public lists give no more. The satellites' own thrusters take
    them on from the altitude of injection.

    Args:
        vehicle: its name in `configs/vehicles.toml`, such as "falcon-9".
        cargo: kind of satellite of which the list says how many there is room for, such as "Qianfan"; without one, mass alone
            decides, and with one whose vehicle has no known payload, room alone.
        expended: the payload without recovery of the first stage.

    Raises:
        InputError: an unknown vehicle or cargo, or one of which neither payload nor room is known.
    """
    vehicles = load_vehicles()
    if vehicle not in vehicles:
        raise InputError(f"vehicle: {unknown_vehicle(vehicle, vehicles)}")
    found = vehicles[vehicle]
    room = math.inf
    if cargo is not None:
        if cargo not in found.loads:
            hint = suggest(cargo, found.loads) or f"; known are {', '.join(found.loads) or 'none'}"
            raise InputError(f"cargo of {vehicle}: found {cargo!r}, expected a kind of satellite in the list{hint}")
        room = float(found.loads[cargo].satellites or math.inf)
    payload = found.payload_expended_kg if expended else found.payload_kg
    if payload is None and math.isinf(room):
        what = "payload without recovery" if expended else "payload"
        raise InputError(f"vehicle {vehicle!r}: its {what} is not known; give Launcher(payload_kg=...)")
    return Launcher(math.inf if payload is None else payload, room)

"""Launcher: payload and room of one launch, by hand or from the list of vehicles. Costs of shells are in physics/merit/cost.py."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.deployment.vehicles import load_vehicles, unknown_vehicle


class Launcher(NamedTuple):
    """Payload and room of one launch, for `merit.cost.shell_cost`."""

    payload_kg: Any
    """Payload to the altitude of injection."""
    most_satellites: Any = math.inf
    """Places for satellites; inf where mass alone decides."""

    @classmethod
    def of_vehicle(cls, vehicle: str, *, cargo: str | None = None, expended: bool = False) -> Launcher:
        """Load payload and room of a launch vehicle.

        The payload is that to a low orbit, whatever its inclination: public lists give no more. The satellites' own thrusters
        take them on from the altitude of injection.

        Args:
            vehicle: its name in `configs/vehicles.toml`, such as "falcon-9".
            cargo: kind of satellite for which the list gives the number of places, such as "Qianfan"; without one, mass alone
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
            places = found.loads[cargo].satellites
            room = math.inf if places is None else float(places)
        payload = found.payload_expended_kg if expended else found.payload_kg
        if payload is None and math.isinf(room):
            what = "payload without recovery" if expended else "payload"
            raise InputError(f"vehicle {vehicle!r}: its {what} is not known; give Launcher(payload_kg=...)")
        return cls(math.inf if payload is None else payload, room)

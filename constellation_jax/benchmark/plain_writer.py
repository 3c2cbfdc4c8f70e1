"""Least cost of a file of a propagation: the same bytes written with netCDF4 and nothing else.

The yardstick that the benchmarks hold `NetCDFWriter` and `propagate_to` against.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import netCDF4

from constellation_jax.outputs.netcdf.library import NETCDF_LOCK
from constellation_jax.outputs.variable import DIMENSIONS, SATELLITE, TIME


def make_plain_writer(finished: str | os.PathLike[str], path: str | os.PathLike[str]) -> Callable[[], None]:
    """Make a function that writes all values over time of a finished file anew, without names, attributes and checks.

    Args:
        finished: a file of `propagate_to`; the new one has its variables, types, chunks and compression.
        path: of the new file, replaced by every call.
    """
    with NETCDF_LOCK, netCDF4.Dataset(finished) as file:
        steps, satellites = (len(file.dimensions[name]) for name in DIMENSIONS)
        variables = {name: v for name, v in file.variables.items() if v.dimensions == DIMENSIONS}
        rows = min(int(v.chunking()[0]) for v in variables.values())
        specs = {
            name: {"datatype": v.dtype, "chunksizes": v.chunking(), "complevel": 1}
            | {filter: v.filters()[filter] for filter in ("zlib", "fletcher32")}
            for name, v in variables.items()
        }
        for variable in variables.values():
            variable.set_auto_maskandscale(False)
        # values of the first instants stand for all: they are ready in memory, and cost what others would
        values = {name: v[:rows] for name, v in variables.items()}

    def write() -> None:
        with NETCDF_LOCK, netCDF4.Dataset(path, "w") as file:
            file.createDimension(TIME, None)
            file.createDimension(SATELLITE, satellites)
            for name, spec in specs.items():
                file.createVariable(name, dimensions=DIMENSIONS, **spec).set_auto_maskandscale(False)
            for start in range(0, steps, rows):
                stop = min(start + rows, steps)
                for name in specs:
                    file[name][start:stop] = values[name][: stop - start]

    return write

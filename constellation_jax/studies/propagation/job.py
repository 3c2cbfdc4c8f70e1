"""Work of a propagation to a file, which this process, other jobs or the workers of a cluster share."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.devices import Devices
from constellation_jax.engine.propagation.engine import Engine
from constellation_jax.engine.propagation.options import Options
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.outputs.fingerprint import Fingerprint
from constellation_jax.outputs.formats import SampleWriter, make_sample_writer
from constellation_jax.outputs.variable import STATUS_VARIABLE
from constellation_jax.studies.propagation.propagate import allocate, make_grid
from constellation_jax.studies.propagation.runs import Counter, Stopwatch, in_blocks


@dataclasses.dataclass(frozen=True)
class PropagationJob:
    """Everything that a process needs in order to compute and store blocks of a run; it can be pickled."""

    catalog: Catalog
    instants: NDArray[np.datetime64]
    options: Options
    block: int
    """Instants of a block."""
    fingerprint: Fingerprint
    attributes: dict[str, str]

    def make_writer(self, path: str | os.PathLike[str], **options: Any) -> SampleWriter:
        """Make the writer of the output, in the format of its name; options: overwrite, resume, shared."""
        return make_sample_writer(
            path, self.catalog, self.instants, (*self.options.variables, STATUS_VARIABLE), frame=self.options.frame,
            dtype=self.options.dtype, precision=self.options.precision, block_steps=self.block, attributes=self.attributes,
            fingerprint=self.fingerprint, **options,
        )  # fmt: skip

    def make_engine(self) -> Engine:
        """Make the engine."""
        devices = Devices(self.options.platform)
        return Engine(self.catalog.elements, make_grid(self.instants, self.options), self.options, devices)

    def compute(
        self,
        engine: Engine,
        writer: SampleWriter,
        blocks: Sequence[slice],
        clock: Stopwatch,
        count: Counter | None = None,
    ) -> None:
        """Compute blocks, in ascending order, and store them."""
        if not blocks:
            return
        engine.failures.codes = writer.find_latched(blocks[0].start)
        longest = max(rows.stop - rows.start for rows in blocks)
        in_blocks(
            blocks,
            [allocate(longest, len(self.catalog), self.options) for _ in range(2)],
            lambda start, stop, part: engine.run(start, stop, part, count),
            lambda start, stop, part: writer.write(start, part),
            clock,
        )

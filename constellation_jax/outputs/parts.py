"""Parts of an unfinished output whose length is not known: arrays in a folder NAME.parts beside it, until it is complete.

    with place, Parts(place, fingerprint, total=7, resume=True) as parts:
        for k in range(7):
            arrays = parts.read(k)
            if arrays is None:
                parts.write(k, compute(k))
        ...                                     # writes the output
    # the folder is gone; after an error it stays, and the error has a note about it

A part appears under its name when it is whole. Deliberately absent: the lock, which is that of the place.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import InputError, OutputError
from constellation_jax.outputs.fingerprint import Fingerprint, check_fingerprint, decode_fingerprint, encode_fingerprint
from constellation_jax.outputs.target import describe_cause, is_address

_HEAD: Final = "run.json"
"""File with the fingerprint, by which a folder is known to be one of parts."""


class Parts:
    """Parts of an output. Use it in a `with` statement, inside that of the place.

    Args:
        path: of the output.
        fingerprint: of the run.
        total: number of parts.
        unit: name of a part, in the plural, for messages.
        resume: whether parts that an interrupted run of the same fingerprint has left count; otherwise they are removed.

    Raises:
        InputError: (on entering) the folder is of another run, or none of ours; `resume` at an address, where none are kept.
        OutputError: (on entering) it cannot be made.
    """

    def __init__(
        self, path: str | os.PathLike[str], fingerprint: Fingerprint, *, total: int, unit: str, resume: bool
    ) -> None:
        self._output = os.fspath(path).rstrip("/")
        self.folder: Path | None = None if is_address(path) else Path(f"{self._output}.parts")
        """Folder of the parts; None where the output is at an address: parts are not kept there."""
        self._fingerprint, self._total, self._unit, self._resume = fingerprint, total, unit, resume

    def __enter__(self) -> Self:
        if self.folder is None:
            if self._resume:
                raise InputError(f"{self._output}: parts of an output at an address are not kept; leave resume out")
            return self
        head = self.folder / _HEAD
        if os.path.lexists(self.folder):
            if not head.is_file():
                raise InputError(f"{self.folder}: is in the way, and no run has made it; rename it")
            if self._resume:
                found = decode_fingerprint(head.read_text(encoding="utf-8"))
                check_fingerprint(found, self._fingerprint, str(self.folder))
                return self
            shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self.folder.mkdir()
            head.write_text(encode_fingerprint(self._fingerprint), encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{self.folder}: {describe_cause(error)}; nothing was written") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.folder is None:
            return
        done = self.count()
        if error is None or not done:
            shutil.rmtree(self.folder, ignore_errors=True)
        if error is not None:
            rest = (
                f"{self.folder} holds {done} of {self._total} {self._unit}, and the same command with --resume goes on"
                if done
                else "nothing was written"
            )
            error.add_note(f"{self._output}: not finished; {rest}")

    def count(self) -> int:
        """Count the parts that are there."""
        return 0 if self.folder is None else sum(self._name(k).is_file() for k in range(self._total))

    def read(self, k: int) -> dict[str, NDArray[Any]] | None:
        """Read a part; None where it is missing or damaged."""
        if self.folder is None or not self._name(k).is_file():
            return None
        try:
            with np.load(self._name(k), allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None

    def write(self, k: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write a part.

        Raises:
            OutputError: it could not be written.
        """
        if self.folder is None:
            return
        growing = self.folder / "growing.npz"
        try:
            with growing.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
            os.replace(growing, self._name(k))
        except BaseException as error:
            with contextlib.suppress(OSError):
                growing.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise OutputError(f"{self._name(k)}: {describe_cause(error)}") from error
            raise

    def _name(self, k: int) -> Path:
        assert self.folder is not None
        return self.folder / f"{k:05d}.npz"

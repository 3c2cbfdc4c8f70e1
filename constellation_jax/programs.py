"""Compiled functions whose programs are kept on disk, where `configure` was asked to keep them.

JAX's own cache keeps what XLA has compiled, but a process must trace and lower a function before it can look it up: 0.2 to 0.5 s
for each of ours. A program kept here is found by its name and the shapes of its arguments, and loaded in 0.05 s. It serves only
the same code, versions, flags and processor. Where its file is missing or damaged, the function is traced.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import platform
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from constellation_jax.settings import program_folder

Compiled = Callable[..., Any]


class Program:
    """Compiled function for the one device of a CPU, called with arrays or pytrees of them.

    Other than a function of `jax.jit`, it is compiled once even if several threads call it first together.

    Args:
        function: takes arrays or pytrees of them.
        name: distinguishes it, with the options, from any other function of this package.
        options: keyword arguments of `jax.jit`.
    """

    def __init__(self, function: Callable[..., Any], name: str, **options: Any) -> None:
        self._function = function
        self._name = f"{name} {sorted(options.items())}"
        self._options = options
        self._lock = threading.Lock()
        self._compiled: dict[Any, Compiled] = {}

    def __call__(self, *arguments: Any) -> Any:
        leaves, structure = jax.tree.flatten(arguments)
        shapes = (structure, *((v.shape, v.dtype) for v in leaves))
        if shapes not in self._compiled:
            with self._lock:
                if shapes not in self._compiled:
                    self._compiled[shapes], result = self._load_or_compile(arguments, f"{self._name} {shapes}")
                    return result
        return self._compiled[shapes](*arguments)

    def _load_or_compile(self, arguments: tuple[Any, ...], key: str) -> tuple[Compiled, Any]:
        """Return the program and its result."""
        digest = hashlib.sha256(f"{_fingerprint()} {key}".encode()).hexdigest()
        path = _path(digest) if " at 0x" not in key else None
        if path is not None:
            with contextlib.suppress(Exception):  # whatever is wrong with the file: it can be made anew
                loaded = _load(path, arguments)
                # on copies, for some are donated: the function that XLA does not find in a bad program is missed only here
                return loaded, loaded(*jax.tree.map(np.array, arguments))
        compiled = self._compile(arguments, is_kept=path is not None)
        if path is not None:
            with contextlib.suppress(Exception):  # a full disk, a folder that is read-only
                content = _dump(compiled)
                _write(path, _digest(path, content) + content)
        return compiled, compiled(*arguments)

    def _compile(self, arguments: tuple[Any, ...], *, is_kept: bool) -> Compiled:
        def function(*arguments: Any) -> Any:
            return self._function(*arguments)

        function.__name__ = self._name.split()[0].rpartition(".")[2]
        if is_kept:
            # JAX's cache goes by the name too, and must not know this one: what comes from it can be written, but not be run again
            function.__name__ += f"_{os.urandom(8).hex()}"
        return jax.jit(function, **self._options).lower(*arguments).compile()


def _path(digest: str) -> Path | None:
    """File of a program; None where programs are not kept."""
    folder = program_folder()
    if folder is None or len(jax.local_devices(backend="cpu")) > 1:  # it would be loaded for all of them
        return None
    return folder / digest


def _dump(compiled: Any) -> bytes:
    from jax.experimental import serialize_executable

    payload, _, structure = serialize_executable.serialize(compiled)
    # the structure itself cannot be pickled where it holds dataclasses
    return pickle.dumps((payload, jax.tree.unflatten(structure, range(structure.num_leaves))))


def _digest(path: Path, content: bytes) -> bytes:
    """Checksum of a program under its name: another program in its place has another one."""
    return hashlib.sha256(path.name.encode() + content).digest()


def _load(path: Path, arguments: tuple[Any, ...]) -> Compiled:
    from jax.experimental import serialize_executable

    kept = path.read_bytes()
    if _digest(path, kept[32:]) != kept[:32]:
        raise ValueError("damaged")
    payload, result = pickle.loads(kept[32:])
    given, returned = jax.tree.structure((arguments, {})), jax.tree.structure(result)
    compiled: Compiled = serialize_executable.deserialize_and_load(payload, given, returned, backend="cpu")
    return compiled


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    os.replace(file.name, path)


@cache
def _fingerprint() -> str:
    """Text that differs wherever a program may differ: code of this package, versions, flags and processor."""
    package = Path(__file__).parent
    code = hashlib.sha256()
    for path in sorted(file for room in ("physics", "engine") for file in (package / room).rglob("*.py")):
        code.update(path.read_bytes())
    processor = platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        processor = next((line for line in lines if line.startswith(("flags", "Features"))), processor)  # x86, ARM
    settings: Any = jax.config
    versions = [*(version(name) for name in ("jax", "jaxlib")), sys.version]
    return " ".join(
        (
            code.hexdigest(),
            *versions,
            os.environ.get("XLA_FLAGS", ""),
            processor,
            str(settings.jax_default_matmul_precision),
        )
    )

"""Settings of the process that make JAX fast for this package, and its cache folder.

The settings must hold before JAX starts, so only a program or the command line may make them, by calling `configure`; importing the
package makes none.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import hashlib
import logging
import mmap
import os
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from constellation_jax import __version__
from constellation_jax.errors import InputError

_log = logging.getLogger(__name__)
VECTOR_WIDTH = "--xla_cpu_prefer_vector_width=512"
"""AVX-512 where the processor has it; LLVM chooses 256 bits by itself."""
BACKEND_OPTIONS = "--xla_backend_extra_options="
BACKEND_OPTION_VALUES = (
    "xla_cpu_use_multi_output_fusion",  # a computation of several results is one loop instead of one for each
    # a whole nest of loops becomes one function, instead of a dispatch for each small loop inside
    "xla_cpu_small_while_loop_byte_threshold=1000000000000000",
)
"""Values of `BACKEND_OPTIONS`. XLA ignores unknown ones whose name begins with xla_, so these need no check."""


def configure(*, cpu_flags: bool = True, compile_cache: bool | str | os.PathLike[str] = False) -> None:
    """Make JAX fast on a CPU, and keep compiled programs for later runs, if asked. Call it before JAX computes anything.

    The command line does both. What is set already stays: an option that `XLA_FLAGS` holds, and a compile cache that
    `JAX_COMPILATION_CACHE_DIR` or `jax.config` names. A second call changes nothing.

    Args:
        cpu_flags: add the options to the environment variable `XLA_FLAGS` that double the rate of the kernels on a CPU (wide
            vectors, and loops that are compiled as a whole), and compute in the calling thread (`jax_cpu_enable_async_dispatch`
            off), since the engine has a thread for each core. Both hold for other code of the process too; GPUs ignore them.
        compile_cache: keep compiled programs in a folder: True for one in the user's cache folder that is named after the versions
            of this package and of JAX, or a path.

    Raises:
        InputError: JAX has started already, so that a setting would have no effect.
    """
    if cpu_flags:
        flags = _add_cpu_flags(os.environ.get("XLA_FLAGS", ""))
        if flags != os.environ.get("XLA_FLAGS", ""):
            _check_not_started("XLA_FLAGS")
            os.environ["XLA_FLAGS"] = flags
        compute_in_calling_thread()
    if compile_cache:
        _keep_compiled(None if compile_cache is True else Path(compile_cache))


@cache  # JAX has no public way to read the setting, and a second call must change nothing
def compute_in_calling_thread() -> None:
    """Switch asynchronous dispatch off: handing each tile to a thread of XLA and back took a third of the time."""
    import jax

    _check_not_started("the thread that computes")
    settings: Any = jax.config
    with contextlib.suppress(AttributeError):  # in case that JAX gives it up: everything works without
        settings.update("jax_cpu_enable_async_dispatch", False)


def _add_cpu_flags(given: str) -> str:
    """A value of XLA_FLAGS, with those of the options that it lacks before it."""
    if given.strip() and not given.lstrip().startswith("-"):
        return given  # the name of a file of flags, which cannot be added to
    missing = [option for option in BACKEND_OPTION_VALUES if option.partition("=")[0] not in given]
    # XLA puts the lists of several --xla_backend_extra_options together, so the user's own stays as it is
    flags = [BACKEND_OPTIONS + ",".join(missing)] if missing else []
    if VECTOR_WIDTH.partition("=")[0] not in given and _is_known_to_jaxlib(VECTOR_WIDTH):
        flags.append(VECTOR_WIDTH)
    return " ".join([*flags, *given.split()])


def _is_known_to_jaxlib(flag: str) -> bool:
    """True for an option of the installed jaxlib: XLA ends the process over one that it does not know."""
    spec = find_spec("jaxlib")
    name = flag.strip("-").partition("=")[0].encode()
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for library in Path(folder).glob("*jax_common.*"):
            with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                if content.find(name) >= 0:
                    return True
    return False


def _keep_compiled(folder: Path | None) -> None:
    import jax

    global _program_folder
    settings: Any = jax.config
    if settings.jax_compilation_cache_dir is None:
        try:
            folder = _make_folder(folder or cache_folder() / f"compiled-{__version__}-jax-{jax.__version__}")
        except InputError as error:  # JAX would warn of each program
            _warn_once(f"{error}; compiled programs are not kept")
            return
        _check_not_started("the compile cache")
        _check_entries(folder)
        atexit.register(_sign_entries, folder)
        settings.update("jax_compilation_cache_dir", str(folder))
        settings.update("jax_persistent_cache_min_compile_time_secs", 0)  # a second by default: ours are shorter
    if "://" not in settings.jax_compilation_cache_dir:
        _program_folder = Path(settings.jax_compilation_cache_dir) / "constellation-jax"


def _make_folder(folder: Path) -> Path:
    folder = Path(os.path.expanduser(folder)).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise InputError(
            f"cache folder {folder}: {error.strerror}; CONSTELLATION_JAX_CACHE names another one"
        ) from None
    return folder


@cache
def _warn_once(message: str) -> None:
    _log.warning(message)


_program_folder: Path | None = None


def _check_entries(folder: Path) -> None:
    """Remove entries of JAX's cache that are not those that were signed under their names.

    JAX looks an entry up by its name and runs whatever program is in it.
    """
    with contextlib.suppress(OSError):
        for signature in folder.glob("*.sha256"):
            entry = signature.with_suffix("")
            if not entry.exists() or signature.read_text() != _sign(entry):
                entry.unlink(missing_ok=True)
                signature.unlink(missing_ok=True)


def _sign_entries(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for entry in folder.glob("*-cache"):
            signature = entry.with_name(f"{entry.name}.sha256")
            if not signature.exists():
                signature.write_text(_sign(entry))


def _sign(entry: Path) -> str:
    return hashlib.sha256(entry.name.encode() + entry.read_bytes()).hexdigest()


def program_folder() -> Path | None:
    """The folder for programs that can be loaded without JAX's tracing (programs.py); None: none are kept."""
    return _program_folder


def _check_not_started(what: str) -> None:
    # JAX has no public question for this that does not start it
    bridge = sys.modules.get("jax._src.xla_bridge")
    if bridge is not None and bridge.backends_are_initialized():
        raise InputError(
            f"configure: JAX has started already, so {what} can no longer be set; call configure before anything that computes "
            "with JAX, such as jnp.zeros, jax.devices or cj.propagate"
        )


def cache_folder() -> Path:
    """The folder for files that can be fetched or made again; it may not exist yet.

    The environment variable CONSTELLATION_JAX_CACHE names it; without it, it lies where the system keeps caches.

    Raises:
        InputError: the system knows no home folder of this user.
    """
    own = os.environ.get("CONSTELLATION_JAX_CACHE")
    if own:
        return Path(os.path.expanduser(own)).absolute()
    try:
        return _system_cache_folder()
    except RuntimeError:  # HOME is unset, and the user has no entry, as in a container
        raise InputError("cache folder: there is no home folder; CONSTELLATION_JAX_CACHE names another place") from None


def _system_cache_folder() -> Path:
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "constellation-jax" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "constellation-jax"
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(xdg) if os.path.isabs(xdg) else Path.home() / ".cache") / "constellation-jax"

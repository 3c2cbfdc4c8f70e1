"""Target of an output: checked, locked, filled as NAME.partial beside it, and renamed when it is complete.

Every writer goes through a `Target`, so that no run destroys the output of another run or a file of the user: a lock file
`.NAME.lock` is held while a run works on the target, NAME.partial is made anew and never written through a link, and only regular
files are replaced. Deliberately absent: any format.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from constellation_jax.errors import InputError, OutputError


class Target:
    """Place of an output file. Use it in a `with` statement, which holds the lock of the target; it may be entered again inside.

    Args:
        path: the file to be made.
        overwrite: whether an existing file may be replaced; it stays until the new one is complete.
        inputs: files that the run reads, none of which may be the target.

    Raises:
        InputError: the file exists, is no regular file or an input, has a name that no file can have, its folder does not exist or
            cannot be written to, or another run is writing it.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, overwrite: bool = False, inputs: Iterable[str | os.PathLike[str]] = ()
    ) -> None:
        self.path = Path(path)
        self.overwrite = overwrite
        self._inputs = tuple(inputs)
        self._lock: int | None = None
        self._entered = 0
        if self.path.name in ("", ".."):
            raise InputError(f"{self.path}: is a folder; expected the name of a file")
        self.partial = self.path.with_name(f"{self.path.name}.partial")
        self._lock_file = self.path.with_name(f".{self.path.name}.lock")
        self.check()
        self._refuse_if_busy()

    @classmethod
    def of(cls, path: str | os.PathLike[str], *, overwrite: bool = False) -> Target:
        """Make the target of a path; a target is returned as it is."""
        return path if isinstance(path, Target) else cls(path, overwrite=overwrite)

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __enter__(self) -> Self:
        if not self._entered:
            self.check()
            self._lock = _acquire(self._lock_file, str(self.path))
        self._entered += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._entered -= 1
        if not self._entered and self._lock is not None:
            lock, self._lock = self._lock, None
            _release(self._lock_file, lock)

    def check(self) -> None:
        """Raise InputError where the file cannot be made; see the class."""
        folder = self.path.parent
        try:
            folder_exists, found = folder.is_dir(), self._find(self.path)
            self._find(self.partial)  # the longest name
            os.fsencode(self.path).decode()
        except (OSError, ValueError) as error:  # too long, a NUL in it, or text that is no Unicode
            words = getattr(error, "strerror", None) or "it is no text in UTF-8"
            raise InputError(f"{_shorten(self.path)}: no file can have this name ({words}); choose another") from None
        if not folder_exists:
            raise InputError(f"{self.path}: there is no folder {folder}; create it first")
        if os.sep == "/" and "\\" in str(self.path.absolute()):
            raise InputError(f"{self.path}: netCDF cannot write to a name or folder with a backslash; choose another")
        if found is not None and not stat.S_ISREG(found.st_mode):
            raise InputError(f"{self.path}: is {_kind(found.st_mode)}; expected the name of a file")
        for source in self._inputs:
            if found is not None and _is_same(source, found):
                raise InputError(f"{self.path}: is an input of this run, which it would destroy; choose another name")
        if found is not None and not self.overwrite:
            raise InputError(
                f"{self.path}: exists already; choose another name, or replace it by --overwrite (in Python overwrite=True)"
            )
        if not os.access(folder, os.W_OK):
            raise InputError(f"{self.path}: the folder {folder} cannot be written to; choose another")

    def begin(self, is_own: Callable[[bytes], bool]) -> int:
        """Make NAME.partial anew and return its descriptor, for reading and writing.

        Args:
            is_own: tells by its first bytes (at most a megabyte) whether a NAME.partial that is there is the rest of an earlier
                run, which is replaced. An empty one is.

        Raises:
            InputError: something else is there, or the file cannot be made.
        """
        assert self._entered, "the lock of the target is not held"
        found = self._find(self.partial)
        if found is not None:
            if not stat.S_ISREG(found.st_mode):
                raise InputError(f"{self.partial}: {_kind(found.st_mode)} is in the way; remove it")
            with open(self.partial, "rb") as file:
                head = file.read(_HEAD_BYTES)
            if head.strip(b"\0") and not is_own(head):
                raise InputError(
                    f"{self.partial}: a file that no run has made is in the way; rename it, or choose another output"
                )
        try:
            self.partial.unlink(missing_ok=True)  # never cut short in place: it may have another name, too
            return os.open(self.partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        except OSError as error:
            raise InputError(f"{self.partial}: cannot be written ({error.strerror}); choose another place") from None

    def put(self, content: bytes) -> None:
        """Make the whole file in one go. A NAME.partial that begins as the content does is the rest of an earlier run.

        Raises:
            InputError: as for `begin` and `finish`.
            OutputError: it could not be written; nothing of it is left.
        """
        descriptor = self.begin(lambda head: content.startswith(head[:_SAME_BYTES]))
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        except BaseException as error:
            self.abandon()
            if isinstance(error, OSError):
                raise OutputError(f"{self}: {describe_cause(error)}; nothing was written") from error
            raise
        self.finish()

    def finish(self) -> None:
        """Rename the complete NAME.partial; where that fails, it stays.

        Raises:
            InputError: a file of the name has appeared meanwhile, or something that is no regular file.
            OutputError: the name could not be given.
        """
        try:
            found = self._find(self.path)
            if found is not None and not (self.overwrite and stat.S_ISREG(found.st_mode)):
                raise InputError(
                    f"{self.path}: has appeared during the run and is kept; the result is complete in {self.partial.name}"
                )
            os.replace(self.partial, self.path)
        except OSError as error:
            raise OutputError(
                f"{self.path}: {describe_cause(error)}; the result is complete in {self.partial.name}"
            ) from error

    def abandon(self) -> None:
        """Remove NAME.partial, in which there is nothing of use."""
        with contextlib.suppress(OSError):
            self.partial.unlink(missing_ok=True)

    @staticmethod
    def _find(path: Path) -> os.stat_result | None:
        """Status of a file, a link itself where it is one; None where there is none.

        Raises:
            OSError: the name is too long, or the folder may not be searched.
        """
        try:
            return os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _refuse_if_busy(self) -> None:
        """Raise InputError where another run holds the lock, as soon as the target is known."""
        if self._find(self._lock_file) is not None:
            _release(self._lock_file, _acquire(self._lock_file, str(self.path)))


def is_address(path: str | os.PathLike[str]) -> bool:
    """True for an address of fsspec, which has a scheme."""
    return "://" in os.fspath(path)


@contextlib.contextmanager
def hold_lock(file: Path, output: str, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock file while a run works on an output.

    Args:
        output: name of the output, for the message.
        shared: let others hold it, too, that share it. Where the system has no such locks (Windows), nothing is held then.

    Raises:
        InputError: another run holds it, or the file cannot be made.
    """
    if shared and sys.platform == "win32":
        yield
        return
    descriptor = _acquire(file, output, shared=shared)
    try:
        yield
    finally:
        _release(file, descriptor)


def _acquire(file: Path, output: str, *, shared: bool = False) -> int:
    """Lock a file and return its descriptor."""
    tries = _SHARED_TRIES if shared else 1
    while True:
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except OSError as error:
            raise InputError(f"{output}: cannot be written ({error.strerror}); choose another place") from None
        try:
            _lock(descriptor, shared=shared)
        except BlockingIOError:
            os.close(descriptor)
            tries -= 1
            if tries:
                time.sleep(0.05)  # one that shares it holds it alone for a moment, when it gives it back
                continue
            raise InputError(f"{output}: another run is writing it; wait for it, or choose another") from None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.lstat(file), os.fstat(descriptor)):
                return descriptor
        os.close(descriptor)  # the run before has removed it in the meantime


def _release(file: Path, descriptor: int) -> None:
    """Give a lock back, and remove its file where nobody else holds it."""
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            os.close(descriptor)  # an open file cannot be removed there
            file.unlink(missing_ok=True)
            return
        _lock(descriptor)  # fails where others share it
        if os.fstat(descriptor).st_size == 0:  # a file with content is none of ours
            file.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        os.close(descriptor)


def check_disk(path: str | os.PathLike[str], size: int) -> None:
    """Raise OutputError where the disk of a file that is to be made has no room for `size` bytes."""
    free = shutil.disk_usage(Path(path).parent).free
    if free < size:
        raise OutputError(
            f"{path}: needs {format_size(size)} and the disk has {format_size(free)} free; nothing was written"
        )


def format_size(count: int) -> str:
    """Format a number of bytes."""
    for unit, size in (("TB", 10**12), ("GB", 10**9)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 1e6:.1f} MB"


def describe_cause(error: BaseException) -> str:
    """Describe in words why a file could not be written."""
    code = getattr(error, "errno", None)
    words = getattr(error, "strerror", None) or str(error)
    if code in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return f"the disk is full ({words})"
    if code == errno.EFBIG:
        return f"the largest allowed file size is reached ({words})"
    return f"cannot be written ({words})"


_HEAD_BYTES: Final = 1 << 20
_SHARED_TRIES: Final = 40
_SAME_BYTES: Final = 64
_KINDS: Final = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def _kind(mode: int) -> str:
    return _KINDS.get(stat.S_IFMT(mode), "no file")


def _shorten(path: Path) -> str:
    text = str(path)
    return text if len(text) <= 100 else f"{text[:100]}..."


def _is_same(source: str | os.PathLike[str], found: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(source), found)
    except (OSError, ValueError):
        return False


def _lock(descriptor: int, *, shared: bool = False) -> None:
    """Lock a file for this descriptor, or for all that share it.

    Raises:
        BlockingIOError: it is locked already.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            except OSError:
                raise BlockingIOError from None
        else:
            import fcntl

            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return  # a file system without locks

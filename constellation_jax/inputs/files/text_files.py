"""Text in UTF-8 of a file that a user names, however it was compressed and encoded. Deliberately absent: any file format."""

from __future__ import annotations

import codecs
import io
import stat
import sys
import zipfile
from pathlib import Path
from typing import IO, Any

from constellation_jax.errors import InputError

LARGEST_TEXT = 512 * 2**20
"""Most bytes of a text, after decompression: several million element sets. A file of a few kB can ask for all memory otherwise."""
STANDARD_INPUT = "-"
"""Word for the standard input of the process."""
NUL = "\N{SYMBOL FOR NULL}"
"""Stands for each NUL of a text: NumPy ends a text at NUL, so that 1 NUL 0 would be read as 10."""


def read_file(source: str | Path, expected: str, *, pipes: bool = False) -> tuple[bytes, str]:
    """Read the bytes of a file, and return them with its name.

    Args:
        source: the path; ~ is the home folder.
        expected: the kind of file, for the message.
        pipes: whether a pipe will do, such as /dev/stdin or the <(...) of a shell; "-" is the standard input then.

    Raises:
        InputError: no such file, no file but a folder, pipe or device, one that cannot be read, or one that is too large.
    """
    shown_path = str(source) if len(str(source)) <= 200 else str(source)[:200] + "..."
    try:
        if pipes and str(source) == STANDARD_INPUT:
            return _read_all(sys.stdin.buffer, "standard input"), "standard input"
        path = Path(source).expanduser()
        kind, size = (found := path.stat()).st_mode, found.st_size
        if stat.S_ISDIR(kind):
            raise InputError(f"{shown_path}: a folder; expected {expected}")
        if not stat.S_ISREG(kind) and not (pipes and stat.S_ISFIFO(kind)):
            what = "a pipe" if stat.S_ISFIFO(kind) else "a device"
            raise InputError(f"{shown_path}: {what}, not a file; expected {expected}")
        if stat.S_ISREG(kind) and size <= LARGEST_TEXT:  # reading with a limit asks for all that memory first
            return path.read_bytes(), path.name
        with path.open("rb") as file:
            return _read_all(file, shown_path), path.name
    except FileNotFoundError:
        raise InputError(f"{shown_path}: no such file") from None
    except InputError:
        raise
    except (
        OSError,
        ValueError,
        RuntimeError,
        AttributeError,
    ) as error:  # no permission, name too long, NUL in it, no home, stdin
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"{shown_path}: cannot be read: {reason}") from None


def decode_text(data: bytes, name: str) -> bytes:
    """Decompress and decode bytes, and return text in UTF-8 with lines that end in a newline, without byte-order marks and NUL.

    Plain, or compressed with gzip, xz, bzip2, or as the one file of a zip archive.

    Raises:
        InputError: a damaged compressed file, one that grows beyond `LARGEST_TEXT`, or an archive of several files.
    """
    data = _decompress(data, name)
    if len(data) > LARGEST_TEXT:
        raise InputError(_too_large(name))
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            # PowerShell writes UTF-16 when output is redirected into a file.
            data = data.decode(encoding, "replace").removeprefix("\ufeff").encode()
            break
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            data = data.decode("latin-1").encode()
        # files that were joined carry the mark of each
        data = data.replace(b"\n" + codecs.BOM_UTF8, b"\n")
    if b"\r" in data and b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    return data.replace(b"\0", NUL.encode()) if b"\0" in data else data


def _read_all(file: IO[bytes], name: str) -> bytes:
    data = file.read(LARGEST_TEXT + 1)
    if len(data) > LARGEST_TEXT:
        raise InputError(_too_large(name))
    return data


def _too_large(name: str) -> str:
    return f"{name}: more than {LARGEST_TEXT // 2**20} MiB of text; split it into several files"


def _decompress(data: bytes, name: str) -> bytes:
    """Decompress by stream, so that no more than `LARGEST_TEXT` is ever made."""
    import bz2
    import gzip
    import lzma
    import zlib

    kinds: dict[bytes, tuple[str, Any]] = {
        b"\x1f\x8b": ("gzip", gzip.open),
        b"\xfd7zXZ\0": ("xz", lzma.open),
        b"BZh": ("bzip2", bz2.open),
    }
    for magic, (kind, opener) in kinds.items():
        if data.startswith(magic):
            try:
                with opener(io.BytesIO(data)) as file:
                    return _read_all(file, name)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
                if isinstance(error, InputError):
                    raise
                raise InputError(f"{name}: damaged or cut-off {kind} file ({error}); fetch it again") from None
    if data.startswith(b"PK\x03\x04"):
        return _unzip(data, name)
    if data.startswith((b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c", b"\x1f\x9d")):
        raise InputError(
            f"{name}: compressed in a way that is not read; expected plain text, gzip, xz, bzip2 or zip: unpack it"
        )
    return data


def _unzip(data: bytes, name: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [
                entry
                for entry in archive.infolist()
                if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")
            ]
            if len(members) != 1:
                names = ", ".join(entry.filename for entry in members[:3])
                raise InputError(f"{name}: a zip archive of {len(members)} files ({names}); expected one: unpack it")
            with archive.open(members[0]) as file:
                return _read_all(file, name)
    except InputError:
        raise
    except Exception as error:  # zipfile raises a dozen kinds for damaged, encrypted and unknown archives
        raise InputError(f"{name}: damaged or encrypted zip archive ({error}); unpack it") from None

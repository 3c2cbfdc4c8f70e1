"""Text in UTF-8 of a file that a user names, however it was compressed and encoded. Deliberately absent: any file format."""

from __future__ import annotations

import codecs
import gzip
import zlib
from pathlib import Path

from constellation_jax.errors import InputError

_GZIP = b"\x1f\x8b"


def read_file(source: str | Path, expected: str) -> tuple[bytes, str]:
    """Read the bytes of a file, and return them with its name.

    Args:
        source: the path; ~ is the home folder.
        expected: the kind of file, for the message.

    Raises:
        InputError: no such file, or one that cannot be read.
    """
    shown_path = str(source) if len(str(source)) <= 200 else str(source)[:200] + "..."
    try:
        path = Path(source).expanduser()
        return path.read_bytes(), path.name
    except FileNotFoundError:
        raise InputError(f"{shown_path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{shown_path}: a folder; expected {expected}") from None
    except (OSError, ValueError, RuntimeError) as error:  # no permission, name too long, NUL in it, no home folder
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"{shown_path}: cannot be read: {reason}") from None


def decode_text(data: bytes, name: str) -> bytes:
    """Decompress and decode bytes, plain or gzip, and return text in UTF-8 without byte-order mark.

    Raises:
        InputError: a damaged gzip file.
    """
    if data.startswith(_GZIP):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{name}: damaged or cut-off gzip file ({error}); fetch it again") from None
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            # PowerShell writes UTF-16 when output is redirected into a file.
            return data.decode(encoding, "replace").removeprefix("\ufeff").encode()
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1").encode()
    return data

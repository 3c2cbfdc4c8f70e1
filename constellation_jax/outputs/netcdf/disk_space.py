"""Disk space for a growing HDF5 file, set aside before HDF5 writes into it.

HDF5 writes all over the file and cannot undo a write that fails half way. Where the operating system can reserve space
(posix_fallocate: Linux), a full disk, a quota and a limit of the file size all show before anything is written. Elsewhere the free
space is looked up, which does not see quotas, nor what other processes take in the meantime.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import struct
from pathlib import Path
from typing import Final

SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
"""First bytes of an HDF5 file."""


class DiskSpace:
    """Reservation of disk space behind the end of a growing HDF5 file; unused space is given back at the end.

    Args:
        path: the file.
        descriptor: of the file, open for reading and writing; it is closed by `close`.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor: int | None = descriptor

    def holds_hdf5(self) -> bool:
        """True where the file is HDF5: netCDF-C has opened this one, and no other by its reading of the name."""
        assert self._descriptor is not None
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return os.read(self._descriptor, len(SIGNATURE)) == SIGNATURE

    def reserve(self, size: int) -> None:
        """Make sure that the file can grow by `size` bytes.

        Raises:
            OSError: the disk or the quota is full, or the file would exceed a limit. The file is unchanged.
        """
        assert self._descriptor is not None
        if hasattr(os, "posix_fallocate"):
            end = _find_end_of_data(self._descriptor)
            try:
                os.posix_fallocate(self._descriptor, end, size)
            except OSError as error:
                if error.errno not in _NO_FALLOCATE:
                    os.ftruncate(self._descriptor, end)  # a part may have been set aside
                    raise
            else:
                return
        if shutil.disk_usage(self._path.parent).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self, *, trim: bool = True) -> None:
        """Close the file; `trim` cuts it behind its last byte, once HDF5 has closed it in good order."""
        if self._descriptor is not None:
            if trim:
                with contextlib.suppress(OSError):  # the excess is harmless: readers look at the length in the header
                    os.ftruncate(self._descriptor, _find_end_of_data(self._descriptor))
            os.close(self._descriptor)
            self._descriptor = None


_NO_FALLOCATE: Final = (errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS, errno.ENODEV)
"""Errors of file systems that cannot set space aside; then the free space is looked up instead."""


def _find_end_of_data(descriptor: int) -> int:
    """Find the length of an HDF5 file by its header, or else its size.

    The header is superblock version 2 or 3, the length its "end of file address", up to date after each flush.

    Reference: HDF5 File Format Specification Version 3.0, section II.A.
    """
    size = os.fstat(descriptor).st_size
    os.lseek(descriptor, 0, os.SEEK_SET)
    header = os.read(descriptor, 36)
    if len(header) < 36 or header[:8] != SIGNATURE or header[8] not in (2, 3) or header[9] != 8:
        return size
    return min(size, int(struct.unpack_from("<Q", header, 28)[0]))

"""Shards of a Zarr array, each put together in one buffer and stored at once.

zarr hands each chunk, and each of its codecs, through asyncio and threads, and copies it four times: a shard of 25 MB takes 48 ms
of processor time so and 27 ms here, 19 of which are the system's for the file. A shard takes the place of what was there, which
zarr would read first, so that a torn one is mended. Deliberately absent: reading, which is left to zarr.

Reference: Zarr v3, codec `sharding_indexed` 1.0: the chunks in any order, then the offset and the size of each, and a crc32c.
"""

from __future__ import annotations

from typing import Any, Final

import google_crc32c
import numpy as np
import zarr
from numcodecs.zstd import Zstd
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from constellation_jax.errors import OutputError

CRC: Final = Crc32cCodec()
"""Checksum behind each chunk."""
ZSTD: Final = ZstdCodec(level=1)
"""Compression of the status, which is nearly always 0."""


def put_shard(array: zarr.Array[Any], rows: slice, values: NDArray[Any]) -> None:
    """Store a whole shard, in the place of one that is there.

    Args:
        array: (time, satellite), in shards of all satellites, whose chunks have `CRC`, or `ZSTD` and `CRC`.
        rows: of the array, one shard.
        values: of these rows.

    Raises:
        OSError: it could not be written.
        OutputError: the array has other codecs: its metadata have been changed.
    """
    if array.compressors not in ((CRC,), (ZSTD, CRC)) or array.shards is None:
        raise OutputError(f"{array.store_path}: has other codecs than those of this package; write it again")
    values = np.asarray(values, array.dtype)
    shard = encode_shard(values, array.shards, array.chunks, array.fill_value, is_compressed=ZSTD in array.compressors)
    path = array.store_path / array.metadata.encode_chunk_key((rows.start // array.shards[0], 0))
    sync(path.set(default_buffer_prototype().buffer.from_array_like(shard)))


def encode_shard(
    values: NDArray[Any], shape: tuple[int, ...], chunks: tuple[int, ...], fill: Any, *, is_compressed: bool
) -> NDArray[np.uint8]:
    """Encode a shard.

    Args:
        values: (time, satellite) of the shard, as far as the array goes.
        shape: of the shard, whole chunks.
        chunks: shape of a chunk.
        fill: value of the rest of a chunk at the edge of the array.
        is_compressed: by `ZSTD`.
    """
    corners = [(i, j) for i in range(0, shape[0], chunks[0]) for j in range(0, shape[1], chunks[1])]
    size = chunks[0] * chunks[1] * values.itemsize
    bound = size + (size >> 8) + 64 if is_compressed else size  # ZSTD_COMPRESSBOUND
    shard = np.empty(len(corners) * (bound + _CRC_BYTES + _ENTRY_BYTES) + _CRC_BYTES, np.uint8)
    entries = np.full((len(corners), 2), 2**64 - 1, "<u8")  # of a chunk outside the array, which is left out
    packer = Zstd(level=ZSTD.level)
    end = 0
    for k, (i, j) in enumerate(corners):
        begin = end
        part = values[i : i + chunks[0], j : j + chunks[1]]
        if not part.size:
            continue
        room = np.empty(size, np.uint8) if is_compressed else shard[begin : begin + size]
        chunk = room.view(values.dtype).reshape(chunks)
        chunk[: part.shape[0], : part.shape[1]] = part
        chunk[part.shape[0] :] = fill
        chunk[:, part.shape[1] :] = fill
        end = _add_bytes(shard, begin, packer.encode(chunk)) if is_compressed else begin + size
        end = _add_crc(shard, begin, end)
        entries[k] = begin, end - begin
    end = _add_crc(shard, end, _add_bytes(shard, end, entries.tobytes()))
    return shard[:end]


_CRC_BYTES: Final = 4
_ENTRY_BYTES: Final = 16
"""Bytes of the offset and the size of a chunk."""


def _add_bytes(shard: NDArray[np.uint8], begin: int, content: bytes) -> int:
    """Put bytes into a shard, and return where they end."""
    end = begin + len(content)
    shard[begin:end] = np.frombuffer(content, np.uint8)
    return end


def _add_crc(shard: NDArray[np.uint8], begin: int, end: int) -> int:
    """Put the checksum of bytes behind them, and return where it ends."""
    crc: int = google_crc32c.value(shard[begin:end])
    return _add_bytes(shard, end, crc.to_bytes(_CRC_BYTES, "little"))

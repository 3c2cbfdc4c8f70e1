"""Blocks of an output: consecutive steps, or spans, that are computed and stored together."""

from __future__ import annotations


def cut(total: int, block: int, start: int = 0) -> list[slice]:
    """Cut the units from `start` on into blocks."""
    return [slice(first, min(first + block, total)) for first in range(start, total, block)]

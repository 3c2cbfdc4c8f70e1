"""Exceptions of the package, with one clear line for each mistake, and near misses of mistyped words."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Mistake in something that the user gave. The message is one line: where, what was found and expected, what to do."""


class InputErrors(InputError):
    """Several mistakes in one input, reported at once.

    Args:
        messages: one line for each mistake.
    """

    def __init__(self, messages: list[str]) -> None:
        super().__init__("\n".join(messages))
        self.messages = messages


class OutputError(RuntimeError):
    """Failure to write or finish an output. The message is one line: the file, the cause, and the part that can be read."""


def suggest(word: str, known: Iterable[str]) -> str:
    """Return ", did you mean 'x'?" for the known word nearest to a mistyped one, or "" where none is near."""
    near = nearest(word, known)
    return f", did you mean {near!r}?" if near else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word nearest to a mistyped one, or "" where none is near."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), "")

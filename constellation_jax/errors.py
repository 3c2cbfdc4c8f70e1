"""The package's own exceptions: one clear line each, for a reader who made a mistake and wants to mend it."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something given by the user is wrong. The message is one line: where, what was found and expected, what to do."""


class InputErrors(InputError):
    """Several mistakes of one input, reported at once.

    Args:
        messages: one line for each mistake.
    """

    def __init__(self, messages: list[str]) -> None:
        super().__init__("\n".join(messages))
        self.messages = messages


class OutputError(RuntimeError):
    """An output could not be written or finished. The message is one line: file, cause, what of it can be read."""


def suggest(word: str, known: Iterable[str]) -> str:
    """Return ", did you mean 'x'?" for the known word nearest to a mistyped one, or "" where none is near."""
    near = nearest(word, known)
    return f", did you mean {near!r}?" if near else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word nearest to a mistyped one, or "" where none is near."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), "")

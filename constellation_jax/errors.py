"""Exceptions of the package, with one clear line for each mistake, and near misses of mistyped words."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Mistake in something that the user gave. The message is one line: where, what was found and expected, what to do."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


class InputErrors(InputError):
    """Several mistakes in one input, reported at once.

    Args:
        messages: one line for each mistake.
    """

    def __init__(self, messages: list[str]) -> None:
        super().__init__("\n".join(messages))
        self.messages = [printable(message) for message in messages]


class OutputError(RuntimeError):
    """Failure to write or finish an output. The message is one line: the file, the cause, and the part that can be read."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """Escape the characters of a text that a terminal would obey or could not show: all control characters but the newline."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def suggest(word: str, known: Iterable[str]) -> str:
    """Return ", did you mean 'x'?" for the known word nearest to a mistyped one, or "" where none is near."""
    near = nearest(word, known)
    return f", did you mean {near!r}?" if near else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word nearest to a mistyped one, or "" where none is near."""
    # the comparison takes time with the square of the length: no known word comes near a long one
    return next(iter(difflib.get_close_matches(word[:100], list(known), n=1)), "")

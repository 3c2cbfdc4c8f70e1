"""Two-line element sets as values of a message: the columns of a table, the keys of a JSON object."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from constellation_jax.inputs.catalog.catalog import Reject
from constellation_jax.inputs.element_sets.tle import read_tle
from constellation_jax.inputs.files.text_columns import quote

LINE_KEYS = (
    ("TLE_LINE1", "TLE1", "LINE1", "TLE_LINE_1", "LINE_1"),
    ("TLE_LINE2", "TLE2", "LINE2", "TLE_LINE_2", "LINE_2"),
    ("TLE_LINE0", "TLE0", "LINE0", "OBJECT_NAME", "NAME", "SATNAME"),
)
"""Names, in capitals, of line 1, line 2 and the name, the most telling first: those of Space-Track and of programs in wide use."""


def find_line_keys(keys: Collection[str]) -> tuple[str | None, str | None, str | None]:
    """Find the keys of line 1, line 2 and the name among those of a message, as it spells them; None where there is none."""
    spelled = {key.strip().upper(): key for key in keys}
    one, two, name = (next((spelled[word] for word in words if word in spelled), None) for words in LINE_KEYS)
    return one, two, name


def read_lines(
    messages: Sequence[tuple[str, str, str]], lines: Sequence[int], source: str
) -> tuple[dict[str, Any], list[Reject]]:
    """Read messages that hold the lines of an element set.

    Args:
        messages: name ("" for none), line 1 and line 2 of each.
        lines: line of the file of each message, for the rejects.
        source: name of the file.

    Returns:
        As `read_tle`: columns of those that can be read, and a Reject for every other.
    """
    cleaned, kept, refused = [], [], []
    for line, message in zip(lines, messages, strict=True):
        name, one, two = (part.replace("\n", " ").replace("\r", " ").strip() for part in message)
        if one.startswith("1 ") and two.startswith("2 "):
            cleaned.append((name, one, two))
            kept.append(line)
        else:
            found = f"{quote(one)} and {quote(two)}"
            refused.append(
                Reject(source, line, f"found {found}, expected an element line that begins with '1 ' and one with '2 '")
            )
    # "0 " keeps a name that looks like an element line a name
    text = "\n".join(f"0 {name.removeprefix('0 ')}\n{one}\n{two}" for name, one, two in cleaned)
    columns, rejects = read_tle(text.encode("utf-8", "replace"), source)
    placed = refused + [reject._replace(line=kept[(reject.line - 1) // 3]) for reject in rejects]
    return columns, sorted(placed, key=lambda reject: reject.line)

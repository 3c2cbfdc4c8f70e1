"""Mutations of sound files: every reader reads them, or refuses them with one of the package's errors."""

import pytest
from hostile import READERS, try_reader

FEW = {name: 5 for name in READERS if name.startswith(("store", "deployment", "tuning"))}
"""Mutations where each takes more than some milliseconds; of the others 40. The benchmark of mutations has many more."""


@pytest.mark.parametrize("name", READERS)
def test_mutations_are_read_or_refused(name: str) -> None:
    count = try_reader(name, FEW.get(name, 40))
    assert 0 < count.refused < count.inputs or name in FEW or "file" in name


def test_a_fault_of_a_reader_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> None:
        raise KeyError("a fault")

    readers = {"tle": READERS["tle"]._replace(read=read)}
    with pytest.raises(AssertionError, match="KeyError"):
        try_reader("tle", 1, readers=readers)

"""Sites from files and values; mistakes with their line."""

from pathlib import Path

import pytest

import constellation_jax as cj

ROOT = Path(__file__).parents[3]


def test_the_example_file_is_read() -> None:
    sites = cj.load_sites(ROOT / "configs" / "sites.csv")
    assert len(sites) == 12
    assert sites[0] == cj.Site("Greenwich", 51.478, 0.0, 90.0)


def test_toml_and_values_give_the_same(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('[[sites]]\nname = "A"\nlatitude_deg = 10\nlongitude_deg = 350.5\n')
    expected = (cj.Site("A", 10.0, 350.5),)
    assert (
        cj.load_sites(tmp_path / "s.toml") == cj.load_sites({"A": (10, 350.5)}) == cj.load_sites(expected) == expected
    )


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "name,latitude_deg,longitude_deg\nA,1\n", "a.csv, line 2: found 2 columns, expected the 3"),
        (
            "a.csv",
            "# a\nname,latitude_deg,longitude_deg\nA,1,x\n",
            "a.csv, line 3, longitude_deg: found 'x', expected a number",
        ),
        ("a.csv", "name,latitude,longitude_deg\nA,1,2\n", "unknown key 'latitude'; .*did you mean 'latitude_deg'"),
        ("a.csv", "name,latitude_deg,longitude_deg\nA,1,2\nA,3,4\n", "'A' is there twice"),
        ("a.csv", "name,latitude_deg,longitude_deg\nA,nan,2\n", "line 2: site 'A', latitude_deg: found nan"),
        ("a.csv", "", "none, expected at least one"),
        ("a.toml", "[sites]\nname = 1\n", r"expected tables \[\[sites\]\]"),
        ("a.toml", "x", "no TOML"),
        ("a.toml", '[[sites]]\nname = "A"\nlatitude_deg = 1\n', r"sites\[0\]: longitude_deg is missing"),
        ("b.csv", None, "b.csv"),
    ],
)
def test_mistakes_name_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path(name).write_text(text)
    with pytest.raises(cj.InputError, match=said):
        cj.load_sites(name)

"""Catalogue summaries: the figures, their text and their JSON."""

import json
from pathlib import Path

import pytest

from constellation_jax.inputs.catalog.catalog import Catalog, Reject
from constellation_jax.inputs.catalog.summary import find_family, summarise
from constellation_jax.inputs.element_sets.read import read_catalog

REJECTS = [Reject("x.tle", 3, "checksum", kept=True), Reject("x.tle", 9, "line 2 is missing")]


def small() -> Catalog:
    """Two low orbits, Molniya, GPS, geostationary, and one beyond."""
    return Catalog.from_columns(
        {
            "norad_id": [1, 2, 3, 4, 5, -1],
            "name": ["STARLINK-1234", "STARLINK-5678 [DTC]", "MOLNIYA 1-83", "NAVSTAR 53 (USA 175)", "SES-1", ""],
            "epoch_day": [60000, 60001, 60002, 60003, 60004, 59999],
            "epoch_fraction": [0.0, 0.0, 0.0, 0.0, 0.75, 0.5],
            "mean_motion_rev_per_day": [15.06, 15.5, 2.0, 2.0056, 1.0027, 0.5],
            "eccentricity": [0.0001, 0.0002, 0.74, 0.004, 0.0, 0.001],
            "inclination_deg": [53.0, 53.0, 63.4, 55.0, 0.01, 10.0],
            "raan_deg": 0.0,
            "arg_perigee_deg": 0.0,
            "mean_anomaly_deg": 0.0,
            "bstar": [1e-4, -1e-5, 0.0, 0.0, 0.0, 0.0],
        },
        rejects=REJECTS,
    )


def test_figures():
    summary = summarise(small())
    assert summary.objects == 6
    assert (summary.first_epoch, summary.last_epoch) == ("2023-02-24T12:00:00", "2023-03-01T18:00:00")
    assert summary.orbit_classes == {"LEO": 2, "MEO": 1, "GEO": 1, "HEO": 1, "beyond": 1}
    assert summary.altitude_bands_km == {"400-450": 1, "500-550": 1}
    assert summary.families == {"STARLINK": 2, "(no name)": 1, "MOLNIYA": 1, "NAVSTAR": 1, "SES": 1}
    assert (summary.deep_space, summary.eccentric, summary.uncatalogued, summary.synthetic) == (4, 1, 1, 0)
    assert (summary.zero_bstar, summary.negative_bstar) == (4, 1)
    assert (summary.rejected, summary.noted) == (1, 1)
    assert summary.first_rejects == ("x.tle, line 9: line 2 is missing", "x.tle, line 3: checksum (record kept)")


def test_text_and_json():
    summary = summarise(small(), families=2, rejects=1)
    text = str(summary)
    assert text == "\n".join(summary.lines())
    assert "Objects                 6" in text
    assert "  STARLINK        2  ####" in text
    assert "  and 3 more" in text
    assert "500-550       1" in text
    assert text.endswith("First rejects\n  x.tle, line 9: line 2 is missing")
    assert json.loads(json.dumps(summary.to_dict()))["orbit_classes"]["LEO"] == 2


def test_the_line_of_further_families_follows_the_families():
    lines = summarise(small(), families=2).lines()
    assert lines[lines.index("Families") + 3] == "  and 3 more"
    high = summarise(small()[2:], families=2).lines()
    assert high[high.index("Families") + 3] == "  and 2 more"


def test_an_empty_catalogue():
    summary = summarise(small()[:0])
    assert summary.objects == 0
    assert summary.families == {}
    assert "none" in str(summary)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("STARLINK-1234", "STARLINK"),
        ("STARLINK-11072 [DTC]", "STARLINK"),
        ("ONEWEB-0012", "ONEWEB"),
        ("KUIPER-00163", "KUIPER"),
        ("FENGYUN 1C DEB", "FENGYUN DEB"),
        ("COSMOS 2251 DEB", "COSMOS DEB"),
        ("CZ-2C R/B", "CZ R/B"),
        ("YAOGAN-35 03A", "YAOGAN"),
        ("IRIDIUM 106", "IRIDIUM"),
        ("GSAT0101 (GALILEO-PFM)", "GSAT"),
        ("ISS (ZARYA)", "ISS"),
        ("HULIANWANG DIGUI-01", "HULIANWANG DIGUI"),
        ("GUOWANG 24 OBJECT A", "GUOWANG"),
        ("2025-206A", "(no name yet)"),
        ("OBJECT C", "(no name yet)"),
        ("VANGUARD 1", "VANGUARD"),
        ("", "(no name)"),
    ],
)
def test_families(name: str, family: str):
    assert find_family(name) == family


def test_the_whole_catalogue(shared_data: Path):
    summary = summarise(read_catalog(shared_data / "catalogs/active_2026-08-22.omm.csv.gz"))
    assert summary.objects == 16_400
    assert (summary.zero_bstar, summary.negative_bstar) == (802, 1725)
    assert (summary.deep_space, summary.eccentric, summary.orbit_classes["LEO"]) == (806, 50, 15_588)
    assert summary.families["STARLINK"] == 10_975
    assert summary.families["ONEWEB"] == 651
    assert sum(summary.altitude_bands_km.values()) == summary.orbit_classes["LEO"]
    assert sum(summary.orbit_classes.values()) == 16_400
    assert (summary.rejected, summary.noted) == (0, 0)

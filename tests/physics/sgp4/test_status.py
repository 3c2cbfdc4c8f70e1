"""The table of status numbers: SGP4's own, usable as netCDF flags, loadable without JAX."""

import subprocess
import sys

import constellation_jax as cj
from constellation_jax.physics.sgp4 import status


def test_numbers_are_those_of_the_published_code():
    assert {code: entry.name for code, entry in status.STATUS.items()} == {
        0: "ok",
        1: "mean_eccentricity_out_of_range",
        2: "mean_motion_not_positive",
        3: "perturbed_eccentricity_out_of_range",
        4: "semilatus_rectum_negative",
        6: "decayed",
        7: "too_far_from_epoch",  # ours
    }
    assert (status.OK, status.DECAYED) == (0, 6)


def test_names_are_single_words_and_meanings_are_sentences():
    for entry in status.STATUS.values():
        assert entry.name.isidentifier()
        assert entry.meaning.endswith(".")
        assert entry.meaning[0].isupper()


def test_it_is_public():
    assert cj.STATUS is status.STATUS


def test_it_needs_no_jax():
    code = "import sys, constellation_jax.physics.sgp4.status; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""Status codes of a satellite at an instant: SGP4's own error numbers, in one table. No JAX here.

The numbers are plain integers, because traced code compares and selects with them. An object that has failed keeps its
first failure at every later instant: SGP4's equations may return code 0, with nonsense, long after the decay.

Reference: Vallado, Crawford, Hujsak & Kelso, AIAA 2006-6753, function sgp4 (variable `error`). Number 5, "epoch
elements are sub-orbital", belongs to initialisation in the older codes and is no longer raised there.
"""

from typing import Final, NamedTuple

from constellation_jax.physics.constants import MINUTES_PER_DAY, YEAR_DAYS

OK: Final = 0
MEAN_ECCENTRICITY_OUT_OF_RANGE: Final = 1
MEAN_MOTION_NOT_POSITIVE: Final = 2
PERTURBED_ECCENTRICITY_OUT_OF_RANGE: Final = 3
SEMILATUS_RECTUM_NEGATIVE: Final = 4
DECAYED: Final = 6
TOO_FAR: Final = 7
"""Outside the reach of the theory; not one of SGP4's own codes."""

FARTHEST_MINUTES: Final = 100 * YEAR_DAYS * MINUTES_PER_DAY
"""Element sets say nothing about instants farther than this from their epoch."""
FARTHEST_KM: Final = 1e6
"""Distance beyond which no object is bound to the Earth for long: two thirds of the radius of its Hill sphere."""


class StatusEntry(NamedTuple):
    """Name and meaning of one status code."""

    name: str
    """Name of lower-case letters and underscores, as `flag_meanings` needs it."""
    meaning: str
    """Meaning as a sentence for messages and reports."""


STATUS: Final[dict[int, StatusEntry]] = {
    OK: StatusEntry("ok", "The state is valid."),
    MEAN_ECCENTRICITY_OUT_OF_RANGE: StatusEntry(
        "mean_eccentricity_out_of_range", "Drag has carried the mean eccentricity to 1 or more, or below -0.001."
    ),
    MEAN_MOTION_NOT_POSITIVE: StatusEntry("mean_motion_not_positive", "The mean motion is zero or negative."),
    PERTURBED_ECCENTRICITY_OUT_OF_RANGE: StatusEntry(
        "perturbed_eccentricity_out_of_range", "Lunar and solar terms have carried the eccentricity outside 0 to 1."
    ),
    SEMILATUS_RECTUM_NEGATIVE: StatusEntry("semilatus_rectum_negative", "The semi-latus rectum is negative."),
    DECAYED: StatusEntry("decayed", "The radius is below one Earth radius: the object has decayed."),
    TOO_FAR: StatusEntry(
        "too_far_from_epoch",
        "The instant is more than 100 years from the epoch, or so long before it that SGP4's drag has no meaning, or there is no "
        "finite state within 1,000,000 km.",
    ),
}
"""Name and meaning of every status code that occurs."""

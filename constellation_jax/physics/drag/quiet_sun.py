"""Correction of NRLMSISE-00 under a quiet Sun, where it is too dense: the share that applies at an instant.

    ln(density) = ln(NRLMSISE-00) + profile(altitude) weight(F10.7A, Ap, year)

The profile, below zero everywhere, is part of the table `nrlmsise00-calibrated`; scripts/build_quiet_sun.py makes it. The weight is
smooth, between 0 and 1, and 0 for an active Sun, where ballistic coefficients keep their meaning. docs/concepts/atmosphere.md
shows what it does to them.

Deliberately absent: a season, and the daily F10.7. Fits that had them were no better for the object that was left out of them.

Reference: Emmert, Lean & Picone, Geophys. Res. Lett. 37, L12102 (2010), doi:10.1029/2010GL043671 (densities of 2007 to 2009);
Emmert et al., J. Geophys. Res. Space Phys. 119, 6657 (2014), doi:10.1002/2013JA019484 (1996 against 2008).
"""

from typing import Final

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

QUIET_F107A: Final = 80.0
"""81-day mean of F10.7 at which half of the correction applies, solar flux units."""
QUIET_F107A_WIDTH: Final = 5.0
"""Scale of the change about `QUIET_F107A`, solar flux units."""
QUIET_AP: Final = 10.0
"""Daily Ap at which 1/e of the correction is left."""
ONSET_YEAR: Final = 2002.0
"""Year about which minima became deeper: densities were too low before 2006, and not in 1996 (Emmert et al. 2010)."""
ONSET_WIDTH: Final = 1.5
"""Scale of the change about `ONSET_YEAR`, years."""
SHARE_BEFORE: Final = 0.6
"""Share of the correction in earlier minima: with it the density at 400 km falls by 36 % from 1996 to 2008, as observed (Emmert et
al. 2014), of which NRLMSISE-00 has 17 %."""


def weight(f107a: ArrayLike, ap: ArrayLike, year: ArrayLike) -> Array:
    """Share of the correction that applies, 0 to 1. Any shape.

    Args:
        f107a: 81-day mean of F10.7, solar flux units.
        ap: daily planetary Ap; below zero as zero.
        year: with its fraction.
    """
    flux, ap, year = (jnp.asarray(v) for v in (f107a, ap, year))
    quiet = jax.nn.sigmoid((QUIET_F107A - flux) / QUIET_F107A_WIDTH) * jnp.exp(-jnp.maximum(ap, 0.0) / QUIET_AP)
    since = jax.nn.sigmoid((year - ONSET_YEAR) / ONSET_WIDTH)
    return quiet * (SHARE_BEFORE + (1.0 - SHARE_BEFORE) * since)

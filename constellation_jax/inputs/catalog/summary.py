"""Summary of a catalogue: counts by family, regime and altitude, epochs, unusual elements, and the readers' rejects."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from typing import Any

import numpy as np

from constellation_jax.errors import printable
from constellation_jax.inputs.catalog.catalog import Catalog, Reject

LEO_TOP_KM = 2000.0
"""Upper end of low Earth orbit (IADC Space Debris Mitigation Guidelines, IADC-02-01, section 3.3.2)."""
GEO_RING_KM = (35_586.0, 35_986.0)
"""Geostationary altitude, 35,786 km, plus and minus 200 km (the same guidelines, section 3.3.2)."""
HIGHLY_ELLIPTICAL = 0.25
"""Eccentricity from which an orbit above LEO counts as highly elliptical: it then crosses altitude classes."""
BAND_KM = 50.0
"""Width of the altitude bands of the summary."""

_DESIGNATOR = re.compile(r"\d{4}-\d{3}[A-Z]|OBJECT [A-Z]+$|TBA\b")
_TRAILING_DESIGNATOR = re.compile(
    r"[\s-]+\(?[A-Z]{0,3}-?\d[\w.-]*\)?$"  # -1234, 5, (A12), -F3
    r"|\s*\([^)]*\)$"  # (ZARYA)
    r"|\s+\[[^\]]*\]$"  # [DTC]
    r"|\s+OBJECT [A-Z]+$"
    r"|(?<=[A-Z]{3})\d+[A-Z]?$"  # GSAT0101
)


@dataclasses.dataclass(frozen=True)
class CatalogSummary:
    """Figures about a catalogue. `str()` gives them as text, `to_dict()` as plain values for JSON."""

    objects: int
    """Number of objects."""
    first_epoch: str
    """Earliest epoch, UTC, to the second; empty for an empty catalogue."""
    last_epoch: str
    """Latest epoch, UTC, to the second; empty for an empty catalogue."""
    families: dict[str, int]
    """Objects by name without its number ("STARLINK-1234" -> "STARLINK"), the most frequent first."""
    families_total: int
    """Number of all families, those not in `families` included."""
    orbit_classes: dict[str, int]
    """Objects by orbit class: LEO (mean altitude below 2000 km), MEO, GEO (35,586 to 35,986 km), HEO (above LEO, eccentricity of
    0.25 or more), beyond."""
    altitude_bands_km: dict[str, int]
    """Objects of LEO by mean altitude in steps of 50 km ("500-550"); bands without objects are left out."""
    deep_space: int
    """Objects with a period of 225 minutes or more, which SDP4 propagates."""
    eccentric: int
    """Objects with an eccentricity above 0.1."""
    zero_bstar: int
    """Objects with a B* of exactly 0."""
    negative_bstar: int
    """Objects with a B* below 0."""
    uncatalogued: int
    """Objects without catalogue number."""
    synthetic: int
    """Objects with generated elements."""
    rejected: int
    """Records that the readers left out."""
    noted: int
    """Defects, such as a wrong checksum, of records that were kept."""
    first_rejects: tuple[str, ...]
    """Messages of the first rejects, records left out before defects noted."""

    def to_dict(self) -> dict[str, Any]:
        """Convert the figures to dict, list, str and int."""
        return dataclasses.asdict(self) | {"first_rejects": list(self.first_rejects)}

    def lines(self) -> list[str]:
        """Format the figures as lines of plain text."""
        epochs = f"{self.first_epoch} to {self.last_epoch} UTC" if self.objects else "none"
        lines = [f"Objects           {self.objects:>7,}", f"Epochs            {epochs}"]
        for title, number in (
            ("Deep space", self.deep_space),
            ("Eccentricity >0.1", self.eccentric),
            ("B* zero", self.zero_bstar),
            ("B* negative", self.negative_bstar),
            ("Without number", self.uncatalogued),
            ("Synthetic", self.synthetic),
            ("Records rejected", self.rejected),
            ("Defects noted", self.noted),
        ):
            if number or title in ("Deep space", "Records rejected"):
                lines.append(f"{title:<17} {number:>7,}")
        others = self.families_total - len(self.families)
        for title, counts, more in (
            ("Orbit classes", self.orbit_classes, 0),
            ("Families", self.families, others),
            ("Mean altitude in LEO, km", self.altitude_bands_km, 0),
        ):
            if counts:
                lines += ["", title, *_format_table(counts), *([f"  and {more:,} more"] if more else [])]
        if self.first_rejects:
            lines += ["", "First rejects", *(f"  {line}" for line in self.first_rejects)]
        return lines

    def __str__(self) -> str:
        return "\n".join(self.lines())


def summarise(catalog: Catalog, *, families: int = 12, rejects: int = 5) -> CatalogSummary:
    """Summarise a catalogue.

    Args:
        catalog: any number of objects, also none.
        families: number of families to name, the largest first.
        rejects: number of the readers' rejects to quote.
    """
    altitude, eccentricity = catalog.mean_altitude_km, catalog.eccentricity
    epoch = np.sort(catalog.epoch)
    counts = Counter(find_family(name) for name in catalog.name.tolist())
    low = altitude[altitude < LEO_TOP_KM]
    steps, numbers = np.unique(np.floor(low / BAND_KM).astype(np.int64) * int(BAND_KM), return_counts=True)
    left_out = [reject for reject in catalog.rejects if not reject.kept]
    return CatalogSummary(
        objects=len(catalog),
        first_epoch=str(epoch[0].astype("datetime64[s]")) if len(epoch) else "",
        last_epoch=str(epoch[-1].astype("datetime64[s]")) if len(epoch) else "",
        families=dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:families]),
        families_total=len(counts),
        orbit_classes=_count_orbit_classes(altitude, eccentricity),
        altitude_bands_km={f"{s}-{s + int(BAND_KM)}": n for s, n in zip(steps.tolist(), numbers.tolist(), strict=True)},
        deep_space=int(catalog.is_deep_space.sum()),
        eccentric=int((eccentricity > 0.1).sum()),
        zero_bstar=int((catalog.bstar == 0.0).sum()),
        negative_bstar=int((catalog.bstar < 0.0).sum()),
        uncatalogued=int((catalog.norad_id < 0).sum()),
        synthetic=int(catalog.synthetic.sum()),
        rejected=len(left_out),
        noted=len(catalog.rejects) - len(left_out),
        first_rejects=tuple(str(reject) for reject in _left_out_first(catalog.rejects)[:rejects]),
    )


def find_family(name: str) -> str:
    """Find the family of an object: "STARLINK" for "STARLINK-1234", "COSMOS DEB" for "COSMOS 2251 DEB"."""
    stripped = name.strip().upper()
    if _DESIGNATOR.match(stripped):
        return "(no name yet)"
    kind = next((kind for kind in (" DEB", " R/B") if re.search(rf"{kind}\b", stripped)), "")
    family = stripped.partition(kind)[0] if kind else stripped
    while shorter := _TRAILING_DESIGNATOR.sub("", family):
        if shorter == family:
            break
        family = shorter
    return (family + kind) or "(no name)"


def _count_orbit_classes(altitude: Any, eccentricity: Any) -> dict[str, int]:
    low = altitude < LEO_TOP_KM
    elliptical = ~low & (eccentricity >= HIGHLY_ELLIPTICAL)
    ring = ~elliptical & (altitude >= GEO_RING_KM[0]) & (altitude <= GEO_RING_KM[1])
    between = ~low & ~elliptical & (altitude < GEO_RING_KM[0])
    beyond = ~elliptical & (altitude > GEO_RING_KM[1])
    masks = {"LEO": low, "MEO": between, "GEO": ring, "HEO": elliptical, "beyond": beyond}
    return {name: int(mask.sum()) for name, mask in masks.items() if mask.any() or name != "beyond"}


def _left_out_first(rejects: tuple[Reject, ...]) -> list[Reject]:
    """Sort rejects: records left out before defects that were only noted."""
    return sorted(rejects, key=lambda reject: reject.kept)


def _format_table(counts: dict[str, int]) -> list[str]:
    width = max(len(name) for name in counts)
    longest = max(counts.values())
    bars = {name: "#" * round(40 * n / longest) for name, n in counts.items() if longest}
    return [f"  {printable(name):<{width}} {n:>7,}  {bars.get(name, '')}".rstrip() for name, n in counts.items()]

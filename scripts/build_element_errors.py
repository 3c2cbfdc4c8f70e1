"""Write configs/conjunctions/element_errors.csv: errors of public element sets against later sets of the same object.

    python scripts/build_element_errors.py FILE ...

Files of element sets of several dates, TLE or OMM. Behind the file in the repository: active_2026-08-19.tle (GitHub
Hitesh-Gala/sat-orbit-map, data/active.tle, commit 992fd6f73ffd5d92f2fdfedeab89ae4a37f25bca) and active_2026-08-22.omm.csv (GitHub
sristyspace-tech/gosatt-catalogue, active.csv, commit f5ec0953098303ef34300718210f5033f14b19f4), and histories of single objects.

Each set is propagated to the epoch of each later set of its object; of the differences along radial, in-track and cross-track the
68 % quantile of their sizes stands for a standard deviation. Files of many objects, days apart, give its size for each class;
histories of less than 50 objects give the power of the age with which it grows, shrunk to the median power of all classes. A
history without names takes them from the files of many objects, since two classes are fleets.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

import constellation_jax as cj
from constellation_jax.inputs.conjunctions.age_table import CLASSES, AgeTable, classify
from constellation_jax.studies.conjunctions.history import differences_of_sets

TARGET = Path(__file__).parents[1] / "configs" / "conjunctions" / "element_errors.csv"
AGES = (0.25, 0.5, 1.0, 2.0, 4.0, 7.0)
EDGES = np.array([0.15, 0.35, 0.7, 1.4, 2.8, 5.5, 9.0])
FEWEST = 20
"""Pairs of sets from which a quantile is taken."""


Quantiles = dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Class -> ages, numbers of pairs, and logarithms of the quantiles of shape (ages, 3)."""


class Differences(NamedTuple):
    """Differences of element sets with their classes, arrays of n pairs."""

    classes: np.ndarray
    age_days: np.ndarray
    ric_km: np.ndarray
    day: np.ndarray
    """Modified Julian Date of the later epoch."""

    def part(self, chosen: np.ndarray) -> Differences:
        return Differences(*(values[chosen] for values in self))


def find_differences(catalog: cj.Catalog) -> Differences:
    """Find the differences of the sets of a catalogue, with the classes of their objects."""
    found = differences_of_sets(catalog)
    classes = classify(catalog.name, catalog.mean_altitude_km)[found.later]
    return Differences(classes, found.age_days, found.ric_km, catalog.epoch_day[found.later])


def read_differences(paths: list[str]) -> tuple[Differences, Differences]:
    """Differences of the files of many objects, and those of the histories, which are named after the former."""
    catalogs = [cj.read_catalog(path) for path in paths]
    is_history = [len(set(catalog.norad_id.tolist())) < 50 for catalog in catalogs]
    many = cj.Catalog.concatenate([c for c, own in zip(catalogs, is_history, strict=True) if not own])
    few = cj.Catalog.concatenate([c for c, own in zip(catalogs, is_history, strict=True) if own])
    known = dict(zip(many.norad_id.tolist(), many.name.tolist(), strict=True))
    names = [
        name or known.get(number, "") for number, name in zip(few.norad_id.tolist(), few.name.tolist(), strict=True)
    ]
    return find_differences(many), find_differences(few.replace(name=names))


def quantiles(found: Differences) -> Quantiles:
    """Quantiles of the differences of sets by class and age."""
    classes = found.classes
    bins = np.searchsorted(EDGES, found.age_days) - 1
    result: Quantiles = {}
    for c in np.unique(classes).tolist():
        rows = []
        for b in range(len(AGES)):
            chosen = (classes == c) & (bins == b)
            if chosen.sum() >= FEWEST:
                sizes = np.quantile(np.abs(found.ric_km[chosen]), 0.6827, axis=0)
                rows.append((float(np.median(found.age_days[chosen])), float(chosen.sum()), np.log(sizes)))
        if rows:
            age, pairs, log_size = zip(*rows, strict=True)
            result[c] = np.array(age), np.array(pairs), np.array(log_size)
    return result


def fit_table(many: Differences, few: Differences) -> AgeTable:
    """Fit a size for each class from many objects, and its power of the age from histories."""
    of_many, of_few = quantiles(many), quantiles(few)
    powers = {}
    for c, (age, pairs, log_size) in of_few.items():
        if len(age) >= 3:
            powers[c] = np.polynomial.polynomial.polyfit(np.log(age), log_size, 1, w=np.sqrt(pairs))[1]
    common = np.median(list(powers.values()), axis=0)
    sigma = np.full((len(CLASSES), len(AGES), 3), np.nan)
    for c, (age, pairs, log_size) in of_many.items():
        power = 0.5 * (powers.get(c, common) + common)
        level = np.average(log_size - power * np.log(age)[:, None], weights=pairs, axis=0)
        sigma[c] = np.exp(level + power * np.log(AGES)[:, None])
        print(CLASSES[c], "pairs", pairs, "powers", np.round(power, 2))
    return AgeTable(np.array(AGES), sigma)


def main(paths: list[str]) -> None:
    table = fit_table(*read_differences(paths))
    rows = [
        (name, at, *(f"{v:.3g}" for v in table.sigma_km[c, k]))
        for c, name in enumerate(CLASSES)
        for k, at in enumerate(AGES)
    ]
    names = ", ".join(Path(path).name for path in paths)
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        file.write(f"# 68 % of the differences of element sets from later ones; from {names}\n")
        file.write("# scripts/build_element_errors.py\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["class", "age_days", "radial_km", "in_track_km", "cross_track_km"])
        writer.writerows(rows)
    print(f"{TARGET}: {len(rows)} rows")


if __name__ == "__main__":
    main(sys.argv[1:])

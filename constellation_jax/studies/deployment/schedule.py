"""Days of launches, lifetimes of satellites, and rounding of expected numbers. Days are floats since 1970-01-01, UTC."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constellation_jax.inputs.deployment.campaigns import Campaign
from constellation_jax.physics.constants import YEAR_DAYS

LIFE_PARTS = 8
"""Number of equal parts of a launch that retire one after the other, at the quantiles of a normal distribution of life."""
_MATCH_DAYS = 10.0
"""Largest difference between the date of a listed failure and the day of its launch."""


def to_days(date: np.datetime64) -> float:
    """Convert a date to days since 1970-01-01."""
    return float(date.astype("datetime64[D]").astype(np.int64))


def count_expected_launches(campaign: Campaign) -> float:
    """Count all launches of a campaign, listed or expected from the cadence."""
    return float(len(campaign.launch_dates) or cumulate_launches(campaign)[1][-1])


def cumulate_launches(campaign: Campaign) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the days at which the rate changes, and the expected number of launches until then. Shapes (steps + 1,)."""
    last = min(to_days(campaign.until), to_days(campaign.end or campaign.until)) + 1.0  # its whole day
    starts = np.array([to_days(day) for day, _ in campaign.rates])
    rates = np.array([rate for _, rate in campaign.rates])
    days = np.minimum(np.append(starts, last), last)
    return days, np.concatenate([[0.0], np.cumsum(np.diff(days) * rates)])


def find_launch_days(campaign: Campaign, count: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Find the days on which the expected number of launches reaches the counts; infinite beyond the last. Any shape."""
    days, launches = cumulate_launches(campaign)
    return np.asarray(np.interp(count, launches, days, right=np.inf))


def find_regular_launch_days(campaign: Campaign) -> NDArray[np.float64]:
    """Find the days of all launches without chance: as listed, or evenly at the cadence. Shape (launches,)."""
    if campaign.launch_dates:
        return np.array([to_days(day) for day in campaign.launch_dates])
    # Each in the middle of its share, so that a year at n launches has n
    return find_launch_days(campaign, np.arange(int(count_expected_launches(campaign) + 0.5)) + 0.5)


def find_listed_failures(campaign: Campaign) -> dict[int, int]:
    """Find the numbers of satellites that never reached their altitude, by launch of the campaign, from 0."""
    days = find_regular_launch_days(campaign)
    found = {}
    for date, failed in campaign.failed_by_launch:
        away = np.abs(days - to_days(date))
        if len(days) and away.min() <= _MATCH_DAYS:
            found[int(np.argmin(away))] = min(failed, campaign.count_carried(int(np.argmin(away))))
    return found


def find_lives_days(campaign: Campaign) -> NDArray[np.float64]:
    """Compute the days from launch to retirement of each equal part of a launch, shape (parts,); infinite where unknown."""
    if campaign.life_years is None:
        return np.array([np.inf])
    if not campaign.life_spread_years:
        return np.array([campaign.life_years * YEAR_DAYS])
    parts = (np.arange(LIFE_PARTS) + 0.5) / LIFE_PARTS
    quantiles = np.array([NormalDist().inv_cdf(part) for part in parts])
    return np.maximum(0.0, campaign.life_years + campaign.life_spread_years * quantiles) * YEAR_DAYS


class RunningRounder:
    """Rounding that carries the remainder, so that whole numbers keep the expected sum: 0.14 of 18 gives 3, 2, 3, 2 ..."""

    def __init__(self) -> None:
        self._expected, self._rounded = 0.0, 0

    def round(self, expected: float) -> int:
        """Round one more expected value."""
        self._expected += expected
        number = int(self._expected + 0.5) - self._rounded
        self._rounded += number
        return number

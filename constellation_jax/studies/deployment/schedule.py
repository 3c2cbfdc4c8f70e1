"""When launches take place, and what probability makes of whole numbers. Days are floats from 1970-01-01, UTC."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constellation_jax.inputs.deployment.campaigns import Campaign
from constellation_jax.physics.constants import YEAR_DAYS

LIFE_PARTS = 8
"""Equal parts of a launch that retire one after the other, at the quantiles of a normal distribution of life."""
_MATCH_DAYS = 10.0  # a listed failure belongs to the launch within so many days


def day_number(date: np.datetime64) -> float:
    """Days from 1970-01-01."""
    return float(date.astype("datetime64[D]").astype(np.int64))


def expected_launches(campaign: Campaign) -> float:
    """Number of launches that the cadence gives in all."""
    return float(len(campaign.launch_dates) or _cumulative(campaign)[1][-1])


def launch_days(campaign: Campaign, count: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Days on which the expected number of launches so far reaches some counts; infinite beyond the last. Any shape."""
    days, launches = _cumulative(campaign)
    return np.asarray(np.interp(count, launches, days, right=np.inf))


def regular_launch_days(campaign: Campaign) -> NDArray[np.float64]:
    """Days of all launches where nothing is left to chance: as listed, or evenly at the cadence."""
    if campaign.launch_dates:
        return np.array([day_number(day) for day in campaign.launch_dates])
    # Each in the middle of its share, so that a year at n launches has n
    return launch_days(campaign, np.arange(int(expected_launches(campaign) + 0.5)) + 0.5)


def listed_failures(campaign: Campaign) -> dict[int, int]:
    """Satellites that never reached their altitude, by number of the launch within the campaign (from 0)."""
    days = regular_launch_days(campaign)
    found = {}
    for date, failed in campaign.failed_by_launch:
        away = np.abs(days - day_number(date))
        if len(days) and away.min() <= _MATCH_DAYS:
            found[int(np.argmin(away))] = min(failed, campaign.satellites_per_launch)
    return found


def lives_days(campaign: Campaign) -> NDArray[np.float64]:
    """Time from launch to retirement of each equal part of a launch, shape (parts,); infinite where life is unknown."""
    if campaign.life_years is None:
        return np.array([np.inf])
    if not campaign.life_spread_years:
        return np.array([campaign.life_years * YEAR_DAYS])
    parts = (np.arange(LIFE_PARTS) + 0.5) / LIFE_PARTS
    quantiles = np.array([NormalDist().inv_cdf(part) for part in parts])
    return np.maximum(0.0, campaign.life_years + campaign.life_spread_years * quantiles) * YEAR_DAYS


class Tally:
    """Turns probabilities into whole numbers with the expected sum: 0.14 of 18 gives 3, 2, 3, 2 ..."""

    def __init__(self) -> None:
        self._expected, self._given = 0.0, 0

    def take(self, expected: float) -> int:
        """The whole number for one more expected value."""
        self._expected += expected
        number = int(self._expected + 0.5) - self._given
        self._given += number
        return number


def _cumulative(campaign: Campaign) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Days at which the rate changes, and the launches until then."""
    last = min(day_number(campaign.until), day_number(campaign.end or campaign.until)) + 1.0  # its whole day
    starts = np.array([day_number(day) for day, _ in campaign.rates])
    rates = np.array([rate for _, rate in campaign.rates])
    days = np.minimum(np.append(starts, last), last)
    return days, np.concatenate([[0.0], np.cumsum(np.diff(days) * rates)])

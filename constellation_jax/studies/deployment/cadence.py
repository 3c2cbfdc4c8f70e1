"""Launch cadence needed to have a number of satellites on station by a date, in closed form, with derivatives.

The satellites that work on a date are those launched before, and those of launches that leave time to climb:
    N = N_0 + r W n (1 - p_L) (1 - p_S)
with r the launches a month, W the months in which a launch still counts, n satellites on a launch and p_L, p_S the
probabilities that a launch and a satellite fail. The equation is solved for r.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.deployment.campaigns import MONTH_DAYS, Campaign
from constellation_jax.inputs.deployment.files import Deployment, load_deployment
from constellation_jax.inputs.deployment.vehicles import as_day
from constellation_jax.inputs.times import Time
from constellation_jax.studies.deployment.ascent import climb, count_planes_served
from constellation_jax.studies.deployment.launches import simulate_launches
from constellation_jax.studies.deployment.schedule import find_lives_days, to_days


class CadenceNeeded(NamedTuple):
    """Launches that a target needs, and their derivatives with respect to the uncertain quantities."""

    system: str
    """Name of the constellation."""
    satellites: int
    """Satellites wanted on station."""
    since: np.datetime64
    """First day of the cadence."""
    by: np.datetime64
    """Day on which the satellites are wanted."""
    launches_per_month: float
    """Launches needed in a month."""
    launches: float
    """Launches needed in all, in the time that leaves room for the climb."""
    already: float
    """Satellites of launches before `since` that work on the day."""
    months: float
    """Months in which a launch counts: it is on station by the day and has not retired."""
    satellites_per_launch: float
    """Satellites on a launch, mean over the campaigns by their share of the launches."""
    launch_failure: float
    """Probability that a satellite is lost with its launch, mean over the campaigns."""
    satellite_failure: float
    """Probability that a satellite fails before it is on station, mean over the campaigns."""
    raising_days: float
    """Longest climb of the campaigns, days."""
    per_satellite_on_launch: float
    """Derivative of launches_per_month with respect to satellites_per_launch."""
    per_satellite_failure: float
    """Derivative of launches_per_month with respect to the probability that a satellite fails."""
    per_launch_failure: float
    """Derivative of launches_per_month with respect to the probability that a launch is lost."""
    per_month: float
    """Derivative of launches_per_month with respect to the months that count: a later date, or a shorter climb."""


def cadence_needed(
    scenario: str | Path | Deployment,
    satellites: int,
    by: Time,
    *,
    since: Time | None = None,
    system: str | None = None,
) -> CadenceNeeded:
    """Compute the launches per month that put a number of satellites on station by a date.

    The vehicles of the campaigns keep their shares of the launches; where campaigns differ, satellites on a launch and
    probabilities are means by share, and the climb is the longest one of those that follow a cadence.

    Args:
        scenario: as for `deploy`; its cadence does not matter, but for the shares of its campaigns.
        satellites: number wanted on station.
        by: date by which they are there.
        since: first day of the new cadence; where absent, the first day of a campaign that has a cadence.
        system: name of the constellation, where the deployment has several.

    Raises:
        InputError: no such deployment or system, no campaign with a cadence, or dates that leave no time.
    """
    deployment = scenario if isinstance(scenario, Deployment) else load_deployment(scenario)
    named = system or deployment.systems[0]
    if named not in deployment.systems or (system is None and len(deployment.systems) > 1):
        near = suggest(named, deployment.systems) if system else ""
        raise InputError(f"system {system!r}: expected one of {', '.join(deployment.systems)}{near}")
    if satellites < 1:
        raise InputError(f"satellites {satellites}: expected at least 1")
    campaigns = [c for c in deployment.campaigns if c.system == named and c.rates and any(rate for _, rate in c.rates)]
    if not campaigns:
        raise InputError(f"deployment {deployment.name}: no campaign of {named} has a cadence, only listed launches")
    first = min(c.start for c in campaigns) if since is None else as_day(since)
    last = as_day(by)
    begin, end = to_days(first), to_days(last)

    rates = np.array([_compute_mean_rate(c) for c in campaigns])
    share = rates / rates.sum()
    per_launch = float(share @ [c.satellites_per_launch for c in campaigns])
    carried = share * [c.satellites_per_launch for c in campaigns]
    lost = 1.0 - float(carried @ [1.0 - c.launch_failure for c in campaigns]) / per_launch
    arrive = float(carried @ [(1.0 - c.launch_failure) * (1.0 - c.satellite_failure) for c in campaigns])
    failed = 1.0 - arrive / per_launch / (1.0 - lost)
    climb_days = max(_compute_climb_days(c) for c in campaigns)
    # A launch counts while its satellites work: the mean over the parts of a launch that retire one after the other
    window = end - climb_days - begin
    months = (
        float(np.mean(np.minimum(window, np.maximum(0.0, find_lives_days(campaigns[0]) - climb_days)))) / MONTH_DAYS
    )
    if window <= 0 or months <= 0:
        raise InputError(
            f"by {last}: no time; from {first} on, satellites are on station after {climb_days:.0f} days, on "
            f"{first + np.timedelta64(int(np.ceil(climb_days)), 'D')} at the earliest"
        )
    history = simulate_launches(deployment)
    before = np.array([c.system == named for c in history.campaigns])[history.campaign] & (history.launched_day < begin)
    already = float(np.count_nonzero(before & (history.ready_day <= end) & (history.retired_day > end)))

    missing = max(0.0, satellites - already)
    rate = missing / (months * arrive)
    return CadenceNeeded(
        system=named,
        satellites=satellites,
        since=first,
        by=last,
        launches_per_month=rate,
        launches=rate * window / MONTH_DAYS,
        already=already,
        months=months,
        satellites_per_launch=per_launch,
        launch_failure=lost,
        satellite_failure=failed,
        raising_days=climb_days,
        per_satellite_on_launch=-rate / per_launch,
        per_satellite_failure=rate / (1.0 - failed),
        per_launch_failure=rate / (1.0 - lost),
        per_month=-rate / months,
    )


def _compute_mean_rate(campaign: Campaign) -> float:
    """Return the launches per day, averaged over the steps of the cadence."""
    return float(np.mean([rate for _, rate in campaign.rates]))


def _compute_climb_days(campaign: Campaign) -> float:
    """Return the time of the longest climb to a slot of the campaign's shells, days."""
    return max(
        float(climb(campaign, shell, count_planes_served(campaign, shell) - 1).days[-1]) for shell in campaign.shells
    )

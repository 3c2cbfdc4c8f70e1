"""Monte Carlo draws of a deployment: daily counts of many random histories at once. NumPy, vectorised over draws.

Random are the cadence of each campaign (one factor for the whole of it, and a random walk), the days of launches (a Poisson
process, unless they are listed or regular), launches that are lost, satellites that fail (beta-binomial where those of a launch
fail together), the time to climb (half of its variance common to a draw, half that of each launch), the mean life, and the share of
the satellites that are between shells. The shell of each launch is taken from the deterministic history (launches.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from constellation_jax.inputs.deployment.campaigns import Campaign
from constellation_jax.outputs.blocks import cut
from constellation_jax.outputs.variables import DEPLOYMENT_STATES
from constellation_jax.physics.constants import YEAR_DAYS
from constellation_jax.studies.cluster import do_tasks
from constellation_jax.studies.deployment.launches import LaunchHistory, days_until_failure
from constellation_jax.studies.deployment.schedule import (
    count_expected_launches,
    cumulate_launches,
    find_launch_days,
    find_listed_failures,
    find_lives_days,
    find_regular_launch_days,
    to_days,
)

_WALK_DAYS = YEAR_DAYS / 4.0
"""Step of the random walk of a cadence."""
_LARGEST_FACTOR = 10.0
"""Largest factor on a cadence in either direction: beyond it no pace has gone in the years that a forecast spans."""
DRAWS_PER_BLOCK = 500
"""Draws that are computed together: arrays of some 20 MB. Random numbers, and so results, depend on it."""


def draw_counts(
    history: LaunchHistory, system: str, days: NDArray[np.int64], draws: int, seed: int, client: Any = None
) -> dict[str, NDArray[np.integer[Any]]]:
    """Count the satellites of a system in each state at the beginning of each day, in each draw.

    Args:
        history: deterministic history of the deployment.
        system: name of one of its systems.
        days: consecutive days from 1970-01-01, shape (t,).
        draws: number of draws.
        seed: seed of the random numbers.
        client: of a Dask cluster, whose workers draw the blocks; None: one after the other, here.

    Returns:
        Counts by state, each of shape (t, draws).
    """
    plans = [_CampaignPlan(history, c) for c, campaign in enumerate(history.campaigns) if campaign.system == system]
    blocks = cut(draws, DRAWS_PER_BLOCK)
    streams = np.random.SeedSequence([seed, *system.encode()]).spawn(len(blocks))
    kind: type = np.int32 if sum(plan.most_satellites for plan in plans) > np.iinfo(np.int16).max else np.int16
    counts: dict[str, NDArray[np.integer[Any]]] = {
        state: np.empty((len(days), draws), kind) for state in DEPLOYMENT_STATES
    }
    shared = plans, days, kind
    tasks = [(here.stop - here.start, stream) for here, stream in zip(blocks, streams, strict=True)]
    alone = ((k, _draw_block(shared, task)) for k, task in enumerate(tasks))
    for k, found in alone if client is None else do_tasks(client, _draw_block, shared, tasks):
        for state, values in found.items():
            counts[state][:, blocks[k]] = values.T
    return counts


class _CampaignPlan:
    """Quantities of one campaign that are the same in all draws."""

    def __init__(self, history: LaunchHistory, index: int) -> None:
        self.campaign: Campaign = history.campaigns[index]
        campaign = self.campaign
        self.lives = find_lives_days(campaign)
        self.descent_days = campaign.deorbit_days or 0.0
        self.first_shell_failed_days = days_until_failure(campaign, campaign.shells[0])
        self.certain = find_regular_launch_days(campaign)
        self.at_random = not campaign.launch_dates and campaign.schedule == "poisson"
        self.listed = np.full(len(self.certain), -1)
        for launch, failed in find_listed_failures(campaign).items():
            self.listed[launch] = failed
        self.delays = self._compute_delays(history, index)
        years = (to_days(campaign.until) - to_days(campaign.start)) / YEAR_DAYS
        self.wanders = not campaign.launch_dates and bool(campaign.cadence_spread or campaign.cadence_drift)
        spread = float(np.hypot(campaign.cadence_spread, campaign.cadence_drift * np.sqrt(max(years, 0.0))))
        # Hardly a draw in ten thousand has more than 3.5 sigma
        most = count_expected_launches(campaign) * min(np.exp(3.5 * spread), _LARGEST_FACTOR)
        self.most_launches = len(self.certain)
        if self.at_random or self.wanders:
            if campaign.target is not None and campaign.life_years is None:
                # By then it has reached the target alone; 5 sigma of the binomials are far below the added fifth
                reach = (1.0 - campaign.satellite_failure) * (1.0 - campaign.launch_failure)
                most = min(most, 1.2 * campaign.target / (campaign.satellites_per_launch * reach) + 20.0)
            self.most_launches = int(most + 5.0 * np.sqrt(most) + 10.0)
        self.carried = np.array([campaign.count_carried(k) for k in range(self.most_launches)], np.int64)

    @property
    def most_satellites(self) -> int:
        return int(self.carried.sum())

    def _compute_delays(self, history: LaunchHistory, index: int) -> NDArray[np.float64]:
        """Compute days from launch to station, shape (launches, groups): a group for each plane that a launch serves, 8 at most."""
        here = (history.campaign == index) & np.isfinite(history.ready_day)
        launch, days = history.launch[here], (history.ready_day - history.launched_day)[here]
        groups = min(self.campaign.planes_per_launch, 8)
        table = np.full((max(1, len(self.certain)), groups), np.nan)
        for k in np.unique(launch):
            table[k] = np.quantile(days[launch == k], (np.arange(groups) + 0.5) / groups)
        known = np.flatnonzero(np.isfinite(table[:, 0]))
        if not len(known):
            return np.zeros((1, groups))
        nearest = known[np.clip(np.searchsorted(known, np.arange(len(table))), 0, len(known) - 1)]
        return np.asarray(table[nearest])  # launches that did not take place are as their neighbour

    def draw(self, n: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Draw days of launches, shape (n, most_launches), infinite for none; and satellites that work and fail, (2, n, ...)."""
        campaign, shape = self.campaign, (n, self.most_launches)
        days = np.broadcast_to(self.certain, shape) if not (self.at_random or self.wanders) else self._draw_days(n, rng)
        failed = np.zeros(shape, np.int64)
        if campaign.satellite_failure:
            chance: Any = campaign.satellite_failure
            if campaign.failure_correlation:
                others = 1.0 / campaign.failure_correlation - 1.0
                chance = rng.beta(chance * others, (1.0 - chance) * others, shape)
            failed = rng.binomial(self.carried, chance, shape)
        listed = np.flatnonzero(self.listed >= 0)
        failed[:, listed] = self.listed[listed]
        working = self.carried - failed
        if campaign.launch_failure:
            reached = rng.random(shape) >= campaign.launch_failure
            working, failed = working * reached, failed * reached
        return days, np.stack([working, failed])

    def _draw_days(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the days of launches at a cadence that wanders, shape (n, most_launches); infinite beyond the last."""
        campaign, shape = self.campaign, (n, self.most_launches)
        steps, launches = cumulate_launches(campaign)
        grid = np.unique(np.concatenate([steps, np.arange(steps[0], steps[-1], _WALK_DAYS)]))
        expected = np.interp(grid, steps, launches)
        walk = rng.standard_normal((n, len(grid) - 1)) * np.sqrt(np.diff(grid) / YEAR_DAYS)
        factor = np.exp(
            campaign.cadence_spread * rng.standard_normal((n, 1)) + campaign.cadence_drift * np.cumsum(walk, axis=1)
        ).clip(1.0 / _LARGEST_FACTOR, _LARGEST_FACTOR)
        drawn = np.concatenate([np.zeros((n, 1)), np.cumsum(factor * np.diff(expected), axis=1)], axis=1)
        if self.at_random:
            number = np.cumsum(rng.standard_exponential(shape), axis=1)
        else:
            number = np.broadcast_to(np.arange(self.most_launches) + 0.5, shape)
        reached = [np.interp(k, known, expected, right=np.inf) for k, known in zip(number, drawn, strict=True)]
        return find_launch_days(campaign, np.stack(reached))


def _draw_block(
    shared: tuple[list[_CampaignPlan], NDArray[np.int64], type], task: tuple[int, np.random.SeedSequence]
) -> dict[str, NDArray[np.integer[Any]]]:
    """Draw histories of a system, so many from a stream, and count: state -> counts of shape (n, t)."""
    (plans, days, kind), n, rng = shared, task[0], np.random.default_rng(task[1])
    drawn = [plan.draw(n, rng) for plan in plans]
    campaign = np.repeat(np.arange(len(plans)), [plan.most_launches for plan in plans])
    launch = np.concatenate([np.arange(plan.most_launches) for plan in plans])
    when = np.concatenate([d for d, _ in drawn], axis=1)
    working, failed = np.concatenate([s for _, s in drawn], axis=2)
    flies = np.isfinite(when)
    target = plans[0].campaign.target
    if target is not None:
        flies &= _stop_at_target(plans, campaign, when, np.where(flies, working, 0), target)
    common, own = np.sqrt(0.5) * rng.standard_normal(n), np.sqrt(0.5) * rng.standard_normal(when.shape)
    aged, moving = rng.standard_normal(n), rng.standard_exponential(n)

    events = _Events(days, n)
    for c, plan in enumerate(plans):
        row, column = np.nonzero(flies & (campaign == c))
        day, works, fails = when[row, column], working[row, column], failed[row, column]
        carried = plan.carried[launch[column]]
        slower = np.exp(plan.campaign.raising_spread * (common[row] + own[row, column]))
        events.add("launched", row, day, carried)
        events.add("lost", row, day, carried - works - fails)
        delay = plan.delays[np.minimum(launch[column], len(plan.delays) - 1)] * slower[:, None]
        for group in range(delay.shape[1]):
            events.add("ready", row, day + delay[:, group], works / delay.shape[1])
        stopped = day + plan.first_shell_failed_days * slower
        events.add("stopped", row, stopped, fails)
        if plan.campaign.failed_decay_days is not None:
            events.add("decayed", row, stopped + plan.campaign.failed_decay_days, fails)
        if plan.campaign.life_years is not None:
            arrived = day + delay.max(axis=1)
            longer = np.exp(plan.campaign.life_error * aged[row])
            for life in plan.lives:
                retired = np.maximum(arrived, day + life * longer)
                events.add("retired", row, retired, works / len(plan.lives))
                events.add("re-entered", row, retired + plan.descent_days, works / len(plan.lives))
    so_far = events.so_far
    share = np.minimum(moving * max(plan.campaign.moving_share for plan in plans), 0.5)
    so_far["ready"] = so_far["ready"] - share[:, None] * (so_far["ready"] - so_far["retired"])
    return {state: values.astype(kind) for state, values in count_states(so_far).items()}


def count_states(so_far: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Convert the number of satellites to which each event has happened into the number in each state. Shapes broadcast."""
    gone = so_far["lost"] + so_far["decayed"] + so_far["re-entered"]
    counts = {
        "launched": so_far["launched"],
        "on_station": so_far["ready"] - so_far["retired"],
        "failed": so_far["stopped"] - so_far["decayed"],
        "deorbiting": so_far["retired"] - so_far["re-entered"],
        "gone": gone,
    }
    # Rounded first, so that the parts are whole and their sum is the number launched
    counts = {state: np.rint(values) for state, values in counts.items()}
    rest = counts["on_station"] + counts["failed"] + counts["deorbiting"] + counts["gone"]
    counts["raising"] = counts["launched"] - rest
    return {state: np.broadcast_to(values, rest.shape) for state, values in counts.items()}


EVENTS = ("launched", "lost", "ready", "stopped", "decayed", "retired", "re-entered")
"""Events in the life of a satellite."""


class _Events:
    """Counter of events by draw and day."""

    def __init__(self, days: NDArray[np.int64], n: int) -> None:
        self.days, self.n = days, n
        self._columns: dict[str, list[NDArray[np.int64]]] = {event: [] for event in EVENTS}
        self._weights: dict[str, list[NDArray[np.float64]]] = {event: [] for event in EVENTS}

    def add(self, event: str, row: NDArray[np.int64], day: NDArray[np.float64], weight: object) -> None:
        """Add events: the draw of each, shape (events,), its day (fractional), and the number of satellites."""
        last = len(self.days)  # one column more than days, for events after the last
        column = np.clip(np.ceil(day) - self.days[0], 0, last).astype(np.int64)
        self._columns[event].append(row * (last + 1) + column)
        self._weights[event].append(np.broadcast_to(np.asarray(weight, np.float64), row.shape))

    @property
    def so_far(self) -> dict[str, NDArray[np.float64]]:
        """Number of satellites to which each event has happened by the beginning of each day, shape (n, t) or (1, 1)."""
        return {event: self._count_so_far(event) for event in EVENTS}

    def _count_so_far(self, event: str) -> NDArray[np.float64]:
        shape = (self.n, len(self.days) + 1)
        if not any(map(np.any, self._weights[event])):
            return np.zeros((1, 1))  # nothing ever happens: broadcasts against the others
        columns, weights = np.concatenate(self._columns[event]), np.concatenate(self._weights[event])
        counts = np.bincount(columns, weights, minlength=shape[0] * shape[1]).reshape(shape)
        return np.cumsum(counts[:, :-1], axis=1)


def _stop_at_target(
    plans: list[_CampaignPlan],
    campaign: NDArray[np.int64],
    when: NDArray[np.float64],
    working: NDArray[np.int64],
    target: int,
) -> NDArray[np.bool_]:
    """Mark the launches that take place: none does while satellites that work or are on the way meet the target."""
    order = np.argsort(when, axis=1, kind="stable")
    rows = np.arange(len(when))[:, None]
    when, working = np.take_along_axis(when, order, axis=1), np.take_along_axis(working, order, axis=1)
    n, launches = when.shape
    if not np.isfinite(plans[0].lives).any():  # none retires: launches go on until the sum is there
        flies = (np.cumsum(working, axis=1) - working < target) & np.isfinite(when)
        return _undo_sort(flies, order)
    retired_before = []  # per part of a life: how many launches had retired by each launch
    for life in plans[0].lives[np.isfinite(plans[0].lives)]:
        retired_before.append(np.stack([np.searchsorted(line, line - life, side="right") for line in when]))
    share = len(plans[0].lives)
    reached = np.zeros((n, launches + 1))
    flies = np.zeros((n, launches), bool)
    for k in range(launches):
        alive = reached[:, k].copy()
        for before in retired_before:
            alive -= reached[rows[:, 0], np.minimum(before[:, k], k)] / share
        flies[:, k] = (alive < target) & np.isfinite(when[:, k])
        reached[:, k + 1] = reached[:, k] + working[:, k] * flies[:, k]
    return _undo_sort(flies, order)


def _undo_sort(values: NDArray[np.bool_], order: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return values to the places that they had before each row was sorted."""
    back = np.empty_like(values)
    np.put_along_axis(back, order, values, axis=1)
    return back


def count_without_chance(
    history: LaunchHistory, system: str, days: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Count the satellites of a system in each state at the beginning of each day, deterministically: state -> shape (t,)."""
    named = np.array([c.system == system for c in history.campaigns])
    here = named[history.campaign]
    events = _Events(days, 1)
    stopped = np.isfinite(history.failed_day)
    lost = stopped & (history.failed_day == history.gone_day)
    stopped &= ~lost
    retired = np.isfinite(history.retired_day)
    for event, day, which in (
        ("launched", history.launched_day, here),
        ("lost", history.launched_day, here & lost),
        ("ready", history.ready_day, here & np.isfinite(history.ready_day)),
        ("stopped", history.failed_day, here & stopped),
        ("decayed", history.gone_day, here & stopped & np.isfinite(history.gone_day)),
        ("retired", history.retired_day, here & retired),
        ("re-entered", history.gone_day, here & retired),
    ):
        events.add(event, np.zeros(int(which.sum()), np.int64), day[which], 1)
    return {state: values[0] for state, values in count_states(events.so_far).items()}


def list_days(first: np.datetime64, last: np.datetime64) -> NDArray[np.int64]:
    """List every day from the first to the last, both included, as days since 1970-01-01. Shape (t,)."""
    return np.arange(int(to_days(first)), int(to_days(last)) + 1)

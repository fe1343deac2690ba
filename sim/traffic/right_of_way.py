"""One robot's right of way, ten times a second: from its own map and sensors and what it heard to its next broadcast.

Claims decide who may be in a cell, so that nobody waits in a circle, whatever else goes wrong. Planned ways decide what
to claim, so that a robot need not back out. Nothing here prevents contacts: the governor does.

Scalar code without numba, so that the simulator can compile it (`sim.kernels`) and a robot can run it as it is.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sim.traffic.broadcast import LONGEST_WAY, RECORD
from sim.traffic.claimed_way import head_on, place_on_claims
from sim.traffic.claims import (
    NEVER,
    claim,
    end_of,
    find_asker,
    leave_cells,
    may_claim,
    rank_of,
    withdraw,
)
from sim.traffic.closed_cells import close_cells, judge_lidar
from sim.traffic.making_way import find_way_off
from sim.traffic.planned_way import Trip, plan_way
from sim.traffic.reservations import release_all, reserve_others
from sim.traffic.rules import Rules
from sim.traffic.state import MEMORY, Chart, Heard, Scratch
from sim.traffic.ways import fill_costs_to, next_cell_to, side_towards

FASTEST_CLOCK = 2.0**20
"""By how much one broadcast moves a clock on at most: over a day, so that nobody can wear it out."""
AHEAD_UNTIMED = 10
"""Cells of the way beyond the plan that a robot tells, for who makes way for it."""


def keep_right_of_way(
    record: NDArray[np.float64],
    memory: NDArray[np.float64],
    goal: int,
    lidar: NDArray[np.float32],
    chart: Chart,
    heard: Heard,
    scratch: Scratch,
    rules: Rules,
    seen: NDArray[np.float32],
) -> None:
    """Do one control period: leave, withdraw, plan, claim, and find the waypoint and the room.

    Args:
        record: the robot's broadcast, with its pose and speed of now and the rest of a period ago; changed
            [RECORD_SIZE].
        memory: changed [len(MEMORY)].
        goal: the cell that it is sent to.
        lidar: ranges [rays], m.
        chart: its map; the costs to its goal are those without closed cells where the goal is new.
        heard: what it heard.
        scratch: memory for the computation.
        rules: distances and times.
        seen: the ranges to drive by, written [rays], m.
    """
    new_goal = memory[MEMORY.goal] != goal
    _tick(record, memory, goal, heard, rules)
    _look(record, memory, goal, lidar, new_goal, chart, heard, scratch, rules, seen)
    place, off = _give_up_cells(record, memory, chart, heard, rules)
    asker = find_asker(record, heard, _own_priority(record, memory, rules))
    left = record[RECORD.claim_count] - 1.0 - place if record[RECORD.claim_count] > 1.0 else off
    if rules.plans and _plan_is_due(record, memory, asker, rules):
        _plan(record, memory, goal, left, chart, heard, scratch, rules)
    following = _next_cell(record, chart, rules)
    if _makes_way(record, memory, asker, following, rules):
        following = find_way_off(record, heard, asker, chart, scratch)
        if following < 0:
            memory[MEMORY.stuck_until] = record[RECORD.clock] + rules.stuck
            following = _next_cell(record, chart, rules)
    _claim_or_ask(record, memory, following, left, heard, rules)
    _tell_way(record, chart)
    head_on(record, memory, goal, chart, heard, rules)


def _tick(record: NDArray[np.float64], memory: NDArray[np.float64], goal: int, heard: Heard, rules: Rules) -> None:
    """Move on the clock and the way (Lamport, "Time, Clocks, and the Ordering of Events ...", 1978)."""
    clock = record[RECORD.clock]
    latest = clock
    for row in heard.rows:
        latest = max(latest, heard.records[row, RECORD.clock])
    record[RECORD.clock] = min(latest, clock + FASTEST_CLOCK) + 1.0
    for k in range(RECORD.way_times, RECORD.way_times + int(record[RECORD.timed_count])):
        record[k] -= rules.period
    if memory[MEMORY.goal] != goal:
        memory[MEMORY.goal], memory[MEMORY.planned_at] = goal, NEVER
        record[RECORD.way_count] = record[RECORD.timed_count] = 0.0


def _give_up_cells(
    record: NDArray[np.float64], memory: NDArray[np.float64], chart: Chart, heard: Heard, rules: Rules
) -> tuple[float, float]:
    """Leave and withdraw claims; return how far along its claimed way the robot is, and how far off it [m].

    Who has waited for too long to enter the next cell, or has claimed a closed one, starts anew from where it is: no
    rule foresees every loss of messages, and a claim that was never entered can be given up at any time.
    """
    x, y, columns = record[RECORD.x], record[RECORD.y], chart.blocked.shape[1]
    leave_cells(record, columns, x, y, rules.left)
    place, off = place_on_claims(record, columns, x, y)
    entered = math.floor(place + 0.5)
    given_up = memory[MEMORY.waits] > rules.give_up
    for k in range(entered + 1, int(record[RECORD.claim_count])):
        given_up = given_up or chart.closed[int(record[RECORD.claims + k])]
    if given_up:
        record[RECORD.claim_count], memory[MEMORY.waits] = entered + 1.0, 0.0
    if given_up or withdraw(record, heard, entered):
        record[RECORD.way_count] = record[RECORD.timed_count] = 0.0
        memory[MEMORY.planned_at] = NEVER
        place, off = place_on_claims(record, columns, x, y)
    return place, off


def _own_priority(record: NDArray[np.float64], memory: NDArray[np.float64], rules: Rules) -> float:
    """Return a robot's priority, but for what it inherits: what it was given, and more for who has found no way."""
    stuck = record[RECORD.clock] < memory[MEMORY.stuck_until]
    return float(memory[MEMORY.priority]) + (rules.stuck_priority if stuck else 0.0)


def _look(
    record: NDArray[np.float64],
    memory: NDArray[np.float64],
    goal: int,
    lidar: NDArray[np.float32],
    new_goal: bool,
    chart: Chart,
    heard: Heard,
    scratch: Scratch,
    rules: Rules,
    seen: NDArray[np.float32],
) -> None:
    """Judge the lidar, and find the ways to the goal anew where cells close or open."""
    memory[MEMORY.now] += rules.period
    if judge_lidar(record, lidar, chart, heard, memory[MEMORY.now], rules, seen):
        memory[MEMORY.wary_until] = memory[MEMORY.now] + rules.wary
    changed = close_cells(record, lidar, chart, memory[MEMORY.now])
    if not changed and not (new_goal and chart.closed.any()):
        return
    columns = chart.blocked.shape[1]
    fill_costs_to(goal, chart.costs, columns, chart.closed, chart.to_goal)
    if not math.isfinite(chart.to_goal[end_of(record)]):  # there is no way round: wait before it
        fill_costs_to(goal, chart.costs, columns, scratch.nowhere, chart.to_goal)
    record[RECORD.way_count] = record[RECORD.timed_count] = 0.0
    memory[MEMORY.planned_at] = NEVER


def _plan_is_due(record: NDArray[np.float64], memory: NDArray[np.float64], asker: int, rules: Rules) -> bool:
    """Return whether it is time for the next plan."""
    since, timed = record[RECORD.clock] - memory[MEMORY.planned_at], record[RECORD.timed_count]
    refused = memory[MEMORY.refused]
    if since >= rules.replan or (timed == 0.0 and since >= rules.replan_none):
        return True
    if refused > 0.0 and refused % rules.replan_refused == 0.0:
        return True
    return asker >= 0 and timed < 2.0 and since >= rules.replan_refused


def _plan(
    record: NDArray[np.float64],
    memory: NDArray[np.float64],
    goal: int,
    left: float,
    chart: Chart,
    heard: Heard,
    scratch: Scratch,
    rules: Rules,
) -> None:
    """Plan the way from the end of the claims on, which is `left` metres ahead."""
    count, end, columns = int(record[RECORD.claim_count]), end_of(record), chart.blocked.shape[1]
    side = -1
    if count > 1:
        side = side_towards(int(record[RECORD.claims + count - 2]), end, columns)
    reserve_others(scratch.reservations, heard, rank_of(record), columns, rules)
    trip = Trip(end, max(left, 0.0) / rules.speed, side, goal)
    if plan_way(chart, trip, scratch, rules, record) == 0 and record[RECORD.clock] >= memory[MEMORY.stuck_until]:
        memory[MEMORY.stuck_until] = record[RECORD.clock] + rules.stuck
    release_all(scratch.reservations)
    memory[MEMORY.planned_at] = record[RECORD.clock]
    memory[MEMORY.plans] += 1.0


def _next_cell(record: NDArray[np.float64], chart: Chart, rules: Rules) -> int:
    """Return the cell to claim next, -1 where there is none yet."""
    if record[RECORD.timed_count] > 0.0:
        early = record[RECORD.timed_count] < 2.0 or record[RECORD.way_times + 1] > rules.lead
        return -1 if early else int(record[RECORD.way + 1])
    end = end_of(record)
    following = next_cell_to(chart.to_goal, chart.costs, end, chart.blocked.shape[1])
    return -1 if following == end else following


def _makes_way(
    record: NDArray[np.float64], memory: NDArray[np.float64], asker: int, following: int, rules: Rules
) -> bool:
    """Return whether a robot goes out of the way of who asks: where its own way does not lead off."""
    if asker < 0 or record[RECORD.timed_count] > 0.0:
        return False
    return rules.plans or following < 0 or memory[MEMORY.refused] > 0.0


def _claim_or_ask(
    record: NDArray[np.float64],
    memory: NDArray[np.float64],
    following: int,
    left: float,
    heard: Heard,
    rules: Rules,
) -> None:
    """Claim the next cell when it is time for it, or tell that it is wanted."""
    record[RECORD.wanted] = -1.0
    if memory[MEMORY.listens] > 0.0:
        memory[MEMORY.listens] -= 1.0
    elif following < 0:
        memory[MEMORY.refused] = 0.0
    elif left < rules.claim_ahead and record[RECORD.claim_count] < rules.most_claims:
        if may_claim(record, heard, following):
            claim(record, following)
            memory[MEMORY.refused] = 0.0
        else:
            record[RECORD.wanted] = following
            memory[MEMORY.refused] += 1.0


def _tell_way(record: NDArray[np.float64], chart: Chart) -> None:
    """Prolong the planned way by cells of the cheapest way, without times."""
    count, columns = int(record[RECORD.timed_count]), chart.blocked.shape[1]
    if count == 0:
        record[RECORD.way], count = end_of(record), 1
    cell = int(record[RECORD.way + count - 1])
    for _ in range(min(AHEAD_UNTIMED, LONGEST_WAY - count)):
        following = next_cell_to(chart.to_goal, chart.costs, cell, columns)
        if following == cell:
            break
        record[RECORD.way + count], cell = following, following
        count += 1
    record[RECORD.way_count] = count

"""The simulator's side of right of way: the robots' own code, compiled, and the radio between them."""

import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.kernels import callable_in_kernels, kernel
from sim.layout import Layout
from sim.scene import SceneConfig
from sim.traffic import claimed_way, claims, making_way, planned_way, reservations, right_of_way, ways
from sim.traffic.broadcast import RECORD, RECORD_SIZE
from sim.traffic.claims import begin
from sim.traffic.right_of_way import keep_right_of_way
from sim.traffic.rules import FORGET, Rules
from sim.traffic.state import MEMORY, Chart, Heard, Scratch, new_scratch
from sim.traffic.ways import fill_costs_to


class Radio(NamedTuple):
    """What is on the air, in arrays that live as long as the simulation."""

    sent: NDArray[np.float64]
    """All broadcasts of the last `HISTORY` control periods, in turn [HISTORY * robots, RECORD_SIZE]."""
    arrived: NDArray[np.int64]
    """In which period the latest broadcast was sent that each robot (rows) heard of each (columns), -1 for none."""
    rows: NDArray[np.int64]
    """Which rows of `sent` each robot has heard last of the others [robots, counts]."""
    ages: NDArray[np.float64]
    """How long ago each of these was sent [robots, counts], s."""
    counts: NDArray[np.int64]
    """Of how many robots that is [robots]."""


HISTORY = 16
"""Control periods for which a broadcast is remembered."""

_ON_ROBOT = (
    ways.cell_beside, ways.side_towards, ways.next_cell_to,
    claimed_way.place_on_claims, claimed_way.point_on_claims, claimed_way.waypoint_on_claims,
    claims.rank_of, claims.end_of, claims.leave_cells, claims.withdraw,
    claims.find_asker, claims.may_claim, claims.claim, claims.last_to_enter,
    reservations.reserve, reservations.release_all, reservations._reserve_other, reservations.reserve_others,
    planned_way.free_interval, planned_way._free_at_start, planned_way._is_known, planned_way._expand,
    planned_way._write_way, planned_way.plan_way,
    making_way._mark, making_way.find_way_off,
    right_of_way._tick, right_of_way._give_up_cells, right_of_way._own_priority, right_of_way._plan_is_due,
    right_of_way._plan, right_of_way._next_cell, right_of_way._makes_way, right_of_way._claim_or_ask,
    right_of_way._tell_way, right_of_way._head_on,
)  # fmt: skip
for helper in _ON_ROBOT:
    callable_in_kernels(helper)
_keep_right_of_way = kernel(keep_right_of_way)
_fill_costs_to = kernel(fill_costs_to)


class Traffic:
    """The right of way of a fleet in the simulator.

    In each control period every robot sends where it is and what it computed in the period before; all within range
    hear that, and compute.

    Args:
        layout: the map that every robot carries.
        scene: the fleet.
    """

    def __init__(self, layout: Layout, scene: SceneConfig) -> None:
        n, cells = scene.robots, layout.blocked.size
        self._layout = layout
        self.rules = Rules(plans=scene.right_of_way == "plans", period=scene.control_period)
        self.records = np.zeros((n, RECORD_SIZE))
        """What each robot broadcasts, in the order of `RECORD` [robots, RECORD_SIZE]."""
        self.memory = np.zeros((n, len(MEMORY)))
        """What each robot remembers, in the order of `MEMORY` [robots, len(MEMORY)]."""
        self.radio = Radio(
            sent=np.zeros((HISTORY * n, RECORD_SIZE)),
            arrived=np.full((n, n), -1, np.int64),
            rows=np.zeros((n, n), np.int64),
            ages=np.zeros((n, n)),
            counts=np.zeros(n, np.int64),
        )
        """What is on the air."""
        self.took: list[float] = []
        """Processor time that each control period of this episode took, of the whole fleet [s]."""
        self._costs = layout.costs
        self._to_goal = np.zeros((n, cells))
        self._goals = np.zeros(n, np.int64)
        self._kept: dict[int, NDArray[np.float64]] = {}
        self._closed = np.zeros(cells, np.bool_)
        self._scratch = new_scratch(cells)
        self._range = scene.robot.radio_range
        self._period = 0

    def start(self, poses: NDArray[np.float64]) -> None:
        """Begin an episode at `poses` [robots, 3]."""
        self._period = 0
        self.took.clear()
        self.radio.arrived.fill(-1)
        columns = self._layout.columns
        for name, (x, y, _) in enumerate(poses.tolist()):
            begin(self.records[name], self.memory[name], float(name), int(y) * columns + int(x), self.rules)
            self.records[name, [RECORD.waypoint_x, RECORD.waypoint_y]] = x, y

    def send(self, robot: int, goal: int) -> None:
        """Send a robot to a goal cell."""
        if goal not in self._kept:
            field = np.empty(self._layout.blocked.size)
            _fill_costs_to(goal, self._costs, self._layout.columns, self._closed, field)
            self._kept[goal] = field
        self._to_goal[robot] = self._kept[goal]
        self._goals[robot] = goal

    def update(self) -> None:
        """Let all broadcast, then let each robot compute a control period from what it heard."""
        started = time.thread_time()
        listen(self.records, self.radio, self._period, self._range, self.rules.period)
        keep_all(
            self.records, self.memory, self._goals, self._layout.blocked, self._costs, self._to_goal, self.radio,
            self._scratch, self.rules,
        )  # fmt: skip
        self._period += 1
        self.took.append(time.thread_time() - started)


@kernel
def listen(records: NDArray[np.float64], radio: Radio, period: int, radio_range: float, length: float) -> None:
    """Let all robots broadcast, and write what each has heard of the others.

    Args:
        records: what each robot broadcasts [robots, RECORD_SIZE].
        radio: updated.
        period: number of the control period.
        radio_range: reach of broadcasts [m].
        length: of a control period [s].
    """
    n = len(records)
    for i in range(n):
        radio.sent[period % HISTORY * n + i] = records[i]
        count = 0
        for j in range(n):
            dx, dy = records[i, RECORD.x] - records[j, RECORD.x], records[i, RECORD.y] - records[j, RECORD.y]
            if dx * dx + dy * dy < radio_range * radio_range:
                radio.arrived[i, j] = period
            at = radio.arrived[i, j]
            if j != i and at >= 0 and period - at <= FORGET:
                radio.rows[i, count], radio.ages[i, count] = at % HISTORY * n + j, (period - at) * length
                count += 1
        radio.counts[i] = count


@kernel
def keep_all(
    records: NDArray[np.float64],
    memory: NDArray[np.float64],
    goals: NDArray[np.int64],
    blocked: NDArray[np.bool_],
    costs: NDArray[np.float64],
    to_goal: NDArray[np.float64],
    radio: Radio,
    scratch: Scratch,
    rules: Rules,
) -> None:
    """Keep the right of way of all robots for one control period.

    Args:
        records: what each robot broadcasts, updated [robots, RECORD_SIZE].
        memory: of each robot, updated [robots, len(MEMORY)].
        goals: the cell that each robot is sent to [robots].
        blocked: the racks [rows, columns].
        costs: of the sides of cells [cells, 4], m.
        to_goal: what the way to each robot's goal costs [robots, cells], m.
        radio: what each has heard.
        scratch: memory for the computation.
        rules: distances and times.
    """
    for i in range(len(records)):
        count = radio.counts[i]
        heard = Heard(radio.sent, radio.rows[i, :count], radio.ages[i, :count])
        chart = Chart(blocked, costs, to_goal[i])
        _keep_right_of_way(records[i], memory[i], goals[i], chart, heard, scratch, rules)

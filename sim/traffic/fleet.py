"""The simulator's side of right of way: the robots' own code, compiled, and the radio between them."""

import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.kernels import callable_in_kernels, kernel
from sim.layout import Layout
from sim.scene import SceneConfig
from sim.traffic import claimed_way, claims, closed_cells, making_way, planned_way, reservations, right_of_way, ways
from sim.traffic.broadcast import RECORD, RECORD_SIZE
from sim.traffic.claims import begin
from sim.traffic.radio import Radio, listen, new_radio, send, silence
from sim.traffic.right_of_way import keep_right_of_way
from sim.traffic.rules import Rules, rules_of
from sim.traffic.state import MEMORY, MOST_WATCHED, WATCHED, Chart, Heard, Scratch, new_scratch
from sim.traffic.ways import fill_costs_to

RADIO_STREAM = 2**32
"""Of the random numbers of an episode: those of the radio; the streams before are the robots'."""

_ON_ROBOT = (
    ways.cell_beside, ways.side_towards, ways.next_cell_to,
    claimed_way.place_on_claims, claimed_way.point_on_claims, claimed_way.waypoint_on_claims, claimed_way.head_on,
    claims.rank_of, claims.end_of, claims.leave_cells, claims.withdraw,
    claims.find_asker, claims.may_claim, claims.claim, claims.last_to_enter,
    reservations.reserve, reservations.release_all, reservations._reserve_other, reservations.reserve_others,
    planned_way.free_interval, planned_way._free_at_start, planned_way._is_known, planned_way._expand,
    planned_way._write_way, planned_way.plan_way,
    ways.fill_costs_to, closed_cells._is_heard, closed_cells._watch, closed_cells._sees_through,
    closed_cells.judge_lidar, closed_cells.close_cells,
    making_way._mark, making_way.find_way_off,
    right_of_way._tick, right_of_way._look, right_of_way._give_up_cells, right_of_way._own_priority,
    right_of_way._plan_is_due,
    right_of_way._plan, right_of_way._next_cell, right_of_way._makes_way, right_of_way._claim_or_ask,
    right_of_way._tell_way,
)  # fmt: skip
for helper in _ON_ROBOT:
    callable_in_kernels(helper)
_keep_right_of_way = kernel(keep_right_of_way)
_fill_costs_to = kernel(fill_costs_to)


class Charts(NamedTuple):
    """The maps of all robots, each as in `Chart`."""

    blocked: NDArray[np.bool_]
    """[rows, columns]"""
    costs: NDArray[np.float64]
    """[cells, 4]"""
    to_goal: NDArray[np.float64]
    """[robots, cells]"""
    closed: NDArray[np.bool_]
    """[robots, cells]"""
    watched: NDArray[np.float64]
    """[robots, MOST_WATCHED, len(WATCHED)]"""


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
        self._layout, self._scene = layout, scene
        self.rules = rules_of(scene)
        self.records = np.zeros((n, RECORD_SIZE))
        """What each robot broadcasts, in the order of `RECORD` [robots, RECORD_SIZE]."""
        self.memory = np.zeros((n, len(MEMORY)))
        """What each robot remembers, in the order of `MEMORY` [robots, len(MEMORY)]."""
        self.seen = np.zeros((n, scene.robot.lidar_rays), np.float32)
        """The lidar ranges that each robot drives by [robots, rays], m."""
        self.radio = new_radio(n)
        """What is on the air."""
        self.took: list[float] = []
        """Processor time that each control period of this episode took, of the whole fleet [s]."""
        self.charts = Charts(
            layout.blocked, layout.costs, np.zeros((n, cells)), np.zeros((n, cells), np.bool_),
            np.full((n, MOST_WATCHED, len(WATCHED)), -1.0),
        )  # fmt: skip
        """The robots' maps."""
        self._goals = np.zeros(n, np.int64)
        self._kept: dict[int, NDArray[np.float64]] = {}
        self._scratch = new_scratch(cells)
        self._chance = np.random.default_rng()
        self._lost, self._late = np.zeros((n, n), np.bool_), np.zeros((n, n), np.int64)
        self._latest = round(scene.radio_delay / scene.control_period)
        self._period = 0

    def start(self, poses: NDArray[np.float64], seed: int) -> None:
        """Begin an episode at `poses` [robots, 3]; the seed decides what the radio loses."""
        self._period, self._chance = 0, np.random.default_rng((seed, RADIO_STREAM))
        self.took.clear()
        silence(self.radio)
        self.charts.closed.fill(False)
        self.charts.watched.fill(-1.0)
        columns = self._layout.columns
        for name, (x, y, _) in enumerate(poses.tolist()):
            begin(self.records[name], self.memory[name], float(name), int(y) * columns + int(x), self.rules)
            self.records[name, [RECORD.waypoint_x, RECORD.waypoint_y]] = x, y

    def send(self, robot: int, goal: int) -> None:
        """Send a robot to a goal cell."""
        if goal not in self._kept:
            field = np.empty(self._layout.blocked.size)
            _fill_costs_to(goal, self._layout.costs, self._layout.columns, self._scratch.nowhere, field)
            self._kept[goal] = field
        self.charts.to_goal[robot] = self._kept[goal]
        self._goals[robot] = goal

    def update(self, lidar: NDArray[np.float32]) -> None:
        """Let all broadcast, then let each robot compute a control period from what it heard.

        Args:
            lidar: ranges [robots, rays], m.
        """
        started, scene = time.thread_time(), self._scene
        if scene.radio_loss > 0.0:
            self._lost[:] = self._chance.random(self._lost.shape) < scene.radio_loss
        if self._latest > 0:
            self._late[:] = self._chance.integers(0, self._latest, self._late.shape, endpoint=True)
        send(
            self.records, self._layout.blocked, self.radio, self._period, scene.robot.radio_range, self._lost,
            self._late,
        )  # fmt: skip
        self.hear()
        keep_all(
            self.records, self.memory, self._goals, lidar, self.charts, self.radio, self._scratch, self.rules, self.seen
        )
        self._period += 1
        self.took.append(time.thread_time() - started)

    def hear(self) -> None:
        """Find what each robot has heard last of the others."""
        listen(self.radio, self._period, self.rules.period)


@kernel
def keep_all(
    records: NDArray[np.float64],
    memory: NDArray[np.float64],
    goals: NDArray[np.int64],
    lidar: NDArray[np.float32],
    charts: Charts,
    radio: Radio,
    scratch: Scratch,
    rules: Rules,
    seen: NDArray[np.float32],
) -> None:
    """Keep the right of way of all robots for one control period.

    Args:
        records: what each robot broadcasts, updated [robots, RECORD_SIZE].
        memory: of each robot, updated [robots, len(MEMORY)].
        goals: the cell that each robot is sent to [robots].
        lidar: ranges [robots, rays], m.
        charts: the robots' maps, updated.
        radio: what each has heard.
        scratch: memory for the computation.
        rules: distances and times.
        seen: the lidar ranges that each robot drives by, written [robots, rays], m.
    """
    for i in range(len(records)):
        count = radio.counts[i]
        heard = Heard(radio.sent, radio.rows[i, :count], radio.ages[i, :count])
        chart = Chart(charts.blocked, charts.costs, charts.to_goal[i], charts.closed[i], charts.watched[i])
        _keep_right_of_way(records[i], memory[i], goals[i], lidar[i], chart, heard, scratch, rules, seen[i])

"""What a choice is worth to who can look ahead: how much a learned one could bring on top of right of way.

Every 2 s the simulation is forked. Each child makes another choice for 2 s, drives on by the rules, and tells how far
the fleet got in 10 s; the best choice is made, which is the rules' own where none gets 5 cm farther. No robot could do
that: it is a bound for choices of that kind at that pace, found by trying a few of them, not a policy.

    python -m benchmarks.lookahead small 8 --choices priorities one hold
    python -m benchmarks.lookahead small 8 --choices one --twins --horizon 60
"""

import argparse
import os
import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from policies.results import mean_and_ci95
from sim.controller import control_all, controller_offsets
from sim.limits import pack_limits
from sim.observation import MANEUVERS, observation_spec
from sim.scene import SceneConfig, open_scene
from sim.traffic.fleet import Traffic
from sim.traffic.state import MEMORY
from sim.travel import TRAVEL
from sim.warehouse import Warehouse

DEVELOPMENT_SEED = 1_500_000_000
"""Seed of the first episode, which is one of those that training draws from; none that is evaluated on."""
LEAST_GAIN = 0.05
"""A choice is worth making when the fleet gets so much farther than by the rules [m]."""
NUDGED, NUDGE = 3, 0.05
"""Control periods in which commands are a little off, and by how much [m/s, rad/s]."""
GO, STOP = MANEUVERS.index("go"), MANEUVERS.index("stop")


class Choice(NamedTuple):
    """What the robots do for a while that the rules leave open."""

    priorities: NDArray[np.float64]
    """By how much each goes before others [robots]."""
    maneuvers: NDArray[np.int64]
    """What each does [robots]."""


class Fleet:
    """A fleet that goes by the rules, with choices on top of them.

    Args:
        scene: a scene's name.
        robots: how many.
    """

    def __init__(self, scene: str, robots: int) -> None:
        settings, layout = open_scene(SceneConfig(layout=scene, robots=robots, right_of_way="plans"))
        self.robots = robots
        self.warehouse = Warehouse(settings, layout)
        self.sensors = self.warehouse.sensors
        traffic = self.sensors.traffic
        assert traffic is not None
        self.traffic: Traffic = traffic
        self._offsets = controller_offsets(observation_spec(settings.robot))
        self._limits = pack_limits(settings.robot, settings.control_period)
        self._commands = np.zeros((robots, 2))

    def begin(self, seed: int) -> None:
        """Start an episode."""
        self.warehouse.reset(seed)
        self.warehouse.begin_decision()

    def drive(self, choice: Choice, periods: int, nudge: np.random.Generator | None = None) -> float:
        """Drive on by a choice for so many control periods; return by how much the ways left got shorter [m].

        `nudge` draws what is added to the commands of the first three: some 5 cm/s and 0.05 rad/s.
        """
        self.traffic.memory[:, MEMORY.priority] = choice.priorities
        self.sensors.maneuvers[:] = choice.maneuvers
        progress = self.sensors.travel[:, TRAVEL.progress]
        progress[:] = 0.0
        for period in range(periods):
            control_all(self.sensors.maneuvers, self.sensors.observations, self._offsets, self._limits, self._commands)
            if nudge is not None and period < NUDGED:
                self._commands += NUDGE * nudge.standard_normal(self._commands.shape)
            self.warehouse.tick(self._commands)
        return float(progress.sum())

    def legs_per_robot_hour(self) -> float:
        """Return half the legs driven in an episode of 60 s, per robot-hour: deliveries, with half ones counted too."""
        legs = sum(info["deliveries"] + info["picks"] for info in self.warehouse.infos())
        return float(legs) / 2 / self.robots * 60


Choices = Callable[[int, np.random.Generator, int], list[Choice]]


def by_the_rules(robots: int) -> Choice:
    """Return no choice: all robots are alike, and all go."""
    return Choice(np.zeros(robots), np.full(robots, GO))


def priorities(robots: int, random: np.random.Generator, count: int) -> list[Choice]:
    """Return choices of a priority for every robot, all at random."""
    return [by_the_rules(robots)._replace(priorities=random.random(robots)) for _ in range(count)]


def one(robots: int, random: np.random.Generator, count: int) -> list[Choice]:
    """Return choices of one robot that goes before all others, or after them."""
    choices = [by_the_rules(robots) for _ in range(min(count, robots))]
    for choice, robot in zip(choices, random.permutation(robots).tolist(), strict=False):
        choice.priorities[robot] = random.choice((-1.0, 1.0))
    return choices


def hold(robots: int, random: np.random.Generator, count: int) -> list[Choice]:
    """Return choices of one robot that stops."""
    choices = [by_the_rules(robots) for _ in range(min(count, robots))]
    for choice, robot in zip(choices, random.permutation(robots).tolist(), strict=False):
        choice.maneuvers[robot] = STOP
    return choices


CHOICES: dict[str, Choices] = {"priorities": priorities, "one": one, "hold": hold}


def foresee(fleet: Fleet, choice: Choice, periods: int, horizon: int, nudged: int | None = None) -> float:
    """Return how far a fleet gets in `horizon` control periods, the first ones by a choice [m]; it stays as it is.

    With a seed in `nudged` the commands are a little off in the beginning.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            progress = fleet.drive(choice, periods, None if nudged is None else np.random.default_rng(nudged))
            os.write(writer, struct.pack("d", progress + fleet.drive(by_the_rules(fleet.robots), horizon - periods)))
        finally:
            os._exit(0)
    os.close(writer)
    told = os.read(reader, 8)
    os.close(reader)
    os.waitpid(child, 0)
    return float(struct.unpack("d", told)[0])


def play(fleet: Fleet, seed: int, kind: Choices | None, options: argparse.Namespace) -> tuple[float, float, float]:
    """Play an episode of 60 s.

    Args:
        fleet: the fleet.
        seed: of the episode, and of what is tried.
        kind: what is tried; None keeps to the rules.
        options: of the command line.

    Returns:
        Legs per robot-hour, metres a robot, and the share of decisions that were not the rules'.
    """
    random, metres, others = np.random.default_rng(seed), 0.0, 0
    decisions = 600 // options.periods
    fleet.begin(seed)
    for _ in range(decisions):
        best = by_the_rules(fleet.robots)
        if kind is not None:
            tried = kind(fleet.robots, random, options.tries)
            least = foresee(fleet, best, options.periods, options.horizon) + LEAST_GAIN
            values = [foresee(fleet, choice, options.periods, options.horizon) for choice in tried]
            if max(values) > least:
                best, others = tried[int(np.argmax(values))], others + 1
        metres += fleet.drive(best, options.periods)
    return fleet.legs_per_robot_hour(), metres / fleet.robots, others / decisions


def twins(fleet: Fleet, seed: int, kind: Choices, options: argparse.Namespace) -> list[tuple[float, float]]:
    """Return what choices bring over the rules, and the same from a start that is a little off [m], every 6 s."""
    random, pairs = np.random.default_rng(seed), []
    fleet.begin(seed)
    for _ in range(8):
        fleet.drive(by_the_rules(fleet.robots), 60)
        values = [
            [foresee(fleet, choice, options.periods, options.horizon, nudged) for nudged in (None, seed)]
            for choice in (by_the_rules(fleet.robots), *kind(fleet.robots, random, options.tries))
        ]
        pairs += [(here - values[0][0], there - values[0][1]) for here, there in values[1:]]
    return pairs


def row(name: str, played: Sequence[tuple[float, float, float]]) -> str:
    """Return a line of the table."""
    legs, metres, others = zip(*played, strict=True)
    cells = [f"{mean:.1f} ± {half:.1f}" for mean, half in map(mean_and_ci95, (legs, metres))]
    return f"| {name} | {cells[0]} | {cells[1]} | {100 * float(np.mean(others)):.0f}% |"


def main() -> None:
    """Print a row for the rules and one for each kind of choice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene")
    parser.add_argument("robots", type=int)
    parser.add_argument("--choices", nargs="+", choices=tuple(CHOICES), default=tuple(CHOICES))
    parser.add_argument("--episodes", type=int, default=5)
    parser.add_argument("--tries", type=int, default=7, help="choices tried in each decision")
    parser.add_argument("--periods", type=int, default=20, help="control periods that a choice lasts [0.1 s]")
    parser.add_argument("--horizon", type=int, default=100, help="control periods that are looked ahead [0.1 s]")
    parser.add_argument("--twins", action="store_true", help="tell how much of what is foreseen is luck, instead")
    options = parser.parse_args()
    fleet = Fleet(options.scene, options.robots)
    if not options.twins:
        print(f"| {options.scene} {options.robots} | legs / 2 a robot-hour | metres a robot | choices made |")
        print("|---|---|---|---|")
    kinds: dict[str, Choices | None] = {"the rules": None, **{name: CHOICES[name] for name in options.choices}}
    for name, kind in kinds.items():
        seeds = range(DEVELOPMENT_SEED, DEVELOPMENT_SEED + options.episodes)
        if options.twins and kind is not None:
            here, there = np.array([pair for seed in seeds for pair in twins(fleet, seed, kind, options)]).T
            moved, alike = np.mean(np.abs(here) > LEAST_GAIN), np.corrcoef(here, there)[0, 1]
            print(f"{name}: {100 * moved:.0f}% of {len(here)} choices matter; correlation of the twins {alike:.2f}")
        elif not options.twins:
            print(row(name, [play(fleet, seed, kind, options) for seed in seeds]), flush=True)


if __name__ == "__main__":
    main()

"""The search: separable CMA-ES over the logarithms of all factors, each tried in whole episodes.

Ros and Hansen, "A Simple Modification in CMA-ES Achieving Linear Time and Space Complexity" (2008): with two factors an
aisle and some dozen generations there is no time to learn how factors depend on each other. What comes out is the mean
of the last generation, not the best guidance that was tried: the best of many noisy values is lucky, not good.
"""

import math
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from cmaes import SepCMA
from numpy.typing import NDArray

from policies.episode import per_robot_hour
from policies.guide.record import Record
from policies.guide.settings import GuideConfig
from policies.planners.names import PolicyName
from policies.side_by_side import begin_worker
from sim.errors import RunError
from sim.guidance import Guidance
from sim.interrupt import Interrupt
from sim.layout import Layout
from sim.scene import SceneConfig

SEARCH_SEED, CHECK_SEED = 30_000_000, 40_000_000
"""Seeds of the first episodes: those of evaluations, trainings and validations lie elsewhere."""
LARGEST = 3.0
"""No factor becomes larger."""
SPREAD = 0.15
"""Standard deviation of the logarithms in the first generation."""
NEGLIGIBLE = 1.02
"""A factor below this is left out of the map."""

Factors = NDArray[np.float64]
"""What each aisle costs in each direction [aisles, 2]."""
Map = Callable[[Sequence[tuple[Factors, Sequence[int]]]], list[list[float]]]
"""Plays each of the guidances with its seeds, side by side; see `play`."""


def find_guidance(
    config: GuideConfig,
    scene: SceneConfig,
    layout: Layout,
    record: Record,
    side_by_side: Map,
    log: Callable[[str], None],
) -> Factors:
    """Return the factors that the search comes to.

    Args:
        config: the effort.
        scene: the fleet.
        layout: its map; the search begins at its guidance.
        record: what was tried before; every generation is added.
        side_by_side: plays episodes.
        log: prints a line for the person who waits.
    """
    start = np.log(layout.factors.ravel())
    search = SepCMA(start, SPREAD, population_size=config.population, seed=config.seed)
    began = time.monotonic()
    known = len(record.generations)
    for generation in range(max(config.generations, known)):
        tried = [search.ask() for _ in range(config.population)]
        if generation >= known:
            first = SEARCH_SEED + generation * config.episodes
            seeds = range(first, first + config.episodes)
            factors = [as_factors(logarithms) for logarithms in tried]
            played = side_by_side([(one, seeds) for one in factors])
            record.add([float(np.mean(values)) for values in played])
        values = record.generations[generation]
        search.tell([(logarithms, -value) for logarithms, value in zip(tried, values, strict=True)])
        if generation >= known:
            left = (time.monotonic() - began) / (generation + 1 - known) * (config.generations - generation - 1)
            log(
                f"generation {generation + 1} of {config.generations}: {np.mean(values):.1f} in the mean, best "
                f"{max(values):.1f}; {left:.0f} s left"
            )
    return as_factors(search.mean)


def as_factors(logarithms: NDArray[np.float64]) -> Factors:
    """Return the factors [aisles, 2] of what the search varies [2 * aisles], to two digits after the point.

    The search has no bounds: below a factor of 1, and above LARGEST, it varies nothing.
    """
    factors = np.round(np.exp(np.clip(logarithms, 0.0, math.log(LARGEST))), 2)
    return np.where(factors < NEGLIGIBLE, 1.0, factors).reshape(-1, 2)


def guide_by(layout: Layout, factors: Factors) -> Layout:
    """Return a map with these factors for every fleet."""
    return replace(layout, guidance=(Guidance(1, factors),))


def play(factors: Factors, seeds: Sequence[int], scene: SceneConfig, layout: Layout, policy: PolicyName) -> list[float]:
    """Return the throughput of an episode for each seed under a guidance, deliveries a robot-hour.

    By legs: picks and deliveries, each half an order, are finer than whole deliveries.
    """
    from policies.without_run import play_without_run  # brings torch, which the main process does without

    episodes = play_without_run(policy, scene, guide_by(layout, factors).guided(scene.robots), seeds)
    return [per_robot_hour("legs", [episode], scene) / 2.0 for episode in episodes]


@contextmanager
def all_cores(config: GuideConfig, scene: SceneConfig, layout: Layout) -> Iterator[Map]:
    """Play on so many processes, which end with the block.

    Raises:
        KeyboardInterrupt: Ctrl-C, SIGTERM or SIGHUP.
        RunError: a process was ended.
    """
    spawn = multiprocessing.get_context("spawn")
    with Interrupt() as interrupt, ProcessPoolExecutor(config.processes, spawn, begin_worker) as pool:

        def side_by_side(jobs: Sequence[tuple[Factors, Sequence[int]]]) -> list[list[float]]:
            futures = [pool.submit(play, *job, scene, layout, config.policy) for job in jobs]
            played = []
            for future in futures:
                played.append(future.result())
                interrupt.check()
            return played

        try:
            yield side_by_side
        except BrokenProcessPool as error:
            raise RunError("a process of the search was ended; the same command goes on with the rest") from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

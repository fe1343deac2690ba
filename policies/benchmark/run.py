"""Play all episodes of a benchmark, side by side, and go on where an earlier call was stopped."""

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

from policies.benchmark.record import Key, Record
from policies.benchmark.settings import BenchmarkConfig
from policies.episode import Episode, throughput
from policies.planners.names import SOLO, PolicyName, SoloName, rules_of
from policies.results import Row, make_row
from policies.side_by_side import begin_worker
from sim.errors import RunError
from sim.interrupt import Interrupt
from sim.layout import Layout
from sim.scene import SceneConfig

SAVE_EVERY = 1.0
"""Time between two writings of the record [s]: what is lost where the process is killed."""


def run_benchmark(config: BenchmarkConfig, log: Callable[[str], None]) -> list[Row]:
    """Play what has not been played yet, and return a row for each policy with each fleet.

    Each episode is fixed by its seed, so the rows do not depend on the number of processes, but for decision times.

    Args:
        config: what is measured.
        log: prints a line for the person who waits.

    Raises:
        InputError: a scene is not valid, or the folder holds another benchmark.
        RunError: a process ended.
        KeyboardInterrupt: Ctrl-C or SIGTERM; what was played is kept.
    """
    record = Record(config)
    fleets = config.fleets()
    seeds = range(config.seed, config.seed + config.episodes)
    names = (SOLO, *dict.fromkeys(config.policies))
    of_all = [(scene, layout, name) for scene, layout in fleets for name in names]
    wanted = {_key(scene, name, seed): (scene, layout, name, seed) for scene, layout, name in of_all for seed in seeds}
    missing = {key: job for key, job in wanted.items() if key not in record.episodes}
    if len(missing) < len(wanted):
        log(f"going on: {len(wanted) - len(missing)} of {len(wanted)} episodes were played before")
    if missing:
        _play_all(missing, record, config, len(wanted), log)
    rows = []
    for scene, _ in fleets:
        alone = throughput([record.episodes[_key(scene, SOLO, seed)] for seed in seeds], scene)
        for name in (*names[1:], SOLO):
            ruled = replace(scene, right_of_way=rules_of(name))
            rows.append(make_row(name, ruled, [record.episodes[_key(scene, name, seed)] for seed in seeds], alone))
    return rows


Job = tuple[SceneConfig, Layout, PolicyName | SoloName, int]
"""An episode: scene, map, policy, seed."""


def _key(scene: SceneConfig, name: str, seed: int) -> Key:
    return scene.layout, scene.robots, name, seed


def _play_all(
    missing: dict[Key, Job], record: Record, config: BenchmarkConfig, total: int, log: Callable[[str], None]
) -> None:
    spawn = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
    processes = min(config.processes, len(missing))
    with Interrupt() as interrupt, ProcessPoolExecutor(processes, spawn, begin_worker) as pool:
        futures: dict[Future[Episode], Key] = {pool.submit(_play, *job): key for key, job in missing.items()}
        saved = time.monotonic()
        try:
            for future in as_completed(futures):
                interrupt.check()
                key = futures[future]
                record.episodes[key] = future.result()
                if time.monotonic() - saved > SAVE_EVERY:
                    record.save()
                    saved = time.monotonic()
                played = [episode for other, episode in record.episodes.items() if other[:3] == key[:3]]
                if len(played) == config.episodes:
                    log(_told(missing[key], played) + f"; {len(record.episodes)} of {total} episodes")
        except BrokenProcessPool as error:
            raise RunError("a process of the benchmark was ended; the same command goes on with the rest") from error
        except KeyboardInterrupt:
            log(f"stopped with {len(record.episodes)} of {total} episodes; the same command goes on with the rest")
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            record.save()


def _told(job: Job, played: list[Episode]) -> str:
    """Return what a policy has come to with a fleet."""
    scene, _, name, _ = job
    row = make_row(name, scene, played)
    return f"{row.scene}, {row.robots} robots, {name}: {row.throughput:.1f} ± {row.throughput_ci95:.1f}"


def _play(scene: SceneConfig, layout: Layout, name: PolicyName | SoloName, seed: int) -> Episode:
    from policies.without_run import play_without_run

    return play_without_run(name, scene, layout, [seed])[0]

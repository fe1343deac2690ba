"""Whether a guidance pays: the old one and the new one on the same fresh orders."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from policies.files import write_atomically
from policies.guide.record import Record
from policies.guide.search import CHECK_SEED, Factors, Map, all_cores, find_guidance
from policies.guide.settings import GuideConfig
from policies.results import mean_and_ci95
from sim.guidance import Guidance
from sim.layout import Layout


@dataclass(frozen=True)
class Outcome:
    """Throughput by legs under three guidances, and the gain of the last over the second, with their 95% intervals."""

    none: tuple[float, float]
    """Every edge at its length, deliveries a robot-hour."""
    before: tuple[float, float]
    """The guidance that the map had."""
    after: tuple[float, float]
    """What was found."""
    gain: tuple[float, float]
    """By how much more is delivered after than before, episode by episode."""

    @property
    def pays(self) -> bool:
        """Whether the whole interval of the gain lies above 0."""
        return self.gain[0] - self.gain[1] > 0.0


def guide(name: str, config: GuideConfig, log: Callable[[str], None]) -> Outcome:
    """Search guidance for a fleet, compare it with what the map has, and write it to a map file where it pays.

    Args:
        name: of the scene, or its map file.
        config: the fleet and the effort.
        log: prints a line for the person who waits.

    Raises:
        InputError: the scene or a file is not valid, or the record is of another search.
        RunError: a process was ended.
        KeyboardInterrupt: Ctrl-C, SIGTERM or SIGHUP; the generations that were played are kept.
    """
    scene, layout = config.open(name)
    record_file, out = config.files(scene)
    record = Record(record_file, config, scene, layout)
    if record.generations:
        log(f"going on: {len(record.generations)} generations were played before ({record_file})")
    with all_cores(config, scene, layout) as side_by_side:
        found = find_guidance(config, scene, layout, record, side_by_side, log)
        outcome = compare(layout.factors, found, config.check, side_by_side)
    log(
        f"{layout.name}, {scene.robots} robots, {config.policy}: deliveries a robot-hour, {config.check} fresh episodes"
    )
    for title, (mean, ci95) in (("no guidance", outcome.none), ("before", outcome.before), ("after", outcome.after)):
        log(f"  {title:12}{mean:6.1f} ± {ci95:.1f}")
    log(f"  {'gain':12}{outcome.gain[0]:+6.1f} ± {outcome.gain[1]:.1f}")
    if outcome.pays:
        _write(out, layout, Guidance(scene.robots, found))
        log(f"it pays: {out}")
    else:
        log("that is no gain beyond chance: nothing is written")
    return outcome


def compare(before: Factors, after: Factors, episodes: int, side_by_side: Map) -> Outcome:
    """Play fresh episodes under no guidance, the old and the new one, all on the same orders."""
    seeds = range(CHECK_SEED, CHECK_SEED + episodes)
    guidances = (np.ones_like(before), before, after)
    parts = [(factors, seeds[k : k + 4]) for factors in guidances for k in range(0, episodes, 4)]
    played = [value for values in side_by_side(parts) for value in values]
    none, old, new = (played[k * episodes : (k + 1) * episodes] for k in range(3))
    gains = [n - o for n, o in zip(new, old, strict=True)]
    return Outcome(mean_and_ci95(none), mean_and_ci95(old), mean_and_ci95(new), mean_and_ci95(gains))


def put_into(guidance: Sequence[Guidance], new: Guidance) -> tuple[Guidance, ...]:
    """Return the guidance of a map with a new part, in place of one for the same fleets."""
    return tuple(sorted([*(part for part in guidance if part.robots != new.robots), new], key=lambda part: part.robots))


def _write(out: Path, layout: Layout, new: Guidance) -> None:
    guided = replace(layout, guidance=put_into(layout.guidance, new))
    write_atomically(out, guided.text().encode())

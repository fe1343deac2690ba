"""Throws random sequences of events at a robot's base and process, and checks the protocol between them at every step.

Stops, releases, restarts, pauses, second processes and bases, forged messages, bad links, in any order, on a simulated
clock. What must hold:

- no robot moves while a stop holds, however many there are, whichever side was restarted, whatever comes late or twice
- none stays undriven for longer than a second once nothing is wrong any more, whatever was before
- the base obeys no answer to sensors older than 0.3 s, no two processes in a period, no answer twice; else it brakes
- what is remembered stays bounded

    python -m benchmarks.sequences [--steps 1000000] [--seed 0]
"""

import argparse
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Callable

from benchmarks.sequences.checked_latch import ProtocolError
from benchmarks.sequences.link import SECOND, Link
from benchmarks.sequences.sequence import Sequence

_PER_SEQUENCE = 500
"""Steps after which everything begins anew."""
_FLOODED = 0.1
"""Share of sequences in which more stops are sent than there are places."""
_WEIGHTS: dict[Callable[[Sequence], None], int] = {
    Sequence.pass_time: 60,
    Sequence.press: 3,
    Sequence.press_again: 2,
    Sequence.release: 5,
    Sequence.restart_process: 3,
    Sequence.restart_base: 3,
    Sequence.pause: 4,
    Sequence.go_on: 6,
    Sequence.change_link: 6,
    Sequence.repeat: 4,
    Sequence.forge_command: 6,
    Sequence.forge_sensors: 6,
    Sequence.calm: 3,
}


def run(steps: int, seed: int) -> Link:
    """Return the link after a sequence of that many steps.

    Raises:
        ProtocolError: something that must hold did not.
    """
    chance = random.Random(seed)
    sequence = Sequence(chance)
    actions, weights = list(_WEIGHTS), list(_WEIGHTS.values())
    if chance.random() < _FLOODED:
        actions, weights = [*actions, Sequence.flood], [*weights, 1]
    for action in chance.choices(actions, weights, k=steps):
        action(sequence)
        sequence.link.events[action.__name__] += 1
    sequence.link.events["simulated s"] += sequence.link.now // SECOND
    return sequence.link


def main() -> None:
    """Print what happened; exit code 1 with the number of the sequence if something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first sequence")
    options = parser.parse_args()
    events, longest, begin = Counter[str](), 0, time.perf_counter()
    for seed in range(options.seed, options.seed + math.ceil(options.steps / _PER_SEQUENCE)):
        try:
            link = run(_PER_SEQUENCE, seed)
        except ProtocolError as error:
            sys.exit(f"sequence {seed}: {error}\n{dict(events)}")
        events, longest = events + link.events, max(longest, link.longest)
    steps = sum(events[action.__name__] for action in (*_WEIGHTS, Sequence.flood))
    print(
        f"{steps:,} steps in {time.perf_counter() - begin:.0f} s; nothing wrong and undriven: {longest / SECOND:.2f} s"
    )
    for name, count in sorted(events.items()):
        print(f"{name}: {count:,}")


if __name__ == "__main__":
    main()

"""What a person sees while training runs: a bar in a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from policies.runs.config import TrainConfig

PLAIN_PERIOD = 10.0
"""Time between two plain lines [s]."""
MARGIN = 0.02
"""How far the mean Q may leave its limits before a warning, in shares of the range between them [1]."""


class _Output(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # rich would end the process, with nothing saved


def team_rules(config: TrainConfig, agents: int) -> str:
    """Return the line that tells a team of that many agents what it is paid, and what a time limit means to it."""
    after = "go on" if config.truncation == "bootstrap" else "end"
    return f"the team's reward is the {config.team_reward} over its {agents} agents; after a time limit values {after}"


class TrainingProgress:
    """Shows how far training is and how well the fleet does; once its terminal or its reader is gone, nothing.

    Args:
        total: how far it goes, in seconds or in env steps.
        in_seconds: which of the two.
    """

    def __init__(self, total: float, in_seconds: bool) -> None:
        self._total, self._in_seconds = total, in_seconds
        self._console = _Output(file=sys.stdout)
        self._last = -PLAIN_PERIOD
        self._warned = False
        self._metrics: dict[str, float] = {}
        self._noted: set[str] = set()
        self._bar: Progress | None = None
        if self._console.is_terminal:
            columns = (BarColumn(bar_width=24), TextColumn("{task.description}"))
            self._bar = Progress(*columns, console=self._console, auto_refresh=False)
            self._task = self._bar.add_task("starting", total=total)
            self._tell(self._bar.start)

    def update(self, row: dict[str, float]) -> None:
        """Show a row of the metrics; metrics that it lacks stay as they were."""
        self._metrics.update(row)
        self._warn_of_values()
        done = self._metrics["seconds" if self._in_seconds else "steps"]
        text = self._describe(done)
        now = time.monotonic()
        if self._bar is not None:
            values: dict[str, Any] = {"completed": min(done, self._total), "description": text}
            self._tell(partial(self._bar.update, self._task, **values, refresh=True))
        elif now - self._last >= PLAIN_PERIOD:
            self._last = now
            self.log(f"{min(1.0, done / self._total):.0%} done, {text}")

    def _warn_of_values(self) -> None:
        """Print a line when the mean Q leaves what the rewards allow, once until it is back."""
        beyond = self._values_beyond()
        if beyond and not self._warned:
            self.log(
                f"warning: after {self._metrics['steps']:,.0f} steps {beyond} that the rewards seen so far allow: the "
                "values feed on themselves, and what is learned from them is no use; valid are a smaller "
                "--learner.learning-rate, a smaller --learner.gamma, and --algo vdn"
            )
        self._warned = bool(beyond)

    def _values_beyond(self) -> str:
        """Tell how the mean Q is out of its limits; empty where it is not, or not by much."""
        q, low, high = (self._metrics.get(name, 0.0) for name in ("q_mean", "q_lowest", "q_highest"))
        margin = MARGIN * (high - low)  # fresh networks guess a little beyond; without any reward nothing is known
        if margin > 0 and q > high + margin:
            return f"the mean Q is {q:.3g}, above the {high:.3g}"
        if margin > 0 and q < low - margin:
            return f"the mean Q is {q:.3g}, below the {low:.3g}"
        return ""

    def note(self, text: str) -> None:
        """Print a line that was not printed before; nothing for an empty one."""
        if text and text not in self._noted:
            self._noted.add(text)
            self.log(text)

    def log(self, text: str) -> None:
        """Print a line."""
        self._tell(partial(self._console.print, text, highlight=False, soft_wrap=True, markup=False))

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._tell(self._bar.stop)

    def _tell(self, show: Callable[[], object]) -> None:
        try:
            show()
        except OSError:  # nobody looks any more: training must go on, or save and end
            self._console.quiet = True

    def _describe(self, done: float) -> str:
        m = self._metrics
        rate = 1.0 if self._in_seconds else m["steps_per_second"]
        left = max(0.0, self._total - done) / rate if rate > 0 else 0.0
        parts = [
            f"{left // 60:.0f}:{left % 60:02.0f} left",
            f"{m['steps']:,.0f} steps ({m['steps_per_second']:,.0f}/s)",
            f"{m['updates_per_second']:.0f} updates/s",
        ]
        if "throughput" in m:
            efficiency = f" (efficiency {m['efficiency']:.2f})" if "efficiency" in m else ""
            parts.append(f"{m['throughput']:.1f} deliveries/robot-h{efficiency}")
            parts.append(f"{m['robot_contacts'] + m['rack_contacts']:.1f} contacts/robot-h")
        elif "return" in m:
            parts.append(f"return {m['return']:.2f}")
        if "validation_return" in m:
            greedy = f"{m['validation_throughput']:.1f}/robot-h" if "validation_throughput" in m else ""
            parts.append(f"greedy {greedy or format(m['validation_return'], '.2f')}")
        if self._values_beyond():
            parts.append(f"Q {m['q_mean']:.3g} is not possible")
        return " | ".join(parts)

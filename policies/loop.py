"""The training loop: collect, learn, validate, save; for a time or for a number of env steps."""

import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from policies.agent import AgentNetwork
from policies.env_api import EnvError
from policies.episode import Episode
from policies.learner import QLearner
from policies.mixers import FLEET_MIXERS, MIXERS
from policies.neighbours import NeighbourRows
from policies.replay import ReplayBuffer
from policies.rollout import Rollout, RolloutError, RolloutStoppedError
from policies.runs.checkpoint import Checkpoint, CheckpointInfo, save_checkpoint
from policies.runs.config import TrainConfig
from policies.runs.folder import Run, TrainResult
from policies.runs.progress import TrainingProgress, team_rules
from policies.runs.training_log import MetricsWriter, episode_metrics
from policies.team import Team
from sim.errors import InputError

REPLAY_RANDOM = "random.replay"
"""Name of the replay's generator state among a checkpoint's tensors."""
CLOSING_TIME = 0.5
"""Kept free at the end of a run that is limited in time, for saving and ending the worker [s]."""


def make_learner(config: TrainConfig, team: Team, rows: NeighbourRows | None = None) -> QLearner:
    """Return a learner with fresh parameters, fixed by the seed, for a team of that size that observes such rows."""
    n_agents = len(team.agents)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        agent = AgentNetwork(n_agents, torch.from_numpy(team.observation_scale), team.n_actions, config.agent, rows)
        states, each = len(team.state_scale), team.robot_state
        mixer = (
            FLEET_MIXERS[config.algo](each, states - n_agents * each) if each else MIXERS[config.algo](n_agents, states)
        )
        return QLearner(agent, mixer, torch.from_numpy(team.state_scale), config.learner, bool(config.env))


class TrainingLoop:
    """One run from start to end.

    Args:
        run: its folder, written.
        rollout: where experience comes from.
        checkpoint: what to go on from; None for a fresh start.
        solo_throughput: deliveries per robot-hour of robots that are alone; None shows no efficiency.
        started: when training began (`time.monotonic`) [s].
        stop: whether to save and end now.

    Raises:
        InputError: the checkpoint does not fit the run.
    """

    def __init__(
        self,
        run: Run,
        rollout: Rollout,
        checkpoint: Checkpoint | None,
        solo_throughput: float | None,
        started: float,
        stop: Callable[[], bool],
    ) -> None:
        config, team = run.config, rollout.team
        self._run, self._config, self._rollout, self._solo, self._stop = run, config, rollout, solo_throughput, stop
        self._learner = make_learner(config, team, run.source.neighbours)
        self._generator = torch.Generator().manual_seed(config.seed)
        self._info = CheckpointInfo(
            algo=config.algo, seed=config.seed, n_agents=len(team.agents), n_actions=team.n_actions
        )
        if checkpoint is not None:
            self._restore(checkpoint)
        self._started = started - self._info.seconds
        size = team.sequence_size(config.rollout.sequence, self._learner.agent.hidden_size)
        self._replay = ReplayBuffer(config.replay, size)
        self._updates: list[dict[str, float]] = []
        self._episodes: list[Episode] = []
        self._validation: dict[str, float] = {}
        self._row_began = (self._info.iterations, self._info.steps, self._info.updates, self._seconds())
        self._metrics = MetricsWriter(run.path, self._info.steps)
        self._progress = TrainingProgress(config.steps or config.minutes * 60, in_seconds=not config.steps)

    def _restore(self, checkpoint: Checkpoint) -> None:
        tensors = dict(checkpoint.tensors)
        try:
            self._generator.set_state(tensors.pop(REPLAY_RANDOM))
            self._learner.load_state_dict(tensors)
        except (KeyError, ValueError, RuntimeError) as error:
            raise InputError(
                f"the newest checkpoint of run {str(self._run.path)!r} does not fit it: {error}"
            ) from error
        self._info = checkpoint.info
        if self._info.random:
            self._rollout.restore(self._info.random)

    def run(self) -> TrainResult:
        """Train until the limit or until `stop`; errors as in `policies.train.train`."""
        self._progress.log(team_rules(self._config, len(self._rollout.team.agents)))
        try:
            while not self._stop() and not self._is_done():
                if self._info.iterations - self._row_began[0] >= self._config.log_every:
                    self._write_row()
                if self._info.steps >= self._info.next_validation(self._config.rollout.validation_share):
                    self._validate()
                self._iterate()
            if self._stop():
                self._save(validated=False)
            else:
                self._validate()
                self._write_row()
        except RolloutStoppedError:
            self._save(validated=False)
        except (RolloutError, EnvError) as error:
            if self._info.iterations == 0 and not self._stop():
                raise  # nothing was learned that could be saved
            self._save(validated=False)
            if not self._stop():  # a signal to the whole process group ends the worker first
                raise type(error)(f"{error}; saved after {self._info.steps} steps, {self._advice}") from error
        finally:
            self._progress.close()
            self._metrics.close()
        if self._stop():
            self._progress.log(f"stopped and saved after {self._info.steps} steps; {self._advice}")
        info = self._info
        return TrainResult(self._run.path, info.steps, info.updates, info.seconds, info.best_return, self._stop())

    @property
    def _advice(self) -> str:
        return f"go on with: fleetmix train --run {self._run.path} --resume"

    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def _is_done(self) -> bool:
        if self._config.steps:
            return self._info.steps >= self._config.steps
        return self._seconds() + 1.1 * self._info.validation_seconds + CLOSING_TIME >= self._config.minutes * 60

    def _iterate(self) -> None:
        """Learn from earlier iterations while the next one is collected."""
        config, settings = self._config, self._config.rollout
        self._rollout.start(self._learner.agent.state_dict(), settings.epsilon(self._info.steps))
        updates = config.updates if len(self._replay) >= config.warmup else 0
        self._updates += [self._update() for _ in range(updates)]
        self._info = replace(self._info, updates=self._info.updates + updates)  # also if no experience comes any more
        collected = self._rollout.result()
        self._learner.observe(collected.batch)
        self._replay.add(collected.batch)
        self._episodes += collected.episodes
        self._progress.note(collected.note)
        self._info = replace(
            self._info,
            iterations=self._info.iterations + 1,
            steps=self._info.steps + settings.envs * settings.sequence,
            random=collected.random,
        )

    def _update(self) -> dict[str, float]:
        try:
            metrics = self._learner.update(self._replay.sample(self._config.batch, self._generator))
        except FloatingPointError as error:
            raise self._diverged("a gradient") from error
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise self._diverged(name)
        return metrics

    def _diverged(self, name: str) -> InputError:
        kept = "the last good checkpoint is kept" if self._info.best_return is not None else "nothing was saved yet"
        return InputError(
            f"training diverged after {self._info.steps} steps: {name} is not finite, {kept}; valid are a smaller "
            f"learning rate than {self._config.learner.learning_rate:g}, and an environment whose values are finite"
        )

    def _validate(self) -> None:
        """Measure the greedy policy of the averaged parameters on the validation seeds, and save it."""
        began = self._seconds()
        weights = self._learner.target_agent.state_dict()
        episodes = self._rollout.validate(weights, self._config.rollout.validation_episodes)
        self._validation = episode_metrics(episodes, self._run.source, self._solo)
        if not math.isfinite(self._validation["return"]):
            raise self._diverged("the return of a validation")
        self._info = replace(
            self._info,
            validated_steps=self._info.steps,
            validation_steps=sum(episode.length for episode in episodes),
            validation_seconds=self._seconds() - began,
        )
        self._save(validated=True)

    def _save(self, validated: bool) -> None:
        """Save the newest checkpoint, and as the best one too where it is that or the only one."""
        info, value = self._info, self._validation.get("return")
        best = info.best_return
        improved = validated and value is not None and (best is None or value > best)
        if improved:
            best = value
        metrics = self._validation if validated else {}
        self._info = replace(info, seconds=self._seconds(), best_return=best, validation=metrics)
        tensors = {**self._learner.state_dict(), REPLAY_RANDOM: self._generator.get_state()}
        checkpoint = Checkpoint(tensors, self._info)
        try:
            save_checkpoint(self._run.checkpoints, "newest", checkpoint)
            if improved or best is None:
                save_checkpoint(self._run.checkpoints, "best", checkpoint)
        except InputError as error:
            advice = f"then {self._advice}" if self._run.saved else "then begin again: nothing was saved yet"
            raise InputError(f"{error}; make room, {advice}") from error

    def _write_row(self) -> None:
        """Write and show what happened since the last row."""
        info, seconds = self._info, self._seconds()
        _, steps, updates, began = self._row_began
        passed = max(seconds - began, 1e-9)
        row: dict[str, float] = {
            "iteration": info.iterations,
            "steps": info.steps,
            "updates": info.updates,
            "seconds": seconds,
            "epsilon": self._config.rollout.epsilon(info.steps),
            "steps_per_second": (info.steps - steps) / passed,
            "updates_per_second": (info.updates - updates) / passed,
            "episodes": len(self._episodes),
            **episode_metrics(self._episodes, self._run.source, self._solo),
            **{f"validation_{name}": value for name, value in self._validation.items() if name != "length"},
        }
        for name in self._updates[0] if self._updates else ():
            row[name] = float(np.mean([metrics[name] for metrics in self._updates]))
        if self._updates:
            row["q_lowest"], row["q_highest"] = self._learner.value_limits()
        self._metrics.write(row)
        self._progress.update(row)
        self._updates, self._episodes, self._validation = [], [], {}
        self._row_began = (info.iterations, info.steps, info.updates, seconds)

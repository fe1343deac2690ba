"""The training loop: collect, learn, validate, save; for a time or for a number of env steps."""

import math
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from policies.agent import AgentNetwork
from policies.env_api import EnvError
from policies.learner import QLearner
from policies.mixers import FLEET_MIXERS, MIXERS
from policies.neighbours import NeighbourRows
from policies.replay import ReplayBuffer
from policies.rollout.interface import Rollout, RolloutError, RolloutStoppedError
from policies.rollout.state import CollectorState
from policies.runs.checkpoint import Checkpoint, CheckpointInfo
from policies.runs.config import TrainConfig
from policies.runs.folder import Run, TrainResult
from policies.runs.progress import TrainingProgress, team_rules
from policies.runs.row import MetricsRow
from policies.runs.saving import RunSaver, Snapshot
from policies.runs.training_log import MetricsWriter, validation_metrics
from policies.team import Team
from sim.errors import InputError

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
        self._row = MetricsRow()
        self._owed: dict[str, Tensor] = {}
        self._state: CollectorState | None = None
        self._progress = TrainingProgress(config.steps or config.minutes * 60, in_seconds=not config.steps)
        size = team.sequence_size(config.rollout.sequence, self._learner.agent.hidden_size)
        self._replay = ReplayBuffer(config.replay, size)
        if checkpoint is not None:
            self._restore(checkpoint)
        self._saver = RunSaver(run, self._replay, self._info)
        if self._info.iterations and not len(self._replay):
            self._progress.log("the replay was not saved (see save_replay): it is filled anew before learning goes on")
        self._started = started - self._info.seconds
        self._metrics = MetricsWriter(run.path, self._info.steps)

    def _restore(self, checkpoint: Checkpoint) -> None:
        info = self._info = checkpoint.info
        try:
            snapshot = Snapshot.from_checkpoint(checkpoint)
            self._generator.set_state(snapshot.replay_random)
            self._learner.load_state_dict(snapshot.learner)
        except (KeyError, ValueError, RuntimeError) as error:
            raise InputError(
                f"the newest checkpoint of run {str(self._run.path)!r} does not fit it: {error}"
            ) from error
        self._owed = snapshot.owed
        if info.row:
            self._row = MetricsRow.from_plain(info.row)
        envs = self._config.rollout.envs
        if snapshot.collector is not None and len(info.random) == envs:
            self._state = snapshot.collector
            self._rollout.restore(self._state)
        elif info.iterations:
            self._progress.log(f"the run had {len(info.random)} environments: {envs} others begin new episodes")

    def run(self) -> TrainResult:
        """Train until the limit or until `stop`; errors as in `policies.train.train`."""
        settings = self._config.rollout
        self._progress.log(team_rules(self._config, len(self._rollout.team.agents)))
        try:
            while not self._stop() and not self._is_done():
                if self._info.iterations - self._row.iteration >= self._config.log_every:
                    self._write_row()
                if self._info.steps >= self._info.next_validation(settings.validation_share, settings.validation_every):
                    self._validate()
                    self._save(validated=True)
                elif self._saver.is_due:
                    self._save(validated=False)
                self._iterate()
            if self._stop():
                self._save(validated=False)
            else:
                self._validate()
                self._write_row()  # before the save, which says that it is there
                self._save(validated=True)
        except RolloutStoppedError:
            self._save(validated=False)
        except (RolloutError, EnvError) as error:
            if self._info.iterations == 0 and not self._stop():
                raise  # nothing was learned that could be saved
            self._save(validated=False)
            if not self._stop():  # a signal to the whole process group ends the worker first
                raise type(error)(f"{error}; saved after {self._info.steps} steps, {self._run.advice}") from error
        finally:
            self._progress.close()
            self._metrics.close()
        if self._stop():
            self._progress.log(f"stopped and saved after {self._info.steps} steps; {self._run.advice}")
        info = self._info
        return TrainResult(self._run.path, info.steps, info.updates, info.seconds, info.best_return, self._stop())

    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def _is_done(self) -> bool:
        if self._config.steps:
            return self._info.steps >= self._config.steps
        return self._seconds() + 1.1 * self._info.validation_seconds + CLOSING_TIME >= self._config.minutes * 60

    def _iterate(self) -> None:
        """Learn from earlier iterations while the next one is collected."""
        settings = self._config.rollout
        weights = self._owed or {name: x.clone() for name, x in self._learner.agent.state_dict().items()}
        self._rollout.start(weights, settings.epsilon(self._info.steps))
        if not self._owed:
            self._learn()
        self._owed = weights  # also if no experience comes any more
        collected = self._rollout.result()
        self._owed = {}
        self._state = collected.state
        self._learner.observe(collected.batch)
        self._replay.add(collected.batch)
        self._row.episodes += collected.episodes
        self._progress.note(collected.note)
        self._info = replace(
            self._info,
            iterations=self._info.iterations + 1,
            steps=self._info.steps + settings.envs * settings.sequence,
        )

    def _learn(self) -> None:
        updates = self._config.updates if len(self._replay) >= self._config.warmup else 0
        self._row.learning += [self._update() for _ in range(updates)]
        self._info = replace(self._info, updates=self._info.updates + updates)

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
        """Measure the greedy policy of the averaged parameters on the validation seeds."""
        began = self._seconds()
        weights = self._learner.target_agent.state_dict()
        episodes = self._rollout.validate(weights, self._config.rollout.validation_episodes)
        self._row.validation = validation_metrics(episodes, self._run.source, self._solo)
        if not math.isfinite(self._row.validation["return"]):
            raise self._diverged("the return of a validation")
        self._info = replace(
            self._info,
            validation=self._row.validation,
            validated_steps=self._info.steps,
            validation_steps=sum(episode.length for episode in episodes),
            validation_seconds=self._seconds() - began,
        )

    def _save(self, validated: bool) -> None:
        """Save the newest checkpoint, and before it the best one where it is that or the only one.

        Args:
            validated: whether these very parameters were just measured.
        """
        info = self._info
        best, value = info.best_return, info.validation["return"] if validated else None
        improved = value is not None and (best is None or value > best)
        self._info = replace(
            info,
            seconds=self._seconds(),
            best_return=value if improved else best,
            validation=info.validation if validated else {},
            row=self._row.to_plain(),
        )
        snapshot = Snapshot(self._learner.state_dict(), self._generator.get_state(), self._owed, self._state)
        self._metrics.flush()
        self._saver.save(snapshot.to_checkpoint(self._info), best=improved or best is None)

    def _write_row(self) -> None:
        """Write and show what happened since the last row."""
        info, seconds = self._info, self._seconds()
        row: dict[str, float] = {
            "iteration": info.iterations,
            "steps": info.steps,
            "updates": info.updates,
            "seconds": seconds,
            "epsilon": self._config.rollout.epsilon(info.steps),
            **self._row.values(self._run.source, self._solo, info.steps, info.updates, seconds),
        }
        if self._row.learning:
            row["q_lowest"], row["q_highest"] = self._learner.value_limits()
        self._metrics.write(row)
        self._progress.update(row)
        self._row = MetricsRow(info.iterations, info.steps, info.updates, seconds)

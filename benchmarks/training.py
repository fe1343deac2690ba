"""How fast training goes, where its time is spent, what memory it takes: one thread, collecting and learning in turn.

Times are CPU seconds of the one thread, so other processes of the machine hardly count. For each case: env steps a
second of the environments alone (random actions), of collecting, and of training; ms an update; the shares of
environments, acting and learning; the peak memory of the process, replay full or not. The replay ratio is how often
each env step is learned from: updates x batch x sequence over the env steps of an iteration. 12 is the default; 32 is
the work of EPyMARL, which makes one update of 32 episodes for each episode.

EPyMARL's own row is obtained with EPyMARL: `OMP_NUM_THREADS=1 python src/main.py --config=qmix --env-config=gymma with
env_args.key=... env_args.time_limit=... t_max=50000`, steps over the time that its log shows between two lines after
the first update, on the same machine. A case whose environment is not installed (the extra `bench`) is left out.

    python -m benchmarks.training [--iterations 60] [--ratio 12 32] [--agent gru mlp] [--cases small ...]
"""

import argparse
import dataclasses
import multiprocessing
import resource
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from policies.actor import random_actions
from policies.batch import Batch
from policies.config import AgentKind
from policies.env_batch import EnvBatch
from policies.loop import make_learner
from policies.replay import ReplayBuffer
from policies.rollout.setup import RolloutSetup
from policies.runs.config import TrainConfig, defaults_elsewhere
from policies.runs.folder import new_run
from sim.errors import InputError

CASES = {
    "small": "",
    "simple_spread": "mpe2.simple_spread_v3:parallel_env",
    "foraging": "examples.tuple_env:foraging_8x8_2p_3f",
    "rware": "examples.tuple_env:rware_tiny_2ag",
}
"""The environment of each case; none is our own warehouse."""
WARMING = 5
"""Iterations before the clock runs, in which code is compiled and memory taken."""


@dataclass(frozen=True)
class Measured:
    """Times of one case [s], and what they are of."""

    steps: int
    """Env steps."""
    updates: int
    env: float
    """Environments alone, for as many steps."""
    collecting: float
    """Environments and acting together."""
    learning: float
    memory: int
    """Peak of the process [KiB]."""

    def cells(self) -> list[str]:
        """Return the columns of the table."""
        total = self.collecting + self.learning
        shares = (self.env, self.collecting - self.env, self.learning)
        rates = (self.steps / seconds for seconds in (self.env, self.collecting, total))
        update = 1000 * self.learning / self.updates
        parts = " / ".join(f"{share / total:.0%}" for share in shares)
        return [*(f"{rate:,.0f}" for rate in rates), f"{update:.1f}", parts, f"{self.memory / 1024:,.0f}"]


def settings(env: str, agent: AgentKind, ratio: int) -> TrainConfig:
    """Return the default settings of a case, with an agent network and a replay ratio."""
    config = dataclasses.replace(defaults_elsewhere(), env=env) if env else TrainConfig()
    updates = round(ratio * config.rollout.envs / config.batch)
    return dataclasses.replace(config, updates=updates, agent=dataclasses.replace(config.agent, kind=agent))


def measure(config: TrainConfig, iterations: int) -> Measured:
    """Measure a case; raise InputError when its environment is not valid or not installed."""
    torch.set_num_threads(1)
    source, rollout = new_run(Path("not-written"), config).source, config.rollout
    collector = RolloutSetup(source, config.agent, rollout.envs, rollout.sequence, seed=0).build()
    learner = make_learner(config, collector.team, source.neighbours)
    replay = ReplayBuffer(config.replay, collector.team.sequence_size(rollout.sequence, learner.agent.hidden_size))
    generator = torch.Generator().manual_seed(0)
    collecting = learning = 0.0
    for iteration in range(WARMING + iterations):
        if iteration == WARMING:
            collecting = learning = 0.0
        began = time.thread_time()
        collector.agent.load_state_dict(learner.agent.state_dict())
        batch = Batch.of(collector.collect(epsilon=0.5)[0])
        collected = time.thread_time()
        learner.observe(batch)
        replay.add(batch)
        for _ in range(config.updates):
            learner.update(replay.sample(config.batch, generator))
        collecting, learning = collecting + collected - began, learning + time.thread_time() - collected
    collector.close()
    steps = iterations * rollout.envs * rollout.sequence
    env = _env_time(EnvBatch(source, rollout.envs), iterations * rollout.sequence)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Measured(steps, iterations * config.updates, env, collecting, learning, memory)


def _env_time(envs: EnvBatch, steps: int) -> float:
    """Return how long so many steps of all environments take under random actions, resets included [s]."""
    choose, seed = partial(random_actions, np.random.default_rng(0)), 0
    for i in range(len(envs)):
        envs.reset(i, seed + i)
    spent = 0.0
    for _ in range(steps):
        actions = choose(envs)
        began = time.thread_time()
        envs.step(actions, range(len(envs)))
        for i in np.flatnonzero(envs.done).tolist():
            envs.reset(i, seed := seed + len(envs))
        spent += time.thread_time() - began
    envs.close()
    return spent


def main() -> None:
    """Measure each case in a process of its own, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--iterations", type=int, default=60, help="of 256 env steps each")
    parser.add_argument("--ratio", type=int, nargs="+", default=[12, 32], help="replay ratios")
    parser.add_argument("--agent", nargs="+", choices=get_args(AgentKind), default=["gru", "mlp"])
    options = parser.parse_args()
    table = Table(title=f"{options.iterations} iterations, one thread")
    heads = ("case", "agent", "ratio", "env steps/s", "collecting", "training", "ms an update")
    for head in (*heads, "environments / acting / learning", "MiB"):
        table.add_column(head, justify="left" if head in heads[:2] else "right")
    context = multiprocessing.get_context("spawn")
    for case in options.cases:
        for agent in options.agent:
            for ratio in options.ratio:
                with context.Pool(1) as pool:
                    try:
                        measured = pool.apply(measure, (settings(CASES[case], agent, ratio), options.iterations))
                    except InputError as error:
                        Console().print(f"{case} is left out: {error}", soft_wrap=True)
                        continue
                table.add_row(case, agent, str(ratio), *measured.cells())
        Console(width=140).print(table)


if __name__ == "__main__":
    main()

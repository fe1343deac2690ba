"""How much memory a training takes, estimated before it takes any: a process that runs out of it is killed unsaved."""

import re
from pathlib import Path

import torch

from policies.agent import QNetwork
from policies.batch import SequenceSize
from policies.neighbours import NeighbourRows
from policies.runs.config import TrainConfig
from policies.team import Team
from sim.errors import InputError

COPIES = 5
"""Of each parameter: online, target, gradient, and Adam's two moments."""
ACTIVATIONS = 12
"""Numbers of 4 bytes that an update keeps for each hidden unit, robot and step, online and target together."""


def require_memory(config: TrainConfig, team: Team, rows: NeighbourRows | None = None) -> None:
    """Require room for replay, networks and an update.

    Raises:
        InputError: they need more than the system has free; the setting that takes most is named.
    """
    free = free_memory()
    needs = estimate_memory(config, team, rows)
    if free is None or sum(needs.values()) <= free:
        return
    largest = max(needs, key=lambda name: needs[name])
    values = {"replay": config.replay, "batch": config.batch, "agent.hidden": config.agent.hidden}
    parts = ", ".join(f"{name} {size / 2**30:,.1f}" for name, size in needs.items())
    raise InputError(
        f"{largest} is {values[largest]}, and training needs about {sum(needs.values()) / 2**30:,.1f} GiB ({parts}); "
        f"valid is what fits into the {free / 2**30:,.1f} GiB that are free"
    )


def estimate_memory(config: TrainConfig, team: Team, rows: NeighbourRows | None = None) -> dict[str, int]:
    """Return about how many bytes training takes, by the setting that decides it: replay, batch, agent.hidden."""
    hidden = config.agent.hidden
    with torch.device("meta"):  # parameters with sizes and without memory
        network = QNetwork(team.features, team.n_actions, config.agent, rows)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    sets = 1 if config.agent.shared else len(team.agents)
    size = team.sequence_size(config.rollout.sequence, hidden if config.agent.kind == "gru" else 0)
    units = config.batch * (size.steps + 1) * size.n_agents * hidden
    return {
        "replay": config.replay * bytes_of(size),
        "batch": config.batch * bytes_of(size) + 4 * ACTIVATIONS * units,
        "agent.hidden": 4 * COPIES * sets * parameters,
    }


def bytes_of(size: SequenceSize) -> int:
    """Return the bytes of one sequence."""
    return sum(array.nbytes for array in size.zeros(1).values())


def free_memory() -> int | None:
    """Return the bytes that the system can give without swapping; None where it doesn't tell."""
    try:
        told = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(told[1]) * 1024 if told else None

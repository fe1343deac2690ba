"""Experience to learn from: random, or a single step that can be followed by hand."""

import torch
from torch import Tensor

from policies.batch import Batch

AGENTS, FEATURES, STATE, ACTIONS, STEPS = 3, 6, 5, 4, 7


def make_batch(seed: int, hidden_size: int = 0, size: int = 8) -> Batch:
    """Random sequences of random true lengths; about a third end for good."""
    g = torch.Generator().manual_seed(seed)
    length = torch.randint(1, STEPS + 1, (size, 1), generator=g)
    mask = torch.rand(size, STEPS + 1, AGENTS, ACTIONS, generator=g) < 0.7
    mask[..., 0] = True
    return Batch(
        observation=torch.randn(size, STEPS + 1, AGENTS, FEATURES, generator=g),
        state=torch.randn(size, STEPS + 1, STATE, generator=g),
        action_mask=mask,
        action=torch.randint(ACTIONS, (size, STEPS, AGENTS), generator=g),
        reward=torch.randn(size, STEPS, generator=g),
        terminated=(torch.arange(STEPS) == length - 1) & (torch.rand(size, 1, generator=g) < 0.3),
        valid=torch.arange(STEPS) < length,
        hidden=torch.randn(size, AGENTS, hidden_size, generator=g),
        present=torch.ones(size, AGENTS, dtype=torch.bool),
    )


def one_step(mask: Tensor, terminated: bool = False) -> Batch:
    """Two robots take actions 0 and 1 and get the reward 4; `mask` [agents, actions] holds after that."""
    return Batch(
        observation=torch.zeros(1, 2, 2, 1),
        state=torch.zeros(1, 2, 1),
        action_mask=torch.stack((torch.ones(2, 3).bool(), mask)).unsqueeze(0),
        action=torch.tensor([[[0, 1]]]),
        reward=torch.tensor([[4.0]]),
        terminated=torch.tensor([[terminated]]),
        valid=torch.tensor([[True]]),
        hidden=torch.zeros(1, 2, 0),
        present=torch.ones(1, 2, dtype=torch.bool),
    )

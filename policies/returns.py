"""What a sequence of rewards adds up to, seen from each of its steps."""

import torch
from torch import Tensor


def lambda_returns(
    reward: Tensor, next_value: Tensor, terminated: Tensor, valid: Tensor, gamma: float, trace_decay: float
) -> Tensor:
    """Blend the returns over 1, 2, ... steps, weighted by powers of lambda: Peng's Q(lambda) (Peng and Williams 1996).

    Args:
        reward: [batch, time].
        next_value: [batch, time, values], the value of the state that step t leads to.
        terminated: [batch, time] bool; nothing is worth anything after it.
        valid: [batch, time] bool; the last valid step bootstraps from next_value alone.
        gamma: discount, 0 to 1.
        trace_decay: lambda, 0 to 1.

    Returns:
        [batch, time, values]; what stands at invalid steps has no meaning.
    """
    # G_t = r_t + gamma (1 - done_t) [(1 - lambda_t) V_t+1 + lambda_t G_t+1]; lambda_t = 0 where step t+1 is missing.
    discount = (gamma * ~terminated).unsqueeze(-1)
    follows = torch.cat((valid[:, 1:], torch.zeros_like(valid[:, :1])), 1)
    trace = (trace_decay * follows).unsqueeze(-1)
    base = reward.unsqueeze(-1) + discount * (1 - trace) * next_value
    decay = discount * trace
    returns = [base[:, -1]]
    for step in range(base.shape[1] - 2, -1, -1):
        returns.append(torch.addcmul(base[:, step], decay[:, step], returns[-1]))
    return torch.stack(returns[::-1], 1)


def discounted_sums(reward: Tensor, valid: Tensor, gamma: float) -> Tensor:
    """Sum the rewards from each step to the end of its sequence, each step discounted by gamma.

    Args:
        reward: [batch, time].
        valid: [batch, time] bool; invalid steps count as 0.
        gamma: discount, 0 to 1.

    Returns:
        [batch, time]; what stands at invalid steps has no meaning.
    """
    sums = [torch.zeros_like(reward[:, 0])]
    for step in range(reward.shape[1] - 1, -1, -1):
        sums.append(reward[:, step] * valid[:, step] + gamma * sums[-1])
    return torch.stack(sums[:0:-1], 1)

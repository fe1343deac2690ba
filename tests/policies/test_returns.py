"""What rewards add up to is what the formulas say, worked by hand and as the mean that defines it."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.returns import discounted_sums, lambda_returns
from tests.policies.batches import STEPS, make_batch


def test_lambda_returns_by_hand() -> None:
    # gamma = lambda = 1/2, rewards 1 2 3 9, next values 10 20 30 99.
    # Row 0 is truncated by a time limit after its third step, so that one bootstraps:
    #   G2 = 3 + 30/2 = 18;  G1 = 2 + (20/2 + 18/2)/2 = 11.5;  G0 = 1 + (10/2 + 11.5/2)/2 = 6.375.
    # Row 1 ends for good with its second step:  G1 = 2;  G0 = 1 + (10/2 + 2/2)/2 = 4.
    # Row 2 goes on behind the sequence:  G3 = 9 + 99/2 = 58.5;  G2 = 3 + (30/2 + 58.5/2)/2 = 25.125;
    #   G1 = 2 + (20/2 + 25.125/2)/2 = 13.28125;  G0 = 1 + (10/2 + 13.28125/2)/2 = 6.8203125.
    reward = torch.tensor([[1.0, 2.0, 3.0, 9.0]]).expand(3, 4)
    next_value = torch.tensor([[10.0, 20.0, 30.0, 99.0]]).expand(3, 4).unsqueeze(-1)
    terminated = torch.tensor([[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]).bool()
    valid = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]]).bool()
    returns = lambda_returns(reward, next_value, terminated, valid, gamma=0.5, trace_decay=0.5).squeeze(-1)
    assert returns[0, :3].tolist() == [6.375, 11.5, 18.0]
    assert returns[1, :2].tolist() == [4.0, 2.0]
    assert returns[2].tolist() == [6.8203125, 13.28125, 25.125, 58.5]


@settings(deadline=None)
@given(seed=st.integers(0, 10**6), gamma=st.floats(0, 1), trace_decay=st.floats(0, 1))
def test_lambda_returns_are_the_weighted_mean_of_n_step_returns(seed: int, gamma: float, trace_decay: float) -> None:
    batch, value = make_batch(seed, size=4), torch.randn(4, STEPS, 2, generator=torch.Generator().manual_seed(seed))
    returns = lambda_returns(batch.reward, value, batch.terminated, batch.valid, gamma, trace_decay)
    for b in range(4):
        end = int(batch.valid[b].sum())
        for t in range(end):
            # G = (1 - lambda) sum_n lambda^(n-1) G^(n) + lambda^(N-1) G^(N), N the steps that are left.
            n_step, total = [], torch.zeros(2)
            for n, k in enumerate(range(t, end)):
                total = total + gamma**n * batch.reward[b, k]
                n_step.append(total + gamma ** (n + 1) * value[b, k] * (not batch.terminated[b, k]))
            weights = [(1 - trace_decay) * trace_decay**n for n in range(len(n_step))]
            weights[-1] = trace_decay ** (len(n_step) - 1)
            expected = torch.stack([w * g for w, g in zip(weights, n_step, strict=True)]).sum(0)
            torch.testing.assert_close(returns[b, t], expected, atol=1e-4, rtol=1e-4)


def test_discounted_sums_by_hand() -> None:
    # gamma 1/2. 1 2 4: 1 + 2/2 + 4/4 = 3, 2 + 4/2 = 4, 4. The second sequence ends with its second step.
    reward = torch.tensor([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]])
    valid = torch.tensor([[True, True, True], [True, True, False]])
    assert discounted_sums(reward, valid, 0.5)[:, :2].tolist() == [[3.0, 4.0], [2.0, 2.0]]
    assert discounted_sums(reward, valid, 0.5)[0, 2] == 4.0

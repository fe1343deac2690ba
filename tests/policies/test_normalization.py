"""Running statistics are those of all rows at once, whatever came in which piece."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from policies.normalization import RunningMoments


def test_moments_by_hand() -> None:
    # 1 3 5 and then 7: mean 4, squared distances 9 + 1 + 1 + 9 = 20, variance 5. The second feature never changes.
    moments = RunningMoments(2)
    moments.add(torch.tensor([[1.0, 0.1], [3.0, 0.1], [5.0, 0.1]]))
    moments.add(torch.tensor([[7.0, 0.1]]))
    assert [float(x) for x in (moments.count, moments.mean[0], moments.squares[0])] == [4.0, 4.0, 20.0]
    assert moments.scale().tolist() == [pytest.approx(5**0.5), 1.0]


def test_a_rare_outlier_lies_ten_scales_out() -> None:
    # 999 zeros and a 1: mean 0.001, deviation about 0.032; so 1 would lie 32 deviations out.
    moments = RunningMoments(1)
    moments.add((torch.arange(1000) == 7).float().unsqueeze(-1))
    assert moments.scale().item() == pytest.approx(0.0999)


def test_nothing_seen_scales_nothing() -> None:
    moments = RunningMoments(3)
    moments.add(torch.zeros(0, 3))
    assert moments.scale().tolist() == [1.0, 1.0, 1.0]
    assert moments.count == 0


@given(seed=st.integers(0, 10**6), cut=st.integers(1, 29), offset=st.sampled_from([0.0, 1e3]))
def test_pieces_are_the_whole(seed: int, cut: int, offset: float) -> None:
    rows = torch.randn(30, 2, generator=torch.Generator().manual_seed(seed)) + offset
    moments = RunningMoments(2)
    for piece in (rows[:cut], rows[cut:]):
        moments.add(piece)
    whole = rows.double()
    torch.testing.assert_close(moments.mean, whole.mean(0))
    torch.testing.assert_close(moments.squares, (whole - whole.mean(0)).square().sum(0))
    assert torch.equal(moments.lowest, whole.amin(0))
    assert torch.equal(moments.highest, whole.amax(0))

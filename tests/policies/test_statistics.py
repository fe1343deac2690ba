"""Robust means and their intervals, held against arithmetic by hand and against what intervals promise."""

import numpy as np
import pytest

from policies.statistics import estimate, interquartile_mean, mean, probability_of_improvement


def test_an_interquartile_mean_leaves_out_a_quarter_at_either_end() -> None:
    # 8 scores: the 2 lowest and the 2 highest go; (3 + 4 + 5 + 6) / 4.
    assert interquartile_mean(np.array([6.0, 1, -900, 4, 3, 5, 700, 8])) == 4.5
    assert interquartile_mean(np.array([0.0, 1, 2, 3, 90])) == 2.0  # 5 scores: one at either end
    assert interquartile_mean(np.array([1.0, 2, 9])) == 4.0  # too few to leave any out
    assert interquartile_mean(np.array([[0.0, 1, 2, 3, 90], [5, 5, 5, 5, 5]])).tolist() == [2.0, 5.0]


def test_a_single_score_has_no_interval() -> None:
    alone = estimate(np.array([3.0]), mean)
    assert (alone.value, str(alone)) == (3.0, "3")
    assert np.isnan([alone.low, alone.high]).all()


@pytest.mark.parametrize("statistic", [mean, interquartile_mean])
def test_intervals_cover_the_truth_about_as_often_as_they_say(statistic: object) -> None:
    """A percentile bootstrap of 20 scores is a little too narrow: between 0.88 and 0.97 of 300, by three deviations."""
    random = np.random.default_rng(1)
    estimates = [estimate(random.normal(5.0, 2.0, 20), statistic, resamples=400) for _ in range(300)]  # type: ignore[arg-type]
    covered = np.mean([each.low <= 5.0 <= each.high for each in estimates])
    assert 0.87 < covered < 0.98


def test_one_beats_another_as_often_as_pairs_say() -> None:
    # Of 6 pairs 3 > 1, 3 > 2, 2 > 1 and 1 < 2 ...: (3 > 1), (3 > 2), (2 > 1) count 1, (2 = 2), (1 = 1) a half: 4 / 6.
    ours, theirs = np.array([3.0, 2.0, 1.0]), np.array([1.0, 2.0])
    assert probability_of_improvement(ours, theirs).value == pytest.approx(4 / 6)
    assert probability_of_improvement(theirs, ours).value == pytest.approx(2 / 6)
    surely = probability_of_improvement(ours + 10, theirs)
    assert (surely.value, surely.low, surely.high) == (1.0, 1.0, 1.0)


def test_the_same_scores_have_the_same_interval() -> None:
    scores = np.array([1.0, 4.0, 2.0, 8.0])
    assert estimate(scores, mean) == estimate(scores, mean)
    assert str(estimate(np.full(4, 2.5), mean)) == "2.5 [2.5, 2.5]"

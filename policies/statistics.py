"""What several training seeds say together: robust means with intervals, and how surely one beats another.

Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice", 2021. The authors' `rliable`
does the same; it brings pandas, seaborn and statsmodels along for what are a few lines of numpy and scipy.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
RESAMPLES = 10_000
"""Bootstrap samples of an interval."""
_CUT = 0.25
"""Share of the scores that an interquartile mean leaves out at either end."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95% bootstrap interval, which is nan for a single score."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]" if self.low == self.low else f"{self.value:.4g}"


def interquartile_mean(scores: Scores) -> Scores:
    """Return the mean [...] of the middle half of the scores [..., n]; with fewer than 4, of all."""
    from scipy.stats import trim_mean  # half a second to import, needed only here

    return np.asarray(trim_mean(scores, _CUT, axis=-1), np.float64)


def mean(scores: Scores) -> Scores:
    """Return the mean [...] of the scores [..., n]."""
    return np.asarray(scores.mean(-1), np.float64)


def estimate(scores: Scores, statistic: Callable[[Scores], Scores], resamples: int = RESAMPLES) -> Estimate:
    """Return a statistic of the scores [n] with the interval that their resampling gives.

    Args:
        scores: one a training seed.
        statistic: [...] of scores [..., n].
        resamples: how often.
    """
    drawn = statistic(scores[_resample(len(scores), resamples, seed=0)])
    return _estimate(float(statistic(scores)), drawn, len(scores))


def probability_of_improvement(ours: Scores, theirs: Scores) -> Estimate:
    """Return how probably a run of ours [n] beats one of theirs [m]; a tie counts half."""
    one = _resample(len(ours), RESAMPLES, seed=0)
    other = _resample(len(theirs), RESAMPLES, seed=1)
    return _estimate(float(_beats(ours, theirs)), _beats(ours[one], theirs[other]), min(len(ours), len(theirs)))


def _beats(ours: Scores, theirs: Scores) -> Scores:
    # P(X > Y) = 1 / (n m) sum_ij [x_i > y_j] + [x_i = y_j] / 2, the Mann-Whitney statistic.
    x, y = ours[..., :, None], theirs[..., None, :]
    return np.asarray(((x > y) + 0.5 * (x == y)).mean((-2, -1)), np.float64)


def _resample(count: int, resamples: int, seed: int) -> NDArray[np.int64]:
    """Draw which of `count` scores each of the resamples takes [resamples, count]."""
    return np.random.default_rng(seed).integers(count, size=(resamples, count))


def _estimate(value: float, drawn: Scores, count: int) -> Estimate:
    low, high = np.quantile(drawn, (0.025, 0.975)).tolist() if count > 1 else (float("nan"),) * 2
    return Estimate(value, low, high)

"""Running statistics: what observations, states and rewards are scaled by where nobody has said how large they get."""

import torch
from torch import Tensor

OUTLIER = 10.0
"""No value that was seen lies farther from the mean than this many scales: a flag that is rarely up stays one feature
among others."""


class RunningMoments:
    """Mean, variance and range of every feature over all rows so far; the rows themselves are not kept.

    Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.

    Args:
        features: length of a row.
    """

    def __init__(self, features: int) -> None:
        self.count = torch.zeros((), dtype=torch.float64)
        self.mean = torch.zeros(features, dtype=torch.float64)
        self.squares = torch.zeros(features, dtype=torch.float64)
        """Sum of the squared distances from the mean."""
        self.lowest = torch.full((features,), torch.inf, dtype=torch.float64)
        self.highest = torch.full((features,), -torch.inf, dtype=torch.float64)

    def add(self, rows: Tensor) -> None:
        """Take in rows [rows, features], any number of them."""
        if not len(rows):
            return
        rows = rows.double()
        mean, total = rows.mean(0), self.count + len(rows)
        # M = M_a + M_b + (m_b - m_a)^2 n_a n_b / n;  m = m_a + (m_b - m_a) n_b / n.
        apart = mean - self.mean
        self.squares += (rows - mean).square().sum(0) + apart.square() * (self.count * len(rows) / total)
        self.mean += apart * (len(rows) / total)
        self.count.copy_(total)
        torch.minimum(self.lowest, rows.amin(0), out=self.lowest)
        torch.maximum(self.highest, rows.amax(0), out=self.highest)

    def scale(self) -> Tensor:
        """Return what to divide by, [features] float64 above 0: the standard deviation, more where outliers are far.

        It is 1 for a feature that never changed, and before the first row.
        """
        deviation = (self.squares / self.count.clamp(min=1)).sqrt()
        reach = torch.maximum(self.highest - self.mean, self.mean - self.lowest) / OUTLIER
        scale = torch.maximum(deviation, reach)
        # A mean of many equal values differs from them by rounding.
        return torch.where(scale > 1e-6 * (1 + self.mean.abs()), scale, 1.0)

    def tensors(self) -> dict[str, Tensor]:
        """Return the live tensors by name."""
        return {name: getattr(self, name) for name in ("count", "mean", "squares", "lowest", "highest")}

"""What a network makes of the neighbours that a robot observes: the same for any order and any number of them."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

HEADS = 4
"""Ways of attending to the neighbours, each with an equal share of the width."""


@dataclass(frozen=True)
class NeighbourRows:
    """Where an observation holds a robot's neighbours: rows whose first element is 1 where there is one, else 0."""

    start: int
    """Index of the first row's first element."""
    count: int
    """Number of rows."""
    width: int
    """Length of a row."""


class NeighbourEncoder(nn.Module):
    """Attention of a robot over its neighbours, beside the rest of what it observes.

    Vaswani et al., "Attention Is All You Need", 2017, with one query, from the robot's own features, and a place of
    score 0 that is worth nothing: it takes the attention that no neighbour deserves, all of it where there is none. No
    parameter belongs to a row, so parameters serve observations of any number of rows.

    Args:
        features: length of an observation.
        rows: where in it the neighbours are.
        width: of what stands for them, a multiple of `HEADS`.

    Raises:
        ValueError: the rows don't fit into the observation with anything beside them, or the width is no such multiple.
    """

    def __init__(self, features: int, rows: NeighbourRows, width: int) -> None:
        super().__init__()
        own = features - rows.count * rows.width
        if rows.width < 1 or rows.start < 0 or rows.count < 0 or own < max(1, rows.start) or width % HEADS:
            raise ValueError(
                f"neighbours are {rows.count} rows of {rows.width} from {rows.start} of {features} features, encoded "
                f"in {width}; valid are rows within them, beside other features, and a multiple of {HEADS}"
            )
        self.rows, self.outputs = rows, own + width
        self.row = nn.Sequential(nn.Linear(rows.width, width), nn.LayerNorm(width), nn.ReLU())
        self.query = nn.Linear(own, width)
        self.key = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features beside the neighbours, and what stands for these, [..., outputs] from [..., features]."""
        start, count, width = self.rows.start, self.rows.count, self.rows.width
        own = torch.cat((x[..., :start], x[..., start + count * width :]), -1)
        rows = x[..., start : start + count * width].unflatten(-1, (count, width))
        values = self.row(rows).unflatten(-1, (HEADS, -1))
        # s_j = q . k_j / sqrt(d) for each head; softmax over the neighbours and the empty place, whose score is 0.
        keys, query = (
            self.key(values.flatten(-2)).unflatten(-1, (HEADS, -1)),
            self.query(own).unflatten(-1, (HEADS, -1)),
        )
        scores = (keys * query.unsqueeze(-3)).sum(-1) / math.sqrt(values.shape[-1])
        scores = torch.where(rows[..., :1] > 0.5, scores, -torch.inf)
        scores = torch.cat((scores, torch.zeros_like(query[..., 0]).unsqueeze(-2)), -2)
        weights = functional.softmax(scores, -2)[..., :-1, :]
        return torch.cat((own, (weights.unsqueeze(-1) * values).sum(-3).flatten(-2)), -1)

"""Validates observations against the schema before inference: what doesn't fit is refused by name."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError
from sim.vector_spec import VectorSpec

SLOP = 1e-5
"""How far outside its range a value may lie, as a share of its largest magnitude: what rounding explains."""
Observation = NDArray[np.float32] | Mapping[str, Any]
"""The flat vector [size], or every field by its name; SI units."""


class ObservationCheck:
    """The check of one schema. Three numpy calls when all is well; else the culprit is sought."""

    def __init__(self, spec: VectorSpec) -> None:
        self._spec = spec
        largest = float(np.finfo(np.float32).max)  # stands for a missing bound, so that infinity is out of range too
        scale = np.maximum(np.abs(spec.low), np.abs(spec.high))
        slop = np.where(np.isfinite(scale), SLOP * scale, 0.0)
        self.low = np.maximum(spec.low - slop, -largest).astype(np.float32)
        self.high = np.minimum(spec.high + slop, largest).astype(np.float32)
        self._shape = (spec.size,)
        self._inside = np.empty((2, spec.size), np.bool_)

    def example(self) -> NDArray[np.float32]:
        """Return an observation that fits: each value as near to zero as its range allows [size]."""
        return np.clip(np.zeros(self._shape, np.float32), self.low, self.high)

    def validate(self, observation: Observation) -> NDArray[np.float32]:
        """Return the observation as a flat vector [size].

        Raises:
            InputError: it doesn't fit the schema; names field and element.
        """
        vector = observation if isinstance(observation, np.ndarray) else self._pack(observation)
        if vector.dtype != np.float32 or vector.shape != self._shape:
            raise InputError(
                f"observation is {vector.dtype} {list(vector.shape)}; valid is float32 {list(self._shape)}, "
                f"the fields {', '.join(f.name for f in self._spec.fields)}"
            )
        inside = self._inside
        np.greater_equal(vector, self.low, inside[0])
        np.less_equal(vector, self.high, inside[1])
        if np.count_nonzero(inside) != inside.size:  # a NaN compares as false
            self._refuse(vector)
        return vector

    def _refuse(self, vector: NDArray[np.float32]) -> None:
        index = int(np.argmin(self._inside.all(axis=0)))
        spec = self._spec
        unit = next(f.unit for f in reversed(spec.fields) if spec.offsets[f.name] <= index)
        low, high = float(str(spec.low[index])), float(str(spec.high[index]))  # the shortest form of a float32
        unit = "" if unit == "1" else f" {unit}"
        raise InputError(f"{spec.element(index)} is {vector[index]}; valid is {low} to {high}{unit}")

    def _pack(self, values: Mapping[str, Any]) -> NDArray[np.float32]:
        spec = self._spec
        if not isinstance(values, Mapping) or set(values) != set(spec.offsets):
            found = ", ".join(map(str, values)) if isinstance(values, Mapping) else type(values).__name__
            raise InputError(f"observation has the fields {found}; valid are exactly {', '.join(spec.offsets)}")
        vector = np.empty(spec.size, np.float32)
        for f in spec.fields:
            try:
                value = np.asarray(values[f.name])
            except ValueError as error:
                raise InputError(f"{f.name} is no array ({error}); valid are numbers {list(f.shape)}") from error
            if value.dtype.kind not in "fiub" or value.shape not in (f.shape, () if f.shape == (1,) else f.shape):
                raise InputError(
                    f"{f.name} is {value.dtype} {list(value.shape)}; valid are numbers {list(f.shape)} in {f.unit}"
                )
            with np.errstate(over="ignore"):  # what float32 can't hold becomes infinite, and is refused as such
                vector[spec.slice(f.name)] = value.ravel()
        return vector


def validate_mask(mask: NDArray[np.bool_], actions: int) -> NDArray[np.bool_]:
    """Return an action mask as a batch of one [1, actions].

    Raises:
        InputError: it is not bool [actions], or allows none.
    """
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (actions,):
        found = f"{mask.dtype} {list(mask.shape)}" if isinstance(mask, np.ndarray) else type(mask).__name__
        raise InputError(f"action_mask is {found}; valid is bool {[actions]}")
    if not mask.any():
        raise InputError("action_mask allows no maneuver; valid is at least one")
    return mask.reshape(1, -1)

"""The gate before a robot's network: an observation that fits its schema passes, anything else is refused by name."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError
from sim.observation import VectorSpec

SLOP = 1e-5
"""How far outside its range a value may lie, as a share of its largest magnitude: what rounding explains."""
Observation = NDArray[np.float32] | Mapping[str, Any]
"""The flat vector [size], or every field by its name; SI units."""


class ObservationGuard:
    """Lets an observation pass that fits the schema. Three numpy calls when all is well; else the culprit is sought."""

    def __init__(self, spec: VectorSpec) -> None:
        self._spec = spec
        largest = float(np.finfo(np.float32).max)  # stands for a missing bound, so that infinity is out of range too
        scale = np.maximum(np.abs(spec.low), np.abs(spec.high))
        slop = np.where(np.isfinite(scale), SLOP * scale, 0.0)
        self.low = np.maximum(spec.low - slop, -largest).astype(np.float32)
        self.high = np.minimum(spec.high + slop, largest).astype(np.float32)
        self._shape = (spec.size,)
        self._inside = np.empty((2, spec.size), np.bool_)

    def check(self, observation: Observation) -> NDArray[np.float32]:
        """The observation as a flat vector [size]; raises InputError, naming field and element, if unfit."""
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

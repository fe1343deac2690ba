"""What the elements of a flat vector mean: named fields with shapes, units and ranges, which files carry as JSON."""

import json
import math
import operator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError


@dataclass(frozen=True)
class Field:
    """A named part of a flat vector."""

    name: str
    shape: tuple[int, ...]
    unit: str
    low: tuple[float, ...]
    """Smallest value of each element, in the order of the flat vector."""
    high: tuple[float, ...]
    """Largest value of each element."""
    meaning: str

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class VectorSpec:
    """The fields of a flat float32 vector, in their order."""

    fields: tuple[Field, ...]

    @cached_property
    def offsets(self) -> dict[str, int]:
        """Where each field starts."""
        starts = np.cumsum([0, *(f.size for f in self.fields)])
        return {f.name: int(start) for f, start in zip(self.fields, starts, strict=False)}

    @property
    def size(self) -> int:
        """Length of the flat vector."""
        return sum(f.size for f in self.fields)

    @cached_property
    def low(self) -> NDArray[np.float32]:
        """Smallest values [size]."""
        return np.array([value for f in self.fields for value in f.low], np.float32)

    @cached_property
    def high(self) -> NDArray[np.float32]:
        """Largest values [size]."""
        return np.array([value for f in self.fields for value in f.high], np.float32)

    @cached_property
    def scale(self) -> NDArray[np.float32]:
        """Largest magnitudes [size]: a vector divided by them lies within -1 and 1."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    def slice(self, name: str) -> slice:
        """Return where a field lies in the flat vector."""
        start = self.offsets[name]
        return slice(start, start + next(f.size for f in self.fields if f.name == name))

    def element(self, index: int) -> str:
        """Return the name of one element of the flat vector, such as `lidar[3]`."""
        name = next(f.name for f in reversed(self.fields) if self.offsets[f.name] <= index)
        return f"{name}[{index - self.offsets[name]}]"

    def unpack(self, vector: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return views of the fields of a vector [..., size], each [..., *shape]."""
        return {f.name: vector[..., self.slice(f.name)].reshape(*vector.shape[:-1], *f.shape) for f in self.fields}

    def to_json(self) -> list[dict[str, Any]]:
        """Return the fields as plain values, each with its offset."""
        return [{**asdict(f), "offset": self.offsets[f.name]} for f in self.fields]

    @classmethod
    def from_json(cls, values: list[dict[str, Any]], source: str) -> "VectorSpec":
        """Read what `to_json` wrote; `source` names its origin.

        Raises:
            InputError: a field is incomplete, a range is not one, or an offset does not follow from the shapes.
        """
        try:
            spec = cls(tuple(_read_field(value) for value in values))
            offsets = {value["name"]: value["offset"] for value in values}
        except (TypeError, KeyError, AttributeError, ValueError) as error:
            raise InputError(
                f"{source}: the observation schema is not readable ({error!r}); valid is a list of fields, each with "
                "name, shape, unit, low, high, meaning and offset"
            ) from error
        for f in spec.fields:
            if not f.size == len(f.low) == len(f.high):
                raise InputError(
                    f"{source}: field {f.name} has shape {f.shape}, but {len(f.low)} low and {len(f.high)} high "
                    f"values; valid are {f.size} of each"
                )
            if not all(low <= high for low, high in zip(f.low, f.high, strict=True)):
                raise InputError(f"{source}: field {f.name} has a low value above its high one; valid is low <= high")
        if spec.offsets != offsets or len(offsets) != len(spec.fields):
            raise InputError(
                f"{source}: the observation offsets are {json.dumps(offsets)}; the shapes give {spec.offsets}"
            )
        return spec


def _read_field(value: dict[str, Any]) -> Field:
    arguments: dict[str, Any] = {key: given for key, given in value.items() if key != "offset"}
    arguments["shape"] = tuple(operator.index(length) for length in value["shape"])
    for key in ("low", "high"):
        arguments[key] = tuple(float(limit) for limit in value[key])
    return Field(**arguments)

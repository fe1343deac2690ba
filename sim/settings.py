"""The one reader of settings: frozen dataclasses from the plain values that `dataclasses.asdict` makes of them."""

from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, TypeVar, get_type_hints

from sim.errors import InputError, require

Settings = TypeVar("Settings")


def read_settings(kind: type[Settings], values: object, source: str) -> Settings:
    """Return the settings that `values` hold, nested ones too; what is left out keeps its default.

    Args:
        kind: the dataclass.
        values: a mapping by the names of its fields.
        source: where the values came from, for messages.

    Raises:
        InputError: a name is unknown or a value is not valid.
    """
    known: dict[str, Any] = get_type_hints(kind)
    if not isinstance(values, Mapping):
        raise InputError(f"{source}: the settings are {values!r}; valid is a mapping of {', '.join(known)}")
    given = {}
    for name, value in values.items():
        require(name in known, f"{source}: setting", name, ", ".join(known))
        nested = known[name]
        is_nested = isinstance(nested, type) and is_dataclass(nested)
        given[name] = read_settings(nested, value, f"{source}, {name}") if is_nested else value
    try:
        return kind(**given)
    except (TypeError, ValueError) as error:
        raise InputError(f"{source}: {error}") from error

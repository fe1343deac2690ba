"""The one error that a user can cause, so that the command line can tell it from a bug."""


class InputError(ValueError):
    """A value from outside is not valid; the message is one line that names it, its origin and what would be valid."""


def require(condition: bool, name: str, value: object, valid: str) -> None:
    """Raises InputError, naming the value and what would be valid, unless the condition holds."""
    if not condition:
        raise InputError(f"{name} is {value!r}; valid is {valid}")

"""The errors that the command line tells in one line, so that it can tell them from a bug."""


class InputError(ValueError):
    """A value from outside is not valid; the message is one line that names it, its origin and what would be valid."""


class RunError(RuntimeError):
    """A job failed although its input was valid; the message is what a person needs to know."""


def require(condition: bool, name: str, value: object, valid: str) -> None:
    """Raises InputError, naming the value and what would be valid, unless the condition holds."""
    if not condition:
        raise InputError(f"{name} is {value!r}; valid is {valid}")

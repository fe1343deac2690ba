"""The errors that the command line prints as one line, unlike those of a bug."""


class InputError(ValueError):
    """A value from outside that is not valid; the message is one line with the value, its origin and what is valid."""


class RunError(RuntimeError):
    """A job that failed although its input was valid; the message is what a person needs to know."""


def require(condition: bool, name: str, value: object, valid: str) -> None:
    """Raise InputError, naming the value and what would be valid, unless the condition holds."""
    if not condition:
        raise InputError(f"{name} is {value!r}; valid is {valid}")

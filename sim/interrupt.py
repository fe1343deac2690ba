"""Ctrl-C, SIGTERM and SIGHUP as a request, so that nothing stops half-way."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def handle_end(handler: Callable[[int, FrameType | None], object]) -> dict[int, Any]:
    """Install a handler of the signals that ask a program to end; return the handlers before.

    A SIGHUP that is ignored stays so: that is how nohup keeps a program alive.
    """
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return {number: signal.signal(number, handler) for number in SIGNALS if number != signal.SIGHUP or not ignored}


class Interrupt:
    """Turns the first SIGINT, SIGTERM or SIGHUP into a request; a second one raises KeyboardInterrupt.

    Args:
        on_request: called at the first one, inside the signal handler, so it must not print.
    """

    def __init__(self, on_request: Callable[[], object] = lambda: None) -> None:
        self.requested = False
        self._on_request = on_request
        self._previous: dict[int, Any] = {}

    def check(self) -> None:
        """Raise KeyboardInterrupt if there was one: called where that does no harm."""
        if self.requested:
            raise KeyboardInterrupt

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._previous = handle_end(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        self._on_request()

"""What goes wrong in a soak: lost, doubled and delayed messages, killed and paused processes, emergency stops."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Self, cast

import zenoh

from export.fleet.processes import RobotProcesses
from export.fleet.server import Fleet
from export.protocol.framing import EVERY_ROBOT
from export.protocol.stop_latch import draw_number, stop_message


@dataclass(frozen=True)
class FaultConfig:
    """How bad it gets."""

    lost: float = 0.02
    """Share of messages that are lost, in each direction."""
    doubled: float = 0.02
    """Share that come twice."""
    delayed: float = 0.02
    """Share that come 0.05 to 1 s late."""
    kill_every: float = 20.0
    """Mean time between two kills [s]."""
    pause_every: float = 10.0
    """Mean time between two pauses, of 0.2 to 3 s [s]."""
    stop_every: float = 60.0
    """Mean time between two emergency stops, of 1 to 5 s [s]."""


class MessageFaults:
    """A source of lost, doubled and delayed messages, as long as its context lasts.

    Args:
        config: how many.
        seed: of what is drawn.
        events: counts what was done to messages.
    """

    def __init__(self, config: FaultConfig, seed: int, events: Counter[str]) -> None:
        self._config, self._events = config, events
        self._random, self._lock = random.Random(seed), threading.Lock()
        self._ended, self._delivering = False, threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._delivering:  # what is under way arrives, what is not yet never does
            self._ended = True

    def session(self, session: zenoh.Session) -> zenoh.Session:
        """Return a proxy of a session all of whose publishers and subscribers meet these faults."""
        return cast(zenoh.Session, _FaultySession(session, self))

    def inject_faults(self, deliver: Callable[[Any], object]) -> Callable[[Any], None]:
        """Return what takes messages in place of `deliver`, and hands on what becomes of them."""

        def deliver_with_faults(message: Any) -> None:
            config = self._config
            with self._lock:
                drawn, delay = self._random.random(), self._random.uniform(0.05, 1.0)
                limits = (config.lost, config.lost + config.doubled, config.lost + config.doubled + config.delayed)
                kind = sum(drawn >= limit for limit in limits)
                if kind < 3:
                    self._events[("lost", "doubled", "delayed")[kind]] += 1
            if kind == 2:
                timer = threading.Timer(delay, self._deliver_late, (deliver, message))
                timer.daemon = True
                timer.start()
            for _ in range((0, 2, 0, 1)[kind]):
                deliver(message)

        return deliver_with_faults

    def _deliver_late(self, deliver: Callable[[Any], object], message: Any) -> None:
        with self._delivering:
            if not self._ended:
                deliver(message)


class _FaultyPublisher:
    """A publisher whose messages meet faults."""

    def __init__(self, publisher: zenoh.Publisher, faults: MessageFaults) -> None:
        self.put = faults.inject_faults(publisher.put)


class _FaultySession:
    """A session whose publishers and subscribers meet faults; everything else is the session's own."""

    def __init__(self, session: zenoh.Session, faults: MessageFaults) -> None:
        self._session, self._faults = session, faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def declare_publisher(self, key: str, **options: Any) -> _FaultyPublisher:
        return _FaultyPublisher(self._session.declare_publisher(key, **options), self._faults)

    def declare_subscriber(self, key: str, receive: Callable[[zenoh.Sample], object]) -> "zenoh.Subscriber[None]":
        return self._session.declare_subscriber(key, self._faults.inject_faults(receive))


class Disturbances:
    """Killed and paused processes and emergency stops, now and then, each set right some time later.

    Args:
        config: how often.
        seed: of what is drawn.
        events: counts what was done.
        spared: robots whose processes are never killed.
    """

    def __init__(self, config: FaultConfig, seed: int, events: Counter[str], spared: tuple[str, ...]) -> None:
        self._config, self._events, self._spared = config, events, spared
        self._random = random.Random(seed)
        self._later: list[tuple[float, Callable[[], object]]] = []
        self._untouchable: set[str] = set()  # paused, or just killed

    def act(self, fleet: Fleet, processes: RobotProcesses) -> None:
        """Do what is due, and perhaps something new; called once a decision period."""
        config, chance, now = self._config, self._random, time.monotonic()
        due = [undo for at, undo in self._later if at <= now]
        self._later = [(at, undo) for at, undo in self._later if at > now]
        for undo in due:
            undo()
        period, base = fleet.scene.decision_period, chance.choice(fleet.bases)
        name, free = base.name, base.name not in self._untouchable
        if chance.random() < period / config.kill_every and free and name not in self._spared:
            self._kill(name, processes, now)
        elif chance.random() < period / config.pause_every and free:
            self._pause(name, processes.running[name].pid, now)
        if chance.random() < period / config.stop_every:
            self._stop(chance.choice([EVERY_ROBOT, name]), fleet, now)

    def _kill(self, name: str, processes: RobotProcesses, now: float) -> None:
        self._events["killed"] += 1
        processes.kill(name)
        self._untouchable.add(name)
        self._later.append((now + self._random.uniform(0.5, 5.0), partial(processes.start, name)))
        self._later.append((now + 8.0, partial(self._untouchable.discard, name)))

    def _pause(self, name: str, pid: int, now: float) -> None:
        self._events["paused"] += 1
        os.kill(pid, signal.SIGSTOP)
        self._untouchable.add(name)
        end = now + self._random.uniform(0.2, 3.0)
        self._later += [(end, partial(os.kill, pid, signal.SIGCONT)), (end, partial(self._untouchable.discard, name))]

    def _stop(self, who: str, fleet: Fleet, now: float) -> None:
        self._events["stopped"] += 1
        number = draw_number()
        end = now + self._random.uniform(1.0, 5.0)
        for base in fleet.bases:
            base.latch.receive(stop_message(who, number), releases=True)
            self._later.append((end, partial(base.latch.receive, stop_message(who, number, release=True), True)))

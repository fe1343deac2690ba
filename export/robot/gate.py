"""The only writer of (v, w): whatever a robot's process computes, its base receives through this gate.

One thread uses it, so that nothing is sent between its last check and its sending.
"""

import itertools
import math
import secrets
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from export.protocol.framing import Header
from export.protocol.messages import Command, Mode, Reason, Sensors, Wire
from export.protocol.stop_latch import StopLatch
from export.robot.pilot import Decision, RefusedError
from sim.scene import RobotConfig

_ROUNDING = 1e-3
"""By which share of the largest change a command may exceed it: sensors are rounded to float32."""


class Gate:
    """The check of every command: those that the robot can follow pass, a stop is sent in place of all others.

    Args:
        wire: writes the messages.
        robot: who sends them, from `export.protocol.messages.address`.
        config: the robot's limits.
        control_period: time between two commands [s].
        latch: the emergency stop.
        transmit: publishes a message.
        now: the monotonic clock [ns].
    """

    def __init__(
        self,
        wire: Wire,
        robot: int,
        config: RobotConfig,
        control_period: float,
        latch: StopLatch,
        transmit: Callable[[bytes], None],
        now: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wire, self._robot, self._config, self._latch, self._transmit = wire, robot, config, latch, transmit
        self._now = now
        self._changes = (
            config.max_acceleration * control_period * (1 + _ROUNDING),
            config.max_turn_acceleration * control_period * (1 + _ROUNDING),
        )
        self.begin_session()
        self._answered = Header(0, 0, 0)
        self.reason = Reason.NO_SENSORS
        """Why the last command was a stop; NONE if it was none."""
        self.command = (0.0, 0.0)
        """The last command: v [m/s], w [rad/s]."""
        self.sent = 0
        """Commands that passed."""
        self.stops: Counter[str] = Counter()
        """Stops by reason."""

    def begin_session(self) -> None:
        """Begin a session: as a new process, which its base has not heard of yet."""
        self.session = secrets.randbits(64)
        """Tells this process from any other that commands the same robot."""
        self._sequence = itertools.count()

    def send(self, sensors: Sensors, decision: Decision, fresh_until: int) -> None:
        """Send a command, its change limited to what the robot can do in a period.

        Args:
            sensors: what it was computed from.
            decision: the command.
            fresh_until: when the sensors will be too old, by the monotonic clock [ns].

        Raises:
            RefusedError: it is not finite, beyond the robot's limits, too late, or an emergency stop holds; nothing was
                sent.
        """
        config, wanted = self._config, (decision.speed, decision.turn_rate)
        largest = (config.max_speed, config.max_turn_rate)
        for name, value, limit in zip(("v", "w"), wanted, largest, strict=True):
            if not math.isfinite(value) or abs(value) > limit * (1 + 1e-6):
                raise RefusedError(Reason.BAD_COMMAND, f"the command {name} is {value}; valid is -{limit} to {limit}")
        v, w = (
            min(max(value, now - change), now + change)
            for value, now, change in zip(
                wanted,
                (min(max(n, -limit), limit) for n, limit in zip(sensors.velocity, largest, strict=True)),
                self._changes,
                strict=True,
            )
        )
        if self._now() > fresh_until:
            raise RefusedError(Reason.STALE_SENSORS, "the sensors became too old while the command was computed")
        self.require_released()
        self._answered = sensors.header
        self._publish(v, w, decision.broadcast, Mode.DRIVE, Reason.NONE, decision.maneuver)
        self.sent += 1

    def require_released(self) -> None:
        """Let nobody drive while an emergency stop holds.

        Raises:
            RefusedError: names the stop.
        """
        if holding := self._latch.holding:
            raise RefusedError(Reason.EMERGENCY_STOP, f"stop {holding[0]:016x} holds")

    def stop(self, reason: Reason, answers: Header | None = None) -> None:
        """Tell the base to stop, and the other robots nothing.

        Args:
            reason: why.
            answers: the sensors that led to it, by default the last ones.
        """
        self._answered = answers or self._answered
        self._publish(0.0, 0.0, None, Mode.STOP, reason, 0)
        self.stops[reason.name.lower()] += 1

    def _publish(
        self, v: float, w: float, broadcast: NDArray[np.float64] | None, mode: Mode, reason: Reason, maneuver: int
    ) -> None:
        header = Header(self.session, next(self._sequence), self._now())
        command = Command(header, self._answered, v, w, broadcast, mode, reason, maneuver, self._latch.tell())
        self.command = v, w
        self._transmit(self._wire.pack_command(self._robot, command))
        self.reason = reason

"""The loop of one robot: its own sensors in, its own (v, w) out, and a stop whenever something is not right.

The transport's callbacks only store what arrives. One thread, here, is woken by new sensors or by the clock and is the
only one that uses the gate. The networks run in a second thread, so that one that hangs can't keep the first from
saying stop.
"""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as OverrunError

from export.protocol.messages import Reason, Sensors
from export.protocol.stop_latch import StopLatch
from export.robot.gate import Gate
from export.robot.inbox import Received, SensorInbox
from export.robot.pilot import Decision, Pilot, RefusedError

Report = Callable[[Reason, str], None]
_LATENCIES = 1_000
_NOT_OBEYED = 3
"""Sensors in a row by which the base obeys another process, after which this one goes on in a new session."""
_ALONE = 500_000_000
"""Time without sensors after which a process goes on in a new session, again and again [ns]."""


class RobotLoop:
    """The loop that answers every sensor message with one command, and the lack of sensors with stops.

    Args:
        pilot: computes commands.
        inbox: where sensors arrive.
        latch: the emergency stop.
        gate: where commands go.
        control_period: time in which a command must be computed [s].
        timed: whether the clock counts; not in lock-step, where the base waits for every command.
        report: told of every stop, with what led to it.
        log: told when the base obeys another process, or this one again.
        now: the monotonic clock [ns].
        worker: where the pilot computes; by default a thread of its own.
        answered: told after each answer, such as a recording.
    """

    def __init__(
        self,
        pilot: Pilot,
        inbox: SensorInbox,
        latch: StopLatch,
        gate: Gate,
        control_period: float,
        timed: bool,
        report: Report,
        log: Callable[[str], None],
        now: Callable[[], int] = time.monotonic_ns,
        worker: Executor | None = None,
        answered: Callable[[Sensors], None] = lambda sensors: None,
    ) -> None:
        self._pilot, self._inbox, self._latch, self._gate, self._report = pilot, inbox, latch, gate, report
        self._answered = answered
        self._log, self._obeyed, self._not_obeyed = log, True, 0
        self._period, self._timed, self._now = control_period, timed, now
        self._worker = worker or ThreadPoolExecutor(1, "pilot")
        self._pending: Future[Decision] | None = None
        self._fresh = True  # the next computation forgets the past
        self._session = 0
        self._deadline = self._now()  # when the newest sensors are too old [ns]
        self._ended = False  # not an Event: a signal's handler that another signal interrupts would wait for itself
        self._alone = 0  # when there will have been none for so long that a new session begins [ns]
        self.latencies: deque[int] = deque(maxlen=_LATENCIES)
        """From the arrival of sensors to the command [ns], of the last ones, emptied by whoever reads it."""

    def end(self) -> None:
        """Make `run` return; may be called from anywhere."""
        self._ended = True
        self._inbox.wake()

    def run(self) -> None:
        """Drive until `end`; the last command is a stop."""
        self._report(Reason.NO_SENSORS, "waiting for sensors")
        try:
            while not self._ended:
                self.step(self.patience())
        finally:
            self._stop(Reason.SHUTDOWN, "the process ends", None)

    def step(self, timeout: float) -> None:
        """Answer the sensors that are here or come within `timeout` [s]; without any, say stop where it is time to."""
        received = self._inbox.take(timeout)
        if received is not None:
            self._answer(received)
        elif self._latch.stopped and self._gate.reason is not Reason.EMERGENCY_STOP:
            self._stop(Reason.EMERGENCY_STOP, "told to stop", None)
        elif self._timed and self._now() >= self._deadline:
            self._on_timeout()

    def patience(self) -> float:
        """Return how long to wait for sensors [s]; a silent base is told to stop every period."""
        if not self._timed:
            return 1.0
        left = (self._deadline - self._now()) / 1e9
        return left if left > 0 else self._period

    def _on_timeout(self) -> None:
        if self._session and self._now() >= self._alone:
            # Perhaps sensors do come, and are refused. The base hears so unless it refuses this session, too.
            self._gate.begin_session()
            self._alone = self._now() + _ALONE
        if self._latch.stopped:
            self._gate.stop(Reason.EMERGENCY_STOP)
        elif self._session == 0:
            self._gate.stop(Reason.NO_SENSORS)
        else:
            self._stop(Reason.STALE_SENSORS, "no new sensors", None)

    def _answer(self, received: Received) -> None:
        sensors = received.sensors
        self._deadline, self._alone = received.fresh_until, received.arrival + _ALONE
        if sensors.header.session != self._session:
            self._session, self._fresh = sensors.header.session, True
        self._notice(sensors.process)
        try:
            self._latch.merge(sensors.stop, releases=True)
            if sensors.stop.latched:
                raise RefusedError(Reason.EMERGENCY_STOP, "the base is stopped")
            self._gate.require_released()
            decision = self._compute(received)
            self._gate.send(sensors, decision, received.fresh_until)
        except RefusedError as refused:
            self._stop(refused.reason, refused.detail, sensors)
        else:
            self._report(Reason.NONE, "")
            self._fresh = False
        self.latencies.append(self._now() - received.arrival)
        self._answered(sensors)

    def _notice(self, process: int) -> None:
        """Go on in a new session where the base obeys another process, or refuses this one's messages."""
        if process == self._gate.session:
            if not self._obeyed:
                self._log("the base obeys this process again")
            self._obeyed, self._not_obeyed = True, 0
            return
        self._not_obeyed += 1
        if self._not_obeyed % _NOT_OBEYED == 0:
            self._gate.begin_session()
            if self._obeyed:
                other = f"another process, {process:016x}" if process else "no process"
                self._log(f"the base obeys {other}; going on as {self._gate.session:016x}")
            self._obeyed = False

    @property
    def obeyed(self) -> bool:
        """Whether the base obeys this process, as far as it is known."""
        return self._obeyed

    def _compute(self, received: Received) -> Decision:
        """Return what the pilot wants, if it decides within the control period that began with the sensors' arrival."""
        if self._pending is not None and not self._pending.done():
            raise RefusedError(Reason.OVERRUN, "the computation for earlier sensors still runs")
        self._pending = self._worker.submit(self._pilot.decide, received.sensors, self._fresh)
        left = self._period - (self._now() - received.arrival) / 1e9
        try:
            return self._pending.result(max(left, 0.0) if self._timed else None)
        except OverrunError:
            raise RefusedError(Reason.OVERRUN, f"no command within {self._period} s") from None
        except RefusedError:
            raise
        except Exception as error:  # whatever goes wrong in there, the robot must be told to stop
            raise RefusedError(Reason.BAD_POLICY, f"the computation failed: {error!r}") from error

    def _stop(self, reason: Reason, detail: str, sensors: Sensors | None) -> None:
        self._gate.stop(reason, None if sensors is None else sensors.header)
        self._fresh = True
        self._report(reason, detail)

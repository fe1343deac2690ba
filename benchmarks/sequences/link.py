"""A simulated clock and a simulated transport between one robot's bases and processes."""

import heapq
import itertools
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.sequences.checked_latch import CheckedLatch
from export.protocol.framing import address
from export.protocol.messages import Command, Sensors, Wire
from sim.scene import SceneConfig

NAME = "robot_0"
ROBOT = address(NAME)
SECOND = 1_000_000_000
_SCENE = SceneConfig()
WIRE = Wire(_SCENE.robot, _SCENE.control_period)


class Message(NamedTuple):
    """A message under way."""

    data: bytes
    session: int
    forged: bool = False
    free: bool = True
    """Whether its sender held no stop."""
    disturbed: bool = False
    """Whether it is late or comes twice."""


class Side:
    """A base or a process: a clock of its own, and a time in which nothing happens to it.

    Args:
        link: what connects it.
    """

    def __init__(self, link: "Link") -> None:
        self.link, self.latch = link, CheckedLatch(NAME)
        self.alive, self.paused = True, False
        self._offset = link.random.randrange(-(10**15), 10**15)
        self._waiting: list[Callable[[], None]] = []

    def now(self) -> int:
        """Return its monotonic clock [ns]."""
        return self.link.now + self._offset

    def do(self, action: Callable[[], None]) -> None:
        """Let something happen to it: now, or when it goes on."""
        if self.paused:
            self._waiting.append(action)
        elif self.alive:
            action()

    def go_on(self) -> None:
        """End a pause; what came in the meantime comes now."""
        self.paused, waiting = False, self._waiting
        self._waiting = []
        for action in waiting:
            self.do(action)

    def receive(self, message: Message) -> None:
        """Take a message of the other side."""
        raise NotImplementedError

    def wake(self) -> None:
        """Let it see that its latch has changed."""

    @property
    def reason(self) -> str:
        """Why it stands."""
        raise NotImplementedError

    @property
    def remembered(self) -> int:
        """How many sessions and stops it remembers."""
        raise NotImplementedError


class Link:
    """The sides, and what becomes of what they send.

    Args:
        random: decides what is left to chance.
    """

    def __init__(self, random: random.Random) -> None:
        self.random, self.now, self.disturbed, self.pressed, self.longest = random, 0, 0, 0, 0
        self.bad, self.sensors_cut, self.commands_cut = False, False, False
        self.events: Counter[str] = Counter()
        self.heard: deque[Message] = deque(maxlen=64)
        """Messages that may come again much later."""
        self._count = itertools.count()
        self._queue: list[tuple[int, int, Side, Callable[[], None]]] = []
        self.last_sensors: Sensors | None = None
        self.last_command: Command | None = None
        self.bases: list[Side] = []
        self.processes: list[Side] = []

    def after(self, delay: int, side: Side, action: Callable[[], None]) -> None:
        """Let something happen to a side in some time [ns]."""
        heapq.heappush(self._queue, (self.now + delay, next(self._count), side, action))

    def run(self, duration: int) -> None:
        """Let time pass [ns]."""
        end = self.now + duration
        while self._queue and self._queue[0][0] <= end:
            self.now, _, side, action = heapq.heappop(self._queue)
            side.do(action)
        self.now = end

    def send(self, message: Message, sides: Sequence[Side], cut: bool, delay: int = 0) -> None:
        """Hand a message on to all who listen, if it is not lost."""
        self.heard.append(message)
        for side in sides:
            fate = self.random.random() if self.bad else 1.0
            if cut or fate < 0.1:
                self.events["messages lost"] += 1
                continue
            late = message._replace(disturbed=True)
            if fate < 0.3:
                name = "doubled" if fate < 0.2 else "delayed"
                self.events[f"messages {name}"] += 1
                self._deliver(late, side, delay + self.random.randrange(2 * SECOND))
            if not 0.2 <= fate < 0.3:
                self._deliver(message, side, delay)

    def _deliver(self, message: Message, side: Side, delay: int) -> None:
        def arrive() -> None:
            if message.disturbed:
                self.disturb()
            side.receive(message)

        self.after(delay + self.random.randrange(1_000_000, 5_000_000), side, arrive)

    def disturb(self) -> None:
        """Note that something is wrong at this moment."""
        self.disturbed = self.now

    def computation(self) -> int:
        """Return how long a process computes [ns]."""
        if self.bad and self.random.random() < 0.05:
            return self.random.randrange(SECOND // 2)
        return self.random.randrange(1_000_000, 5_000_000)

    def undisturbed(self, base: Side) -> Side | None:
        """Return the process that the base should obey, if nothing is wrong now."""
        alone = self.bases == [base] and len(self.processes) == 1
        if alone and not (self.bad or self.sensors_cut or self.commands_cut or self.processes[0].paused):
            return self.processes[0]
        self.disturb()
        return None

"""What may happen to a robot, in whatever order."""

import random
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.sequences.checked_latch import ProtocolError
from benchmarks.sequences.link import NAME, ROBOT, SECOND, WIRE, Link, Message, Side
from benchmarks.sequences.sides import BaseSide, ProcessSide
from export.protocol.framing import EVERY_ROBOT, Header, address
from export.protocol.messages import NO_STOP, Stop, StopState, pack_stop
from export.protocol.stop_latch import MOST_STOPS, draw_number

_LARGEST = 2**64 - 1
_AHEAD = (0, 1, 1, 2, 3, 4, 1000, _LARGEST)
_SHIFTS = (-(10**13), -SECOND, 0, 0, 29 * SECOND // 100, SECOND, 10**13)
_MOST_REMEMBERED = 64 + 2 * MOST_STOPS + 1
"""Sessions, stops that hold, and released ones."""


class Press(NamedTuple):
    """A stop that was sent."""

    sender: int
    sequence: int
    number: int


class Sequence:
    """A robot, and everything that may happen to it.

    Args:
        random: decides what is left to chance.
    """

    def __init__(self, random: random.Random) -> None:
        self._random, self.link = random, Link(random)
        self.link.bases.append(BaseSide(self.link))
        self.link.processes.append(ProcessSide(self.link))
        self._presses: list[Press] = []
        self._released: list[int] = []

    def pass_time(self, duration: int | None = None) -> None:
        """Let up to 0.4 s pass, or that time [ns]."""
        self.link.run(self._random.randrange(4 * SECOND // 10) if duration is None else duration)
        self._check_memory()

    def press(self) -> None:
        """Send an emergency stop; some hear it, sometimes another one of the same sender follows or comes first."""
        sender, count = self._random.getrandbits(64), self._random.choice((1, 1, 1, 2, 3))
        presses = [Press(sender, sequence, draw_number()) for sequence in range(count)]
        self._presses += presses
        if self._random.random() < 0.3:
            presses.reverse()
        for press in presses:
            self._send_stop(press, False, self._random.choice((0.5, 1.0)))

    def press_again(self) -> None:
        """Let an old stop come once more."""
        if self._presses:
            self._send_stop(self._random.choice(self._presses), False, 0.7)

    def release(self) -> None:
        """Release one of the stops that were sent, or one once more."""
        if self._presses:
            self._send_stop(self._random.choice(self._presses), True, self._random.choice((0.5, 1.0)))

    def flood(self) -> None:
        """Send more stops than there are places."""
        for _ in range(MOST_STOPS + self._random.randrange(8)):
            self._send_stop(Press(self._random.getrandbits(64), 0, draw_number()), False, 0.9)

    def _send_stop(self, press: Press, release: bool, share: float) -> None:
        self._released += [press.number] if release else []
        who = self._random.choice((NAME, EVERY_ROBOT))
        data = pack_stop(address(who), Stop(Header(press.sender, press.sequence, self.link.now), press.number, release))
        for side in (*self.link.bases, *self.link.processes):
            if self._random.random() < share:
                side.do(lambda side=side: self._hear_stop(side, data, release))  # type: ignore[misc]

    def _hear_stop(self, side: Side, data: bytes, release: bool) -> None:
        self.link.pressed = self.link.now
        side.latch.receive(data, release)
        side.wake()

    def restart_process(self) -> None:
        """Kill a process and start another, or only one of the two."""
        self._restart(self.link.processes, ProcessSide)

    def restart_base(self) -> None:
        """End a base and start another, or only one of the two."""
        self._restart(self.link.bases, BaseSide)

    def _restart(self, sides: list[Side], start: Callable[[Link], Side]) -> None:
        self.link.disturb()
        kind = self._random.random()
        if sides and kind < 0.8:
            self._random.shuffle(sides)
            sides.pop().alive = False
        if not sides or (kind > 0.3 and len(sides) < 3):
            sides.append(start(self.link))

    def pause(self) -> None:
        """Let a side hear and do nothing for a while."""
        side = self._random.choice([*self.link.bases, *self.link.processes])
        side.paused = True

    def go_on(self) -> None:
        """End all pauses."""
        for side in (*self.link.bases, *self.link.processes):
            self.link.disturb()
            side.go_on()

    def change_link(self) -> None:
        """Let messages be lost, doubled, delayed; or cut the link in one direction; or mend it."""
        link, chance = self.link, self._random
        link.bad, link.sensors_cut, link.commands_cut = (chance.random() < share for share in (0.3, 0.1, 0.1))

    def repeat(self) -> None:
        """Let an old message come again."""
        self.link.disturb()
        if self.link.heard:
            self._inject(self._random.choice(self.link.heard))

    def forge_command(self) -> None:
        """Send a command of a stranger, or one that looks like the process's own."""
        command = self.link.last_command
        if command is None:
            return
        answers = self._random.choice((command.answers, Header(0, 0, 0), self._forge_header(command.answers)))
        if self.link.last_sensors is not None and self._random.random() < 0.3:
            answers = self.link.last_sensors.header
        header = self._forge_header(command.header)
        forged = command._replace(header=header, answers=answers, stop=self._forge_stop(), speed=-0.1)
        self._inject(Message(WIRE.pack_command(ROBOT, forged), header.session, forged=True))

    def forge_sensors(self) -> None:
        """Send sensors of a stranger, or such that look like the base's own."""
        sensors = self.link.last_sensors
        if sensors is not None:
            process = self._random.choice((0, sensors.process, self._random.getrandbits(64)))
            header = self._forge_header(sensors.header)
            forged = sensors._replace(header=header, process=process, stop=self._forge_stop())
            self._inject(Message(WIRE.pack_sensors(ROBOT, forged), header.session, forged=True))

    def _forge_header(self, real: Header) -> Header:
        chance = self._random
        session = chance.getrandbits(64) if chance.random() < 0.4 else real.session
        stamp = real.stamp + chance.choice((*_SHIFTS, chance.randrange(SECOND)))
        return Header(session, min(real.sequence + chance.choice(_AHEAD), _LARGEST), stamp)

    def _forge_stop(self) -> StopState:
        chance = self._random.random()
        if chance < 0.9 or not self._presses:
            return NO_STOP
        number = self._random.choice(self._presses).number
        return StopState(number, chance < 0.97 or number not in self._released)

    def _inject(self, message: Message) -> None:
        self.link.disturb()
        self.link.events["messages forged or repeated"] += 1
        sides = self.link.bases if len(message.data) == WIRE.command_size else self.link.processes
        for side in sides:
            side.do(lambda side=side: self._arrive(side, message))  # type: ignore[misc]

    def _arrive(self, side: Side, message: Message) -> None:
        self.link.disturb()
        side.receive(message)

    def calm(self) -> None:
        """Set everything right and release all that holds: then the robot must be driven."""
        link = self.link
        kinds: tuple[tuple[list[Side], Callable[[Link], Side]], ...]
        kinds = (link.bases, BaseSide), (link.processes, ProcessSide)
        for sides, start in kinds:
            while len(sides) > 1:
                sides.pop().alive = False
            if not sides:
                sides.append(start(link))
        link.bad = link.sensors_cut = link.commands_cut = False
        self.go_on()
        for _ in range(3):
            self.pass_time(2 * SECOND)
            for side in (*link.bases, *link.processes):
                for number in side.latch.holding:
                    self._send_stop(Press(0, 0, number), True, 1.0)
        self.pass_time(3 * SECOND)
        if link.bases[0].reason != "driven":
            raise ProtocolError(f"nothing is wrong, and it stands: {link.bases[0].reason}")
        link.events["driven in the end"] += 1

    def _check_memory(self) -> None:
        for side in (*self.link.bases, *self.link.processes):
            if side.remembered > _MOST_REMEMBERED:
                raise ProtocolError(f"{side.remembered} things are remembered; valid is at most {_MOST_REMEMBERED}")

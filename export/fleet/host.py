"""`fleetmix fleet`: a simulated warehouse that runs on and on, for robots' processes that come and go."""

import time
from collections import Counter
from collections.abc import Callable

from export.fleet.base import RobotBase
from export.fleet.config import SOUND, FleetConfig, RadioConfig
from export.fleet.recording import record_fleet
from export.fleet.server import Fleet
from export.protocol import transport
from policies.episode import EpisodeMeter
from sim.interrupt import Interrupt

_REPORT = 10.0
"""Time between two lines about how it goes [s]."""
_SETTLED = 5
"""Decisions after which a new state of a robot is worth a line: a single late answer is not."""


def host_fleet(config: FleetConfig, log: Callable[[str], None], radio: RadioConfig = SOUND) -> None:
    """Host the warehouse until Ctrl-C, SIGTERM, SIGHUP, or the time is over; log how it goes.

    Raises:
        InputError: the settings are not valid, or the endpoint is taken.
    """
    scene, layout = config.resolve()
    endpoint = transport.choose_endpoint("listen", config.listen, config.zenoh)
    with (
        Interrupt() as interrupt,
        transport.open_session(listen=endpoint, settings=config.zenoh) as session,
        Fleet(scene, layout, session, not config.lock_step, radio) as fleet,
        record_fleet(fleet, config.record, "processes", log, config.record_scans),
    ):
        log(f"{layout.name}: {scene.robots} robots, drive {scene.drive}; robots connect to {endpoint}")
        if danger := transport.danger("listen", endpoint, config.zenoh):
            log(danger)
        fleet.begin(config.seed)
        meter, watches = EpisodeMeter(scene), [BaseWatch(base) for base in fleet.bases]
        decisions, next_report = 0, time.monotonic() + _REPORT
        length = None if config.minutes is None else config.minutes * 60 / scene.decision_period
        while not interrupt.requested and (length is None or decisions < length):
            fleet.decide()
            meter.add(fleet.warehouse.infos())
            decisions += 1
            for line in (line for watch in watches for line in watch.changes()):
                log(line)
            if time.monotonic() >= next_report:
                next_report += _REPORT
                log(status(fleet, meter, decisions))
        log(status(fleet, meter, decisions))
        for line in filter(None, (watch.totals() for watch in watches)):
            log(line)


class BaseWatch:
    """What happens to one base, in lines for people.

    Args:
        base: the base.
    """

    def __init__(self, base: RobotBase) -> None:
        self._base, self._state, self._process = base, base.state, 0
        self._new, self._since = base.state, 0
        self._dropped = Counter[str]()

    def changes(self) -> list[str]:
        """Return what is new since the decision before: another state that lasts, another process, other drops."""
        base, lines = self._base, []
        if base.process not in (0, self._process):
            lines.append(f"{base.name}: obeys process {base.process:016x}")
            self._process = base.process
        self._since = self._since + 1 if base.state == self._new else 0
        self._new = base.state
        if self._new != self._state and self._since >= _SETTLED:
            self._state = self._new
            lines.append(f"{base.name}: {self._state if self._state == 'driven' else f'stands: {self._state}'}")
        dropped = base.dropped.copy()  # the transport's thread goes on counting
        lines += [f"{base.name}: drops messages: {name}" for name in dropped.keys() - self._dropped.keys()]
        self._dropped = dropped
        return lines

    def totals(self) -> str:
        """Return what was dropped and why the robot stood, nothing (``) where there is nothing to tell."""
        base = self._base
        dropped = base.dropped.copy() + base.latch.dropped.copy()
        told = [
            f"{title} {', '.join(f'{count} {name}' for name, count in sorted(counts.items()))}"
            for title, counts in (("dropped", dropped), ("control periods", base.reasons))
            if counts
        ]
        return f"{base.name}: {'; '.join(told)}" if told else ""


def status(fleet: Fleet, meter: EpisodeMeter, decisions: int) -> str:
    """Return the state of the fleet in a line."""
    totals = {name: round(count) for name, count in meter.episode().totals.items()}
    states = Counter(base.state for base in fleet.bases)
    driven = states.pop("driven", 0)
    return (
        f"{decisions * fleet.scene.decision_period:,.0f} s: {driven} of {len(fleet.bases)} robots driven, "
        f"{totals['deliveries']} deliveries, contacts {totals['robot_contacts']} with robots and "
        f"{totals['rack_contacts']} with racks, {totals['deadlocks']} deadlocks"
        + (f", {fleet.slow_periods} slow periods" if fleet.slow_periods else "")
        + "".join(f", {count} {state}" for state, count in sorted(states.items()))
    )

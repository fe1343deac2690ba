"""`fleetmix fleet`: a simulated warehouse that runs on and on, for robots' processes that come and go."""

import time
from collections.abc import Callable

from export.fleet.config import FleetConfig
from export.fleet.server import Fleet
from export.protocol import transport
from policies.episode import EpisodeMeter
from policies.interrupt import Interrupt

_REPORT = 10.0
"""Time between two lines about how it goes [s]."""


def host_fleet(config: FleetConfig, log: Callable[[str], None]) -> None:
    """Host the warehouse until Ctrl-C, SIGTERM, or the time is over; log every few seconds how it goes.

    Raises:
        InputError: the settings are not valid, or the endpoint is taken.
    """
    scene, layout = config.resolve()
    endpoint = transport.choose_endpoint("listen", config.listen, config.zenoh)
    with (
        Interrupt() as interrupt,
        transport.open_session(listen=endpoint, settings=config.zenoh) as session,
        Fleet(scene, layout, session, timed=not config.lock_step) as fleet,
    ):
        log(f"{layout.name}: {scene.robots} robots, drive {scene.drive}; robots connect to {endpoint}")
        if danger := transport.danger("listen", endpoint, config.zenoh):
            log(danger)
        fleet.begin(config.seed)
        meter = EpisodeMeter(scene)
        decisions, next_report = 0, time.monotonic() + _REPORT
        length = None if config.minutes is None else config.minutes * 60 / scene.decision_period
        while not interrupt.requested and (length is None or decisions < length):
            fleet.decide()
            meter.add(fleet.warehouse.infos())
            decisions += 1
            if time.monotonic() >= next_report:
                next_report += _REPORT
                log(status(fleet, meter, decisions))
        log(status(fleet, meter, decisions))


def status(fleet: Fleet, meter: EpisodeMeter, decisions: int) -> str:
    """Return the state of the fleet in a line."""
    totals = {name: round(count) for name, count in meter.episode().totals.items()}
    connected = sum(base.present for base in fleet.bases)
    stopped = [base.name for base in fleet.bases if base.latch.stopped]
    return (
        f"{decisions * fleet.scene.decision_period:,.0f} s: {connected} of {len(fleet.bases)} robots driven, "
        f"{totals['deliveries']} deliveries, contacts {totals['robot_contacts']} with robots and "
        f"{totals['rack_contacts']} with racks, {totals['deadlocks']} deadlocks"
        + (f", {fleet.slow_periods} slow periods" if fleet.slow_periods else "")
        + (f", emergency stop: {', '.join(stopped)}" if stopped else "")
    )

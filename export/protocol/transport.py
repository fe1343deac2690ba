"""How messages travel: a Zenoh session, peer to peer, with nothing to install or start beside it.

Nothing that keeps a robot safe depends on the transport: it may lose, double, delay or reorder what it likes.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import zenoh

from sim.errors import InputError

Receive = Callable[[bytes], object]
DEFAULT_ENDPOINT = "tcp/127.0.0.1:7447"
_ENCRYPTED = ("tls/", "quic/")
_RETRY = {"period_init_ms": 100, "period_max_ms": 1000, "period_increase_factor": 2}

_LARGEST = 65_536
"""Larger messages are not received [bytes]."""
_DEFAULTS = {
    "mode": "peer",
    "listen/endpoints": [],
    "scouting/multicast/enabled": False,
    "scouting/gossip/enabled": False,
    "transport/link/rx/max_message_size": _LARGEST,
    "transport/shared_memory/enabled": False,
}
"""What a configuration file leaves open."""


def sensors_key(robot: str) -> str:
    """Return the key where a base publishes a robot's sensors."""
    return f"fleetmix/{robot}/sensors"


def command_key(robot: str) -> str:
    """Return the key where a robot's process publishes its commands."""
    return f"fleetmix/{robot}/command"


def stop_key(robot: str) -> str:
    """Return the key where an emergency stop is published or asked for; a release there doesn't count."""
    return f"fleetmix/{robot}/stop"


def release_key(robot: str) -> str:
    """Return the key where the end of a stop is published or asked for: a key apart, as fewer may release."""
    return f"fleetmix/{robot}/release"


def state_key(robot: str) -> str:
    """Return the key where a robot's process reports on itself, as JSON."""
    return f"fleetmix/{robot}/state"


def alive_key(robot: str) -> str:
    """Return the key of the liveliness token of a robot's process."""
    return f"fleetmix/{robot}/alive"


def require_name(name: str) -> str:
    """Return a robot's name, which becomes part of a key.

    Raises:
        InputError: it has characters that a key can't hold, or stands for all robots.
    """
    if not name or name == "all" or not all(c.isascii() and (c.isalnum() or c in "_-.") for c in name):
        raise InputError(f"robot {name!r} is no name; valid are letters, digits, '_', '-' and '.', and not 'all'")
    return name


def open_session(listen: str | None = None, connect: str | None = None, settings: Path | None = None) -> zenoh.Session:
    """Return a session that listens at one endpoint, or keeps trying to connect to one, in the background.

    Args:
        listen: such as `tcp/0.0.0.0:7447`.
        connect: such as `tcp/192.168.0.5:7447`.
        settings: a Zenoh configuration file (JSON5), for TLS, a user name or anything else; what it leaves open is
            peer mode that listens nowhere else, without multicast and gossip, and refuses large messages.

    Raises:
        InputError: an endpoint or the file is not valid, or the endpoint is taken.
    """
    config, untouched = _read_config(settings), zenoh.Config()
    for key, value in _DEFAULTS.items():
        if config.get_json(key) == untouched.get_json(key):
            config.insert_json5(key, json.dumps(value))
    for endpoint in (listen, connect):
        if endpoint is not None:
            _require_endpoint(endpoint)
    try:
        if listen is not None:
            config.insert_json5("listen/endpoints", json.dumps([listen]))
        if connect is not None:
            config.insert_json5("connect/endpoints", json.dumps([connect]))
            config.insert_json5("connect/timeout_ms", "-1")
            config.insert_json5("connect/exit_on_failure", "false")
            config.insert_json5("connect/retry", json.dumps(_RETRY))
            config.insert_json5("open/return_conditions/connect_scouted", "false")
        return zenoh.open(config)
    except zenoh.ZError as error:
        where = " and ".join(str(x) for x in (listen, connect, settings) if x is not None)
        valid = "a port that is free" if "in use" in str(error) else f"such as {DEFAULT_ENDPOINT}"
        raise InputError(f"endpoint {where}: {_short(error)}; valid is {valid}") from error


def choose_endpoint(side: Literal["listen", "connect"], given: str | None, settings: Path | None) -> str:
    """Return the endpoint that was given, else the first of the configuration file, else the default."""
    if given is not None:
        return given
    found = json.loads(_read_config(settings).get_json(f"{side}/endpoints"))
    return str(found[0]) if settings is not None and isinstance(found, list) and found else DEFAULT_ENDPOINT


def danger(side: Literal["listen", "connect"], endpoint: str, settings: Path | None) -> str:
    """Return what to warn of at an endpoint: no keys, or a base that lets each key do everything; or nothing (``)."""
    config = _read_config(settings)
    if not endpoint.startswith(_ENCRYPTED) or config.get_json("transport/link/tls/enable_mtls") != "true":
        who = f"whoever reaches {endpoint}" if side == "listen" else f"whoever reaches or poses as {endpoint}"
        return f"no keys: {who} can drive, stop, release and read all robots; fleetmix keys makes some"
    if side == "listen" and config.get_json("access_control/enabled") != "true":
        return "no access control: each key can drive, stop, release and read all robots; fleetmix keys writes it"
    return ""


def _read_config(settings: Path | None) -> zenoh.Config:
    if settings is None:
        return zenoh.Config()
    try:
        return zenoh.Config.from_file(settings)
    except zenoh.ZError as error:
        raise InputError(f"Zenoh settings {str(settings)!r}: {_short(error)}") from error


def _require_endpoint(endpoint: str) -> None:
    """Find early what Zenoh would try to reach for ever: a port that can't be."""
    form = re.fullmatch(r"[a-z_-]+/(?:.*:)?(\d+)(?:[?#].*)?|(?:unix|vsock|serial|pipe)[a-z_-]*/.+", endpoint, re.ASCII)
    if form is None or int((form[1] or "0")[:9]) >= 2**16:
        raise InputError(f"endpoint {endpoint!r} is none; valid is such as {DEFAULT_ENDPOINT}, with a port below 65536")


def _short(error: zenoh.ZError) -> str:
    return " ".join(str(error).split(" at /")[0].split()).lstrip("[")


def publisher(session: zenoh.Session, key: str) -> zenoh.Publisher:
    """Return a publisher that sends at once, and drops rather than waits: the next message is newer."""
    return session.declare_publisher(
        key,
        encoding=zenoh.Encoding.APPLICATION_OCTET_STREAM,
        congestion_control=zenoh.CongestionControl.DROP,
        priority=zenoh.Priority.REAL_TIME,
        express=True,
    )


def publish_surely(session: zenoh.Session, key: str, data: bytes) -> None:
    """Publish something that must arrive, such as an emergency stop: wait rather than drop."""
    session.put(
        key, data, congestion_control=zenoh.CongestionControl.BLOCK, priority=zenoh.Priority.REAL_TIME, express=True
    )


def subscribe(session: zenoh.Session, key: str, receive: Receive) -> zenoh.Subscriber[None]:
    """Hand every message to `receive`, which must only store it: it runs in the transport's own thread."""

    def store(sample: zenoh.Sample) -> None:
        receive(sample.payload.to_bytes())

    return session.declare_subscriber(key, store)

"""Who can do what at a base, tried with real TLS by everybody who might come."""

import base64
import datetime
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import zenoh

from export.fleet.processes import free_endpoint
from export.keys.authority import Authority
from export.keys.folder import change_keys, make_keys
from export.protocol import transport
from export.protocol.stop_latch import StopLatch, draw_number, stop_message
from export.protocol.stop_service import serve_stops

pytestmark = pytest.mark.slow
ROBOTS = ("robot_0", "robot_1")
YEAR = datetime.timedelta(days=365)
ARRIVES = 0.7
"""Time in which a message on loopback arrives, busy machine or not [s]."""
EVERYTHING = {
    f"{what} {robot}" for what in ("commands", "reports", "lives", "stops", "releases", "reads") for robot in ROBOTS
}


class Base:
    """What a fleet's bases do on the network, and what of it came through."""

    def __init__(self, session: zenoh.Session, stack: ExitStack) -> None:
        self.session, self.heard = session, set[str]()
        self.latches = {robot: StopLatch(robot) for robot in ROBOTS}
        self._sensors = {robot: transport.publisher(session, transport.sensors_key(robot)) for robot in ROBOTS}
        for robot, latch in self.latches.items():
            stack.enter_context(serve_stops(session, robot, "base", latch))
            for what, key in (("commands", transport.command_key), ("reports", transport.state_key)):
                stack.enter_context(transport.subscribe(session, key(robot), self._hear(f"{what} {robot}")))

    def _hear(self, what: str) -> Callable[[bytes], None]:
        return lambda _: self.heard.add(what)

    def send_sensors(self) -> None:
        for publisher in self._sensors.values():
            publisher.put(b"sensors")

    def alive(self) -> set[str]:
        replies = self.session.liveliness().get(transport.alive_key("*"), timeout=1.0)
        return {
            f"lives {reply.ok.key_expr!s}".replace("fleetmix/", "").removesuffix("/alive")
            for reply in replies
            if reply.ok
        }


def opened(endpoint: str, settings: Path | None) -> Iterator[tuple[Base, str]]:
    with ExitStack() as stack:
        session = stack.enter_context(transport.open_session(listen=endpoint, settings=settings))
        yield Base(session, stack), endpoint


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet's keys, and beside them those that must not count."""
    folder = tmp_path_factory.mktemp("keys") / "fleet"
    make_keys(folder, ROBOTS, ["127.0.0.1"], YEAR)
    (folder / "revoked.json").write_bytes((folder / "robot_0.json").read_bytes())
    (folder / "sacked.json").write_bytes((folder / "operator.json").read_bytes())
    change_keys(folder, [], ["robot_0", "operator"], YEAR)
    subjects = json.loads((folder / "base.json").read_text())["access_control"]["subjects"]
    common_name = {subject["id"]: subject["cert_common_names"][0] for subject in subjects}
    for name in ("robot_0", "operator"):
        own = Authority.read(folder).issue(common_name[name], datetime.timedelta(hours=-1))
        write(folder, f"expired {name}", name, own.certificate, own.key)
    own = Authority.create().issue(common_name["operator"], YEAR)
    write(folder, "forged", "operator", own.certificate, own.key)
    own = Authority.read(folder).issue("base.1", YEAR)
    write(folder, "unlisted", "operator", own.certificate, own.key)
    tls = {"root_ca_certificate": str(folder / "ca.pem")}
    (folder / "keyless.json").write_text(json.dumps({"transport": {"link": {"tls": tls}}}))
    return folder


def write(folder: Path, name: str, like: str, certificate: bytes, key: bytes) -> None:
    """A configuration like another party's, with another key."""
    settings: dict[str, Any] = json.loads((folder / f"{like}.json").read_text())
    tls = settings["transport"]["link"]["tls"]
    tls["connect_certificate_base64"] = base64.b64encode(certificate).decode()
    tls["connect_private_key_base64"] = base64.b64encode(key).decode()
    (folder / f"{name}.json").write_text(json.dumps(settings))


@pytest.fixture(scope="module")
def base(keys: Path) -> Iterator[tuple[Base, str]]:
    yield from opened(free_endpoint().replace("tcp/", "tls/"), keys / "base.json")


@pytest.fixture(scope="module")
def open_base() -> Iterator[tuple[Base, str]]:
    yield from opened(free_endpoint(), None)


def try_everything(base: Base, endpoint: str, settings: Path | None) -> set[str]:
    """What somebody achieves who tries all that there is, on the keys of single robots, of all, and by wildcards."""
    done: set[str] = set()
    held, pressed = draw_number(), draw_number()
    for robot, latch in base.latches.items():
        latch.receive(stop_message(robot, held), releases=True)
    base.heard.clear()

    def read(sample: zenoh.Sample) -> None:
        _, robot, what = str(sample.key_expr).split("/")
        if what == "sensors":
            done.add(f"reads {robot}")

    with transport.open_session(connect=endpoint, settings=settings) as session:
        end = time.monotonic() + 2.0
        while session.zid() not in base.session.info.peers_zid() and time.monotonic() < end:
            time.sleep(0.05)
        for wanted in (*(transport.sensors_key(who) for who in (*ROBOTS, "*")), "fleetmix/**"):
            session.declare_subscriber(wanted, read)
        tokens = [session.liveliness().declare_token(transport.alive_key(robot)) for robot in ROBOTS]
        time.sleep(ARRIVES)  # declarations arrive
        for who in (*ROBOTS, "*", "all"):
            for key in (transport.command_key, transport.state_key):
                session.put(key(who), b"mine")
            for robot in ROBOTS:
                session.put(transport.stop_key(who), stop_message(robot, pressed))
                for message in (stop_message(robot, held, release=True), stop_message("all", held, release=True)):
                    for key in (transport.stop_key, transport.release_key):
                        session.put(key(who), message)
                        session.get(key(who), payload=message, timeout=0.1)
        base.send_sensors()
        time.sleep(ARRIVES)
        done |= base.heard | base.alive()
        for token in tokens:
            token.undeclare()
    for robot, latch in base.latches.items():
        done |= {f"stops {robot}"} if pressed in latch.holding else set()
        done |= {f"releases {robot}"} if held not in latch.holding else set()
        for number in latch.holding:
            latch.receive(stop_message(robot, number, release=True), releases=True)
    return done


def own(robot: str) -> set[str]:
    """What a robot's key is for, besides stops."""
    return {f"{what} {robot}" for what in ("commands", "reports", "lives", "reads")}


STOPS = {f"stops {robot}" for robot in ROBOTS}


@pytest.mark.parametrize(
    ("who", "may"),
    [
        ("robot_0", own("robot_0") | STOPS),
        ("robot_1", own("robot_1") | STOPS),
        ("operator", {f"{what} {robot}" for what in ("stops", "releases", "reads") for robot in ROBOTS}),
        ("expired robot_0", set()),
        ("expired operator", set()),
        ("revoked", set()),
        ("sacked", set()),
        ("forged", set()),  # the right name, by another authority
        ("unlisted", set()),  # by this authority, with a name that the base does not list
        ("keyless", set()),
    ],
)
def test_with_keys_each_does_what_its_key_is_for(base: tuple[Base, str], keys: Path, who: str, may: set[str]) -> None:
    assert try_everything(*base, keys / f"{who}.json") == may


def test_with_keys_nobody_is_heard_without_tls(base: tuple[Base, str]) -> None:
    there, endpoint = base
    assert try_everything(there, endpoint.replace("tls/", "tcp/"), None) == set()


def test_without_keys_everybody_does_everything(open_base: tuple[Base, str]) -> None:
    assert try_everything(*open_base, None) == EVERYTHING


def test_a_client_sees_and_does_no_more_than_a_peer(base: tuple[Base, str], keys: Path) -> None:
    """A base passes on the messages between others to clients, unlike those between peers."""
    there, endpoint = base
    settings = json.loads((keys / "robot_1.json").read_text()) | {"mode": "client"}
    (keys / "client.json").write_text(json.dumps(settings))
    heard: list[str] = []
    with transport.open_session(connect=endpoint, settings=keys / "robot_0.json") as robot:
        robot.declare_subscriber("fleetmix/robot_0/**", lambda sample: heard.append(str(sample.key_expr)))
        robot.declare_subscriber(transport.sensors_key("robot_0"), lambda sample: heard.append(str(sample.key_expr)))
        assert try_everything(there, endpoint, keys / "client.json") == own("robot_1") | STOPS
        with transport.open_session(connect=endpoint, settings=keys / "client.json") as client:
            time.sleep(ARRIVES)
            heard.clear()
            client.put(transport.sensors_key("robot_0"), b"false sensors")
            time.sleep(ARRIVES)
    assert heard == []


@pytest.mark.parametrize("who", ["robot_1", "operator"])
def test_a_robot_does_not_take_another_key_for_its_base(keys: Path, who: str) -> None:
    settings = json.loads((keys / f"{who}.json").read_text())
    tls = settings["transport"]["link"]["tls"]
    tls |= {name.replace("connect_", "listen_"): value for name, value in tls.items() if name.startswith("connect_")}
    del settings["connect"]
    (keys / "impostor.json").write_text(json.dumps(settings))
    endpoint = free_endpoint().replace("tcp/", "tls/")
    with (
        transport.open_session(listen=endpoint, settings=keys / "impostor.json") as impostor,
        transport.open_session(connect=endpoint, settings=keys / "robot_0.json") as robot,
    ):
        time.sleep(2 * ARRIVES)
        assert robot.info.peers_zid() == impostor.info.peers_zid() == []


def test_a_connection_ends_when_its_key_expires(base: tuple[Base, str], keys: Path) -> None:
    there, endpoint = base
    subjects = json.loads((keys / "base.json").read_text())["access_control"]["subjects"]
    (name,) = next(subject["cert_common_names"] for subject in subjects if subject["id"] == "robot_1")
    seconds = 5.0
    made = time.monotonic()
    short = Authority.read(keys).issue(name, datetime.timedelta(seconds=seconds))
    write(keys, "short", "robot_1", short.certificate, short.key)
    there.heard.clear()
    with transport.open_session(connect=endpoint, settings=keys / "short.json") as session:
        while "commands robot_1" not in there.heard:
            session.put(transport.command_key("robot_1"), b"command")
            assert time.monotonic() < made + seconds
            time.sleep(0.05)
        time.sleep(max(made + seconds + 1.5 - time.monotonic(), 0.0))
        there.heard.clear()
        session.put(transport.command_key("robot_1"), b"command")
        time.sleep(ARRIVES)
        assert there.heard == set()
        assert session.info.peers_zid() == []

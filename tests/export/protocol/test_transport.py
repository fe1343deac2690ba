import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from export.fleet.processes import free_endpoint
from export.protocol import transport
from sim.errors import InputError

openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@pytest.mark.parametrize(
    "endpoint", ["", "tcp", "nonsense", "tcp/127.0.0.1:x", "tcp/256.0.0.1:1", "tcp/127.0.0.1:65536"]
)
def test_an_endpoint_that_is_none_is_named(endpoint: str) -> None:
    with pytest.raises(InputError, match=r"valid is such as tcp/127\.0\.0\.1:7447") as error:
        transport.open_session(listen=endpoint)
    assert "\n" not in str(error.value)


def test_an_endpoint_that_is_taken_is_named() -> None:
    endpoint = free_endpoint()
    with transport.open_session(listen=endpoint), pytest.raises(InputError, match="Address already in use"):
        transport.open_session(listen=endpoint)


@pytest.mark.parametrize("content", [None, "{", '{"nonsense": 1}'])
def test_settings_that_are_none_are_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "zenoh.json5"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=r"zenoh\.json5"):
        transport.open_session(settings=file)


@pytest.mark.parametrize("name", ["", "all", "robot 1", "robot/1", "*", "robot_é", "a?b", "$x"])
def test_a_name_that_can_not_be_part_of_a_key_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="valid are letters"):
        transport.require_name(name)


def sockets() -> set[tuple[int, Any]]:
    """Kind and address of the sockets that this process receives on: listening ones, and all of UDP."""
    found = psutil.Process().net_connections("inet")
    return {(c.type, c.laddr) for c in found if c.status == psutil.CONN_LISTEN or c.type == socket.SOCK_DGRAM}


def test_nothing_is_offered_but_the_endpoint_and_nothing_is_searched_for(tmp_path: Path) -> None:
    before, endpoint = sockets(), free_endpoint()
    with transport.open_session(listen=endpoint):
        opened = sockets() - before
        assert [(kind, address.ip, address.port) for kind, address in opened] == [
            (socket.SOCK_STREAM, "127.0.0.1", int(endpoint.rpartition(":")[2]))
        ]
    file = tmp_path / "zenoh.json5"
    file.write_text("{transport: {link: {tx: {lease: 5000}}}}")
    for settings in (None, file):
        with transport.open_session(connect=endpoint, settings=settings):
            assert sockets() <= before | opened


def test_a_message_that_is_too_large_does_not_arrive_and_the_next_one_does() -> None:
    endpoint, got = free_endpoint(), list[int]()
    with transport.open_session(listen=endpoint) as there, transport.open_session(connect=endpoint) as here:
        subscriber = transport.subscribe(there, transport.sensors_key("robot_0"), lambda data: got.append(len(data)))
        publish = transport.publisher(here, transport.sensors_key("robot_0")).put
        for size in (1000, 100_000, 10_000_000, 2000):
            for _ in range(10):
                publish(bytes(size))
                time.sleep(0.02)
        subscriber.undeclare()
    assert set(got) == {1000, 2000}


CERTIFICATES = """
new="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
openssl req -x509 $new -keyout ca.key -out ca.pem -days 2 -subj /CN=ca
for name in base robot; do
    openssl req $new -keyout $name.key -out $name.csr -subj /CN=$name
    printf 'subjectAltName=DNS:localhost\\nextendedKeyUsage=serverAuth,clientAuth\\n' > $name.ext
    openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $name.pem -days 2 -extfile $name.ext
done
"""


def settings(folder: Path, who: str, user: dict[str, str]) -> Path:
    """A Zenoh configuration file with TLS and a password."""
    own = {"certificate": str(folder / f"{who}.pem"), "private_key": str(folder / f"{who}.key")}
    tls: dict[str, Any] = {"root_ca_certificate": str(folder / "ca.pem"), "enable_mtls": True}
    tls |= {f"{side}_{key}": value for side in ("listen", "connect") for key, value in own.items()}
    file = folder / f"{who}-{user['user']}.json5"
    file.write_text(json.dumps({"transport": {"link": {"tls": tls}, "auth": {"usrpwd": user}}}))
    return file


def heard(listen: str, base: Path, robot: Path | None) -> int:
    """How many of twenty messages arrive."""
    got: list[bytes] = []
    with transport.open_session(listen=listen, settings=base) as there:
        subscriber = transport.subscribe(there, transport.command_key("robot_0"), got.append)
        with transport.open_session(connect=listen, settings=robot) as here:
            publisher = transport.publisher(here, transport.command_key("robot_0"))
            for _ in range(20):
                publisher.put(b"message")
                time.sleep(0.05)
        subscriber.undeclare()
    return len(got)


@openssl
@pytest.mark.slow
def test_with_tls_and_a_password_only_those_who_have_both_are_heard(tmp_path: Path) -> None:
    subprocess.run(["sh", "-ec", CERTIFICATES], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "users.txt").write_text("robot_0:secret\n")
    endpoint = free_endpoint().replace("tcp/127.0.0.1", "tls/localhost")
    base = settings(
        tmp_path, "base", {"user": "base", "password": "x", "dictionary_file": str(tmp_path / "users.txt")}
    )  # fmt: skip
    assert heard(endpoint, base, settings(tmp_path, "robot", {"user": "robot_0", "password": "secret"})) > 10
    assert heard(endpoint, base, settings(tmp_path, "robot", {"user": "robot_0", "password": "guess"})) == 0
    assert heard(endpoint, base, None) == 0

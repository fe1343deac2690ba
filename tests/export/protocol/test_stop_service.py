import json
from typing import Any

import pytest

import fleetmix
from export.fleet.processes import free_endpoint
from export.protocol.framing import WireError
from export.protocol.stop_latch import StopLatch, stop_message
from export.protocol.stop_service import Confirmation, read_confirmation, serve_stops
from export.protocol.transport import open_session, stop_key

GOOD: dict[str, Any] = {"robot": "robot_0", "part": "base", "stopped": True, "stops": ["00000000000000ff"]}
BAD = [
    b"",
    b"\xff",
    b"[]",
    b"[" * 100_000,
    json.dumps({name: value for name, value in GOOD.items() if name != "part"}).encode(),
    *(
        json.dumps(GOOD | change).encode()
        for change in (
            {"robot": "\x1b[2J"},  # would clear the terminal
            {"part": "stranger"},
            {"part": ["base"]},
            {"stopped": "yes"},
            {"stops": None},
            {"stops": [255]},
            {"stops": ["no number"]},
            {"stops": ["0"]},
            {"stops": ["1" + 16 * "0"]},
        )
    ),
]


@pytest.mark.parametrize("data", BAD, ids=range(len(BAD)))
def test_what_is_no_confirmation_is_refused(data: bytes) -> None:
    with pytest.raises(WireError, match="content"):
        read_confirmation(data)


def test_who_listens_confirms_what_holds() -> None:
    endpoint, latch = free_endpoint(), StopLatch("robot_0")
    with open_session(listen=endpoint) as session, serve_stops(session, "robot_0", "base", latch):
        (reply,) = session.get(stop_key("all"), payload=stop_message("all", 255), timeout=2.0)
        assert reply.ok is not None
        data = reply.ok.payload.to_bytes()
    assert json.loads(data) == GOOD
    assert read_confirmation(data) == Confirmation("robot_0", "base", True, [255])


def test_the_stop_command_is_confirmed_among_answers_of_strangers(capsys: pytest.CaptureFixture[str]) -> None:
    endpoint, latch, answers = free_endpoint(), StopLatch("robot_0"), iter(BAD * 3)
    with (
        open_session(listen=endpoint) as session,
        session.declare_queryable("fleetmix/**", lambda query: query.reply(query.key_expr, next(answers))),
    ):
        with pytest.raises(SystemExit) as failed:
            fleetmix.main(["stop", "--connect", endpoint])
        assert failed.value.code == 2
        assert f"nobody at {endpoint} confirmed for 'all'" in capsys.readouterr().err
        with serve_stops(session, "robot_0", "base", latch):
            fleetmix.main(["stop", "--connect", endpoint])
            assert latch.stopped
            fleetmix.main(["stop", "--release", "--connect", endpoint])
            assert not latch.stopped
    assert capsys.readouterr().out == "robot_0: stopped (its base)\nrobot_0: released (its base)\n"

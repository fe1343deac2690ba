import base64
import datetime
import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

import fleetmix
from export.keys import authority
from export.keys import folder as keys_folder
from policies.files import write_atomically
from sim.errors import InputError

FILES = {"ca.pem", "ca.key", "base.json", "operator.json", "robot_0.json", "robot_1.json"}
DAY = datetime.timedelta(days=1)


def make(folder: Path, *more: str) -> Path:
    fleetmix.main(["keys", str(folder), "--robots", "2", *more])
    return folder


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return make(tmp_path / "keys")


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def settings(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return found


def tls(folder: Path, name: str, what: str) -> bytes:
    side = "listen" if name == "base" else "connect"
    return base64.b64decode(settings(folder, name)["transport"]["link"]["tls"][f"{side}_{what}_base64"])


def certificate(folder: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(tls(folder, name, "certificate"))


def names_in(found: x509.Certificate) -> list[str]:
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]


def common_name(folder: Path, name: str) -> str:
    (found,) = certificate(folder, name).subject
    return str(found.value)


def allowed(folder: Path) -> dict[str, list[str]]:
    return {s["id"]: s["cert_common_names"] for s in settings(folder, "base")["access_control"]["subjects"]}


def days_left(found: x509.Certificate) -> float:
    return (found.not_valid_after_utc - datetime.datetime.now(datetime.UTC)) / DAY


def test_each_party_gets_one_file_that_nobody_else_can_read(keys: Path) -> None:
    assert content(keys).keys() == FILES
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in keys.iterdir()}
    assert {name for name, mode in modes.items() if mode != 0o600} == {"ca.pem"}
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    authority = x509.load_pem_x509_certificate((keys / "ca.pem").read_bytes())
    for name in ("base", "operator", "robot_0", "robot_1"):
        own = certificate(keys, name)
        own.verify_directly_issued_by(authority)
        assert load_pem_private_key(tls(keys, name, "private_key"), None).public_key() == own.public_key()
        assert 364.9 < days_left(own) < 365
    assert allowed(keys) == {name: [common_name(keys, name)] for name in ("operator", "robot_0", "robot_1")}


def test_only_the_base_s_key_can_host(keys: Path) -> None:
    for name in ("base", "operator", "robot_0"):
        (use,) = certificate(keys, name).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert use.dotted_string == ("1.3.6.1.5.5.7.3.1" if name == "base" else "1.3.6.1.5.5.7.3.2")  # server, client


def test_robots_connect_to_the_first_host_and_know_the_base_by_all(tmp_path: Path) -> None:
    keys = make(tmp_path / "keys", "--host", "warehouse.local", "192.168.0.5", "--days", "7", "--port", "7000")
    assert settings(keys, "robot_1")["connect"]["endpoints"] == ["tls/warehouse.local:7000"]
    assert settings(keys, "base")["listen"]["endpoints"] == ["tls/0.0.0.0:7000"]
    assert names_in(certificate(keys, "base")) == ["warehouse.local", "192.168.0.5"]
    assert 6.9 < days_left(certificate(keys, "operator")) < 7
    fleetmix.main(["keys", str(keys), "--add", "robot_2"])
    assert settings(keys, "robot_2")["connect"]["endpoints"] == ["tls/warehouse.local:7000"]


def test_a_revoked_key_is_off_the_list_and_replaced(keys: Path) -> None:
    before, old = content(keys), common_name(keys, "robot_1")
    mine = settings(keys, "base") | {"timestamping": {"enabled": True}}
    (keys / "base.json").write_text(json.dumps(mine))
    fleetmix.main(["keys", str(keys), "--revoke", "robot_1"])
    new = common_name(keys, "robot_1")
    assert new != old
    assert allowed(keys)["robot_1"] == [new]
    assert old not in (keys / "base.json").read_text()
    assert settings(keys, "base")["timestamping"] == {"enabled": True}  # what the owner set is kept
    assert stat.S_IMODE((keys / "base.json").stat().st_mode) == 0o600
    changed = {name for name, data in content(keys).items() if data != before[name]}
    assert changed == {"base.json", "robot_1.json"}


def test_whatever_happens_a_revoked_key_is_out_first(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, write = common_name(keys, "robot_1"), write_atomically

    def crash(path: Path, data: bytes, mode: int = 0o666) -> None:
        if path.name == "robot_1.json":
            raise KeyboardInterrupt
        write(path, data, mode)

    monkeypatch.setattr(keys_folder, "write_atomically", crash)
    with pytest.raises(KeyboardInterrupt):
        keys_folder.change_keys(keys, [], ["robot_1"], DAY)
    assert allowed(keys)["robot_1"] != [old]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = write_atomically

    def crash(path: Path, data: bytes, mode: int = 0o666) -> None:
        if path.name == "robot_0.json":
            raise KeyboardInterrupt
        write(path, data, mode)

    monkeypatch.setattr(keys_folder, "write_atomically", crash)
    with pytest.raises(KeyboardInterrupt):
        keys_folder.make_keys(tmp_path / "keys", ["robot_0"], ["localhost"], DAY)
    assert list(tmp_path.iterdir()) == []


def test_a_renewed_base_keeps_its_hosts(keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, parties = certificate(keys, "base"), allowed(keys)
    fleetmix.main(["keys", str(keys), "--revoke", "base"])
    after = certificate(keys, "base")
    assert after.public_key() != before.public_key()
    assert names_in(after) == names_in(before) == ["127.0.0.1", "localhost"]
    assert allowed(keys) == parties
    assert "if it was stolen, make a new folder of keys" in capsys.readouterr().out


def test_a_fleet_can_grow(keys: Path) -> None:
    before = allowed(keys)
    fleetmix.main(["keys", str(keys), "--add", "robot_2", "forklift"])
    assert allowed(keys) == before | {name: [common_name(keys, name)] for name in ("robot_2", "forklift")}
    assert settings(keys, "forklift")["connect"] == settings(keys, "robot_0")["connect"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "valid is --robots N"),
        (["--robots", "2"], "holds something"),
        (["--robots", "2", "--revoke", "robot_0"], "valid is --robots N"),
        (["--revoke", "robot_7"], "revoke is 'robot_7'; valid is base, operator, robot_0, robot_1"),
        (["--add", "robot_1"], "add is 'robot_1'"),
        (["--add", "operator"], "robot is 'operator'"),
        (["--add", "robot/1"], "robot 'robot/1' is no name"),
        (["--add", "r" * 56], "up to 55 characters"),
        (["--add", "x", "--days", "0"], "days is 0.0"),
    ],
)
def test_what_can_not_be_changes_nothing(
    keys: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(keys)
    with pytest.raises(SystemExit) as stop:
        fleetmix.main(["keys", str(keys), *arguments])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert said in error
    assert error.count("\n") == 1
    assert content(keys) == before


@pytest.mark.parametrize("host", ["", "a b", "über", "http://x"])
def test_a_host_that_is_none_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(InputError, match="host"):
        keys_folder.make_keys(tmp_path / "keys", ["robot_0"], [host], DAY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", ["ca.pem", "ca.key", "base.json"])
@pytest.mark.parametrize("data", [None, b"", b"{}", b"[]", b"\xff"])
def test_a_folder_that_holds_no_keys_is_named(keys: Path, file: str, data: bytes | None) -> None:
    (keys / file).unlink()
    if data is not None:
        (keys / file).write_bytes(data)
    with pytest.raises(InputError, match="valid is"):
        keys_folder.change_keys(keys, [], ["robot_1"], DAY)


def test_keys_of_two_folders_do_not_mix(keys: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "other")
    (keys / "ca.key").write_bytes((other / "ca.key").read_bytes())
    with pytest.raises(InputError, match=r"ca\.key is not the key of"):
        keys_folder.change_keys(keys, [], ["robot_1"], DAY)


def test_an_authority_that_expired_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(authority, "_LASTS", datetime.timedelta(0))
        keys = make(tmp_path / "keys")
    before = content(keys)
    with pytest.raises(InputError, match=r"ca\.pem expired on \d{4}-\d\d-\d\d; valid is a new folder of keys"):
        keys_folder.change_keys(keys, [], ["robot_1"], DAY)
    assert content(keys) == before


def test_a_base_whose_certificate_names_no_host_is_refused(keys: Path) -> None:
    changed = settings(keys, "base")
    changed["transport"]["link"]["tls"]["listen_certificate_base64"] = base64.b64encode(
        (keys / "ca.pem").read_bytes()
    ).decode()
    (keys / "base.json").write_text(json.dumps(changed))
    with pytest.raises(InputError, match="a certificate without hosts"):
        keys_folder.change_keys(keys, [], ["robot_1"], DAY)


def test_a_folder_that_can_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match=r"can't read .*: Permission denied"):
        keys_folder.make_keys(tmp_path, ["robot_0"], ["127.0.0.1"], DAY)


def test_what_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("export.keys")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(SystemExit):
        make(tmp_path / "keys")
    said = capsys.readouterr().err
    assert "cryptography" in said
    assert "pip install 'fleetmix[" in said
    assert said.count("\n") == 1

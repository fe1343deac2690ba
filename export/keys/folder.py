"""A folder of keys: the authority, and for each party one Zenoh configuration file that holds all that it needs.

Zenoh reads no revocation lists. So the name in a certificate ends in a random serial, the base's file lists the names
that count, and a key is revoked by taking its name off that list.
"""

import base64
import datetime
import json
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from export.keys.access import OPERATOR, access_control, common_names
from export.keys.authority import CERTIFICATE, KEY, Authority, Identity, hosts_of
from export.protocol.transport import require_name
from policies.files import write_atomically
from sim.errors import InputError, require

BASE = "base"
PORT = 7447
"""Where a base listens unless told otherwise."""
_SECRET = 0o600
_LONGEST = 55
"""Characters of a name: a common name has 64 at most, and the serial takes nine."""
Side = Literal["listen", "connect"]


def make_keys(
    folder: Path, robots: Sequence[str], hosts: Sequence[str], lasts: datetime.timedelta, port: int = PORT
) -> None:
    """Write a new authority, and the files of base, operator and robots; the folder appears complete or not at all.

    Args:
        folder: must not exist, or be empty.
        robots: their names.
        hosts: names or addresses of the base; robots connect to the first.
        lasts: how long the keys count.
        port: where the base listens.

    Raises:
        InputError: the folder holds something, can't be written, or a name or a host is not valid.
    """
    try:
        free = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    except OSError as error:
        raise InputError(f"can't read {str(folder)!r}: {error.strerror}") from error
    if not free:
        raise InputError(
            f"{str(folder)!r} holds something; valid is a new folder, or to add to its keys or revoke some"
        )
    for host in hosts:
        require(re.fullmatch(r"[A-Za-z0-9.:-]+", host, re.ASCII) is not None, "host", host, "a name or an address")
    require(bool(hosts), "host", hosts, "one name or address at least")
    authority, names = Authority.create(), {name: _with_serial(name) for name in (OPERATOR, *_checked(robots))}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise InputError(f"can't write {str(folder)!r}: {error.strerror}") from error
    try:
        certificate, key = authority.identity
        write_atomically(new / CERTIFICATE, certificate)
        write_atomically(new / KEY, key, _SECRET)
        own = authority.issue(_with_serial(BASE), lasts, hosts)
        listen = _endpoint(_listens_at(hosts[0]), port)

        _write(new, BASE, _settings("listen", listen, authority, own) | {"access_control": access_control(names)})
        for name, common in names.items():
            _issue(new, name, common, authority, _endpoint(hosts[0], port), lasts)
        new.rename(folder)
    except OSError as error:
        raise InputError(f"can't write {str(folder)!r}: {error.strerror}") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def change_keys(folder: Path, add: Sequence[str], revoke: Sequence[str], lasts: datetime.timedelta) -> None:
    """Issue keys to robots that have none, and new keys in place of those that shall no longer count.

    The base's file is written first: whatever happens then, a revoked key is out.

    Args:
        folder: what `make_keys` wrote.
        add: names of new robots.
        revoke: names of parties; the old key of the base can't be revoked, only renewed.
        lasts: how long the new keys count.

    Raises:
        InputError: the folder is none of keys, or a name is not valid.
    """
    authority, settings = Authority.read(folder), _read(folder / f"{BASE}.json")
    try:
        names = common_names(settings["access_control"])
        tls = settings["transport"]["link"]["tls"]
        hosts = hosts_of(base64.b64decode(tls["listen_certificate_base64"]))
        port = int(settings["listen"]["endpoints"][0].rpartition(":")[2])
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise _not_mine(folder / f"{BASE}.json", error) from error
    for name in _checked(add):
        require(name not in names, "add", name, "a robot without a key; --revoke replaces one")
    for name in revoke:
        require(name in (BASE, *names), "revoke", name, ", ".join((BASE, *names)))
    changed = {name: _with_serial(name) for name in (*add, *revoke) if name != BASE}
    if BASE in revoke:
        tls |= _identity("listen", authority.issue(_with_serial(BASE), lasts, hosts))
    _write(folder, BASE, settings | {"access_control": access_control(names | changed)})
    for name, common in changed.items():
        _issue(folder, name, common, authority, _endpoint(hosts[0], port), lasts)


def _issue(
    folder: Path, name: str, common_name: str, authority: Authority, endpoint: str, lasts: datetime.timedelta
) -> None:
    own = authority.issue(common_name, lasts)
    _write(folder, name, _settings("connect", endpoint, authority, own))


def _listens_at(host: str) -> str:
    """Return an address of this machine alone for a fleet on this machine, else of all its networks."""
    if host in ("localhost", "127.0.0.1", "::1"):
        return host
    return "::" if ":" in host else "0.0.0.0"


def _endpoint(host: str, port: int) -> str:
    return f"tls/[{host}]:{port}" if ":" in host else f"tls/{host}:{port}"


def _settings(side: Side, endpoint: str, authority: Authority, own: Identity) -> dict[str, Any]:
    """Return a Zenoh configuration with mutual TLS and nothing else: a connection ends when a certificate does."""
    tls = {
        "root_ca_certificate_base64": _text(authority.identity.certificate),
        "enable_mtls": True,
        "verify_name_on_connect": True,
        "close_link_on_expiration": True,
        **_identity(side, own),
    }
    return {side: {"endpoints": [endpoint]}, "transport": {"link": {"protocols": ["tls"], "tls": tls}}}


def _identity(side: Side, own: Identity) -> dict[str, str]:
    return {f"{side}_certificate_base64": _text(own.certificate), f"{side}_private_key_base64": _text(own.key)}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _with_serial(name: str) -> str:
    return f"{name}.{secrets.token_hex(4)}"


def _checked(robots: Iterable[str]) -> list[str]:
    names = [require_name(name) for name in robots]
    for name in names:
        valid = name not in (BASE, OPERATOR) and len(name) <= _LONGEST and names.count(name) == 1
        require(valid, "robot", name, f"up to {_LONGEST} characters, once, and not {BASE!r} or {OPERATOR!r}")
    return names


def _write(folder: Path, name: str, settings: Mapping[str, Any]) -> None:
    write_atomically(folder / f"{name}.json", (json.dumps(settings, indent=1) + "\n").encode(), _SECRET)


def _read(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; valid is a folder of fleetmix keys") from error
    except ValueError as error:
        raise _not_mine(path, error) from error
    if not isinstance(settings, dict):
        raise _not_mine(path, type(settings).__name__)
    return settings


def _not_mine(path: Path, why: object) -> InputError:
    return InputError(f"{path} is none that fleetmix keys wrote ({why!r}); valid is its own, in JSON without comments")

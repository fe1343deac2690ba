"""Who may do what on a base's network, told by the name in the certificate that a connection was made with.

The base enforces it (Zenoh's access control): what is not allowed here is refused, in both directions.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from export.protocol.framing import EVERY_ROBOT
from export.protocol.transport import alive_key, command_key, release_key, sensors_key, state_key, stop_key

OPERATOR = "operator"
"""Who may release."""


class Rights(NamedTuple):
    """What one party may do: keys of the transport."""

    tells: tuple[str, ...]
    """Where it publishes."""
    asks: tuple[str, ...]
    """Where it publishes and asks."""
    hears: tuple[str, ...]
    """What it may subscribe to."""
    lives: tuple[str, ...]
    """Where it shows that it is there."""


def rights(name: str) -> Rights:
    """Return the rights of the operator, or of the robot with that name."""
    if name == OPERATOR:
        return Rights((), (stop_key("*"), release_key("*")), ("fleetmix/**",), ())
    orders = tuple(key(who) for key in (stop_key, release_key) for who in (name, EVERY_ROBOT))
    return Rights(
        (command_key(name), state_key(name)), (stop_key("*"),), (sensors_key(name), *orders), (alive_key(name),)
    )


def access_control(common_names: Mapping[str, str]) -> dict[str, Any]:
    """Return the section `access_control` of the base's Zenoh configuration.

    Args:
        common_names: of each party's certificate, by its name.
    """
    rules = {name: _rules(name, rights(name)) for name in common_names}
    return {
        "enabled": True,
        "default_permission": "deny",
        "rules": [rule for own in rules.values() for rule in own],
        "subjects": [{"id": name, "cert_common_names": [common]} for name, common in common_names.items()],
        "policies": [
            {"rules": [rule["id"] for rule in own], "subjects": [name]} for name, own in rules.items()
        ],
    }  # fmt: skip


def common_names(section: Mapping[str, Any]) -> dict[str, str]:
    """Return what `access_control` was made from.

    Raises:
        KeyError, TypeError, ValueError: it is something else.
    """
    return {str(subject["id"]): str(*subject["cert_common_names"]) for subject in section["subjects"]}


def _rules(name: str, may: Rights) -> list[dict[str, Any]]:
    """Ingress is what the party sends to the base, egress what the base lets it know."""
    flows: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
        ("ingress", ("put",), may.tells),
        ("egress", ("declare_subscriber",), may.tells),
        ("ingress", ("put", "query"), may.asks),
        ("egress", ("declare_subscriber", "declare_queryable", "reply"), may.asks),
        ("ingress", ("declare_subscriber", "declare_liveliness_subscriber", "liveliness_query"), may.hears),
        ("egress", ("put", "liveliness_token"), may.hears),
        ("ingress", ("liveliness_token",), may.lives),
    )
    return [
        {
            "id": f"{name}: {i}",
            "permission": "allow",
            "flows": [flow],
            "messages": list(messages),
            "key_exprs": list(keys),
        }
        for i, (flow, messages, keys) in enumerate(flows)
        if keys
    ]

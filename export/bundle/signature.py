"""Who a bundle comes from: an Ed25519 signature of its manifest, which in turn pins every file by its hash.

Keys are PEM files, as OpenSSL makes them:

    openssl genpkey -algorithm ed25519 -out fleet.pem
    openssl pkey -in fleet.pem -pubout -out fleet.pub

Ed25519: RFC 8032. What is signed begins with a name of its own, so that a signature of something else by the same key
is none of a manifest.
"""

import base64
import json
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from export.bundle.files import MANIFEST, WRONG_STRUCTURE, read_file, read_object
from sim.errors import InputError

_DOMAIN = b"fleetmix bundle manifest\0"
_ALGORITHM = "ed25519"
_LARGEST = 64 * 1024
"""Larger keys and signatures are not read [bytes]."""


def sign_manifest(manifest: bytes, key: Path) -> bytes:
    """Return the content of a `manifest.sig` for the bytes of a manifest.

    Args:
        manifest: its bytes.
        key: private key (PEM).

    Raises:
        InputError: the key is none.
    """
    private = _read_private(key)
    values = {
        "algorithm": _ALGORITHM,
        "key": private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex(),
        "signature": base64.b64encode(private.sign(_DOMAIN + manifest)).decode(),
    }
    return (json.dumps(values, indent=2) + "\n").encode()


def require_signed(manifest: bytes, signature: Path, trust: Path) -> None:
    """Refuse a manifest that was not signed by a trusted key.

    Args:
        manifest: its bytes.
        signature: the file `manifest.sig` beside it.
        trust: public key (PEM).

    Raises:
        InputError: the key is none, or the signature is missing, of another key, or of another manifest.
    """
    public = _read_public(trust)
    if not signature.exists():
        raise InputError(f"{signature} is missing; valid is a bundle that the owner of {trust} has signed")
    source = str(signature)
    try:
        values = read_object(read_file(signature, _LARGEST).decode(), source)
        algorithm, key = values["algorithm"], values["key"]
        signed = base64.b64decode(values["signature"], validate=True)
    except InputError:
        raise
    except WRONG_STRUCTURE as error:
        raise InputError(f"{source} is no signature ({error!r}); valid is what fleetmix sign writes") from error
    mine = public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    if algorithm != _ALGORITHM or key != mine:
        raise InputError(f"{source} is by the {algorithm} key {key}; trusted is {mine} from {trust}")
    try:
        public.verify(signed, _DOMAIN + manifest)
    except InvalidSignature:
        raise InputError(f"{source} is not of this {MANIFEST}: the manifest was changed after it was signed") from None


def _read_private(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(read_file(path, _LARGEST), None)
    except (ValueError, TypeError) as error:
        raise _no_key(path, "private", error) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path, "private", type(key).__name__)
    return key


def _read_public(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(read_file(path, _LARGEST))
    except ValueError as error:
        raise _no_key(path, "public", error) from error
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path, "public", type(key).__name__)
    return key


def _no_key(path: Path, kind: str, found: object) -> InputError:
    if isinstance(found, InputError):  # the file can't be read
        return found
    reason = " ".join(str(found).split())
    return InputError(f"{path} is no {kind} Ed25519 key without a password ({reason}); valid is a PEM file of OpenSSL")

"""A certificate authority of a fleet's own: one key that vouches for the keys of base, operator and robots.

Elliptic curve P-256, as every TLS library knows it. A certificate says what its key is for: a base's serves TLS, all
others only connect, so that the key of a robot can't pass for a base.
"""

import datetime
import ipaddress
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sim.errors import InputError

CERTIFICATE, KEY = "ca.pem", "ca.key"
"""Names of the authority's files."""
_LASTS = datetime.timedelta(days=3650)
_CLOCKS_DIFFER = datetime.timedelta(days=1)
"""A certificate counts from so long before it was made."""


class Identity(NamedTuple):
    """A certificate with its key, both PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """Issues certificates.

    Args:
        certificate: its own.
        key: its own.
    """

    def __init__(self, certificate: x509.Certificate, key: EllipticCurvePrivateKey) -> None:
        self.certificate, self._key = certificate, key

    @classmethod
    def create(cls) -> Self:
        """Return a new one."""
        key = generate_private_key(SECP256R1())
        name = _name(f"fleetmix authority {secrets.token_hex(4)}")
        usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        builder = _builder(name, name, key, _LASTS).add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        return cls(builder.add_extension(usage, critical=True).sign(key, SHA256()), key)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the one whose files lie in a folder.

        Raises:
            InputError: a file is missing or is none of an authority, or the authority has expired.
        """
        try:
            certificate = x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
            key = load_pem_private_key((folder / KEY).read_bytes(), None)
        except OSError as error:
            raise InputError(f"{error.filename}: {error.strerror}; valid is a folder of fleetmix keys") from error
        except (ValueError, TypeError) as error:
            why = " ".join(str(error).split())
            raise InputError(f"{folder} holds no authority ({why}); valid is a folder of fleetmix keys") from error
        if not isinstance(key, EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise InputError(f"{folder / KEY} is not the key of {folder / CERTIFICATE}; valid is what belongs together")
        end = certificate.not_valid_after_utc
        if end <= datetime.datetime.now(datetime.UTC):
            raise InputError(f"{folder / CERTIFICATE} expired on {end:%Y-%m-%d}; valid is a new folder of keys")
        return cls(certificate, key)

    @property
    def identity(self) -> Identity:
        """Its own certificate and key."""
        return _identity(self.certificate, self._key)

    def issue(self, common_name: str, lasts: datetime.timedelta, hosts: Sequence[str] = ()) -> Identity:
        """Return a new certificate and its key.

        Args:
            common_name: whose it is, at most 64 characters.
            lasts: how long it counts, but never longer than the authority's own.
            hosts: names or addresses under which a base is reached; without any the key can only connect.
        """
        key = generate_private_key(SECP256R1())
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
        lasts = min(lasts, self.certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC))
        builder = _builder(_name(common_name), self.certificate.subject, key, lasts)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([*map(_host, hosts)]), critical=False)
        return _identity(builder.sign(self._key, SHA256()), key)


def hosts_of(certificate: bytes) -> tuple[str, ...]:
    """Return the names and addresses in a base's certificate (PEM); raise ValueError where it is none of a base."""
    extensions = x509.load_pem_x509_certificate(certificate).extensions
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as error:
        raise ValueError("a certificate without hosts") from error
    return tuple(str(name.value) for name in names)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, lasts: datetime.timedelta
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.not_valid_before(now - _CLOCKS_DIFFER).not_valid_after(now + lasts)
    return builder.serial_number(x509.random_serial_number())


def _identity(certificate: x509.Certificate, key: EllipticCurvePrivateKey) -> Identity:
    return Identity(
        certificate.public_bytes(Encoding.PEM), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)

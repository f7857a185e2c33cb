"""A certificate authority that lives as long as its server, for TLS on loopback."""

from __future__ import annotations

import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sentinelone_source.errors import AZURE_EXTRA, ConfigError

if TYPE_CHECKING:
    from cryptography import x509

MISSING: Final = f"TLS needs the package cryptography; {AZURE_EXTRA}"
_LIFE: Final = timedelta(days=30)
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_EVERYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not listened on


def is_possible() -> bool:
    """Whether certificates can be made here."""
    from importlib.util import find_spec

    return find_spec("cryptography") is not None


def make(host: str) -> tuple[bytes, ssl.SSLContext]:
    """An authority, and the TLS settings of a server that it vouches for.

    Args:
        host: name or address of the server, beside those of loopback.

    Returns:
        The authority's certificate (PEM), to be trusted, and the server's settings.

    Raises:
        ConfigError: the package cryptography is not installed.
    """
    if not is_possible():
        raise ConfigError(MISSING)
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority_name = "sentinelone-source demo dce"
    public = authority_key.public_key()
    authority = _signed(
        (authority_name, authority_name, public, authority_key),
        x509.BasicConstraints(ca=True, path_length=0),
        _may_sign(),
        x509.SubjectKeyIdentifier.from_public_key(public),
    )
    hosts = dict.fromkeys((*_LOOPBACK, *(() if host in _EVERYWHERE else (host,))))
    server = _signed(
        ("localhost", authority_name, key.public_key(), authority_key),
        x509.BasicConstraints(ca=False, path_length=None),
        x509.SubjectAlternativeName([_general_name(name) for name in hosts]),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(public),
        x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]),
    )
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "server.pem")
        file.write_bytes(server.public_bytes(pem) + key.private_bytes(pem, *plain))
        context.load_cert_chain(file)
    return authority.public_bytes(pem), context


def _signed(who: tuple[str, str, Any, Any], *extensions: x509.ExtensionType) -> x509.Certificate:
    """A certificate for a subject, its issuer's name, the subject's key and the issuer's."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    subject, issuer, public, signing_key = who
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFE)
    )
    for extension in extensions:
        is_critical = isinstance(extension, x509.BasicConstraints | x509.KeyUsage)
        builder = builder.add_extension(extension, critical=is_critical)
    return builder.sign(signing_key, hashes.SHA256())


def _may_sign() -> x509.KeyUsage:
    from cryptography import x509

    others = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
        "crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(key_cert_sign=True, **dict.fromkeys(others.split(), False))


def _name(text: str) -> x509.Name:
    from cryptography import x509

    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _general_name(host: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)

"""A certificate authority that lives as long as its server, for TLS on loopback."""

from __future__ import annotations

import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sentinelone_source.errors import AZURE_EXTRA, ConfigError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

MISSING: Final = f"TLS needs the package cryptography; {AZURE_EXTRA}"
_LIFE: Final = timedelta(days=30)


def is_possible() -> bool:
    """Whether certificates can be made here."""
    from importlib.util import find_spec

    return find_spec("cryptography") is not None


def make(hosts: list[str]) -> tuple[bytes, ssl.SSLContext]:
    """An authority, and the TLS settings of a server that it vouches for.

    Args:
        hosts: names and addresses of the server.

    Returns:
        The authority's certificate (PEM), to be trusted, and the server's settings. Both keys are
        nowhere else.

    Raises:
        ConfigError: the package cryptography is not installed.
    """
    if not is_possible():
        raise ConfigError(MISSING)
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    signing_key = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(signing_key)
    server = _server(hosts, key, authority, signing_key)
    pem = server.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "server.pem")
        file.write_bytes(pem)
        context.load_cert_chain(file)
    return authority.public_bytes(serialization.Encoding.PEM), context


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    name = _name("sentinelone-source demo dce")
    public = key.public_key()
    uses = dict.fromkeys(_OTHER_USES, False)
    return (
        _builder(name, name, public)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.KeyUsage(key_cert_sign=True, **uses), critical=True)
        .sign(key, hashes.SHA256())
    )


def _server(
    hosts: list[str],
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    signing_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key())
    names = x509.SubjectAlternativeName([_host(host) for host in hosts])
    purpose = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH])
    return (
        _builder(_name(hosts[0]), authority.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(names, critical=False)
        .add_extension(issuer, critical=False)
        .add_extension(purpose, critical=False)
        .sign(signing_key, hashes.SHA256())
    )


_OTHER_USES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    from cryptography import x509

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFE)
    )


def _name(text: str) -> x509.Name:
    from cryptography import x509

    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _host(host: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)

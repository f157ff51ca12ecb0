"""TLS with a given certificate."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.emulator.running import running_emulator


def a_certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed one for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "emulator")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return chain, private


def test_the_emulator_speaks_tls_to_those_who_trust_it(tmp_path: Path) -> None:
    chain, key = a_certificate(tmp_path)
    flags = ("--certificate", str(chain), "--private-key", str(key))

    with running_emulator(*flags) as handle:
        trusted = requests.get(f"{handle.url}/emulator/switches", verify=str(chain), timeout=10)
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{handle.url}/emulator/switches", timeout=10)

    assert handle.url.startswith("https://127.0.0.1:")
    assert trusted.status_code == 200

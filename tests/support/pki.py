"""An authority for tests, by pyca/cryptography: certificates of any time and name, and a list of revoked ones."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY: Final = timedelta(days=1)
HERE: Final = "127.0.0.1"


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


class Authority:
    """`NAME.pem` in the directory is its certificate; `issue` puts `X.pem` and `X.key` beside it."""

    def __init__(self, directory: Path, name: str = "ca") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.file = directory / f"{name}.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authority {directory.name}")])
        builder = _builder(self._name, self._name, self._key, now() - DAY, now() + 400 * DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(usage, critical=True)
        self.file.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(
        self,
        name: str,
        *alternatives: str,
        begins: datetime | None = None,
        ends: datetime | None = None,
        file: str | None = None,
    ) -> Path:
        """A certificate with this common name; returns its file, which replaces one of the same name at once."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        first, last = begins or now() - DAY, ends or now() + 90 * DAY
        builder = _builder(subject, self._name, key, first, last)
        names = [_alternative(each) for each in alternatives] or [x509.DNSName(name)]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(both), critical=False)
        made = builder.sign(self._key, hashes.SHA256())
        stem = file or name
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        for suffix, content in (("key", private), ("pem", made.public_bytes(serialization.Encoding.PEM))):
            beside = self.directory / f"{stem}.{suffix}.new"
            beside.write_bytes(content)
            beside.replace(self.directory / f"{stem}.{suffix}")
        return self.directory / f"{stem}.pem"

    def revoke(self, *certificates: Path) -> Path:
        """The list of revoked certificates, `revoked.pem`."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._name)
        builder = builder.last_update(now() - DAY).next_update(now() + 90 * DAY)
        for file in certificates:
            number = x509.load_pem_x509_certificate(file.read_bytes()).serial_number
            revoked = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now() - DAY).build()
            builder = builder.add_revoked_certificate(revoked)
        path = self.directory / "revoked.pem"
        path.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return path


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, first: datetime, last: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    return builder.serial_number(x509.random_serial_number()).not_valid_before(first).not_valid_after(last)


def _alternative(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)

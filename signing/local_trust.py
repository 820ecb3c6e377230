"""The embedded local test trust: a certification authority, two time-stamp units and a seal key.

It lets the archive run on its first day with nothing else installed. It proves nothing to anybody
outside, because whoever holds the home holds the keys.

Rules kept here
 * Every subject name says, in ASCII, that it is a test, not trusted and not qualified.
 * A directory is complete or absent: everything is written aside and renamed into place.
 * Private keys are PKCS#8 PEM files with mode 0600. `test-ca.pem` is what verifiers are given.
 * ECDSA on P-384 with SHA-512 throughout, unless another kind is asked for: recommended by TS 119 312
   V2.1.1, and judged alike by OpenSSL 3.0, BouncyCastle 1.72 and EU DSS 6.4.
 * Revocation lists are made on demand and never stored. Their address ends in `.invalid` (RFC 2606),
   which nobody can look up: verifiers get the list beside the token.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from archive_core.errors import AlreadyExistsError, SettingsError
from archive_core.ports import Clock, ValidationData
from signing.local_keys import ECDSA_P384, LocalKey, kind_of, make_key, sign_certificate, sign_crl
from signing.local_tsa import DIGEST, LocalTsaResponder
from signing.tsa import TsaClient

CA_FILE = "test-ca.pem"
AUTHORITIES = ("local-tsa-1", "local-tsa-2")
SEAL = "local-seal"
POLICY = "2.999.3161.1"
"""Time-stamp policy that the local authorities state: below 2.999, which is reserved for examples."""

_LABEL = "TEST - not trusted / NOT QUALIFIED"
_TITLES = {
    "test-ca": "TEST CA - not trusted / NOT QUALIFIED",
    "local-tsa-1": "TEST TSA 1 - not trusted / NOT QUALIFIED",
    "local-tsa-2": "TEST TSA 2 - not trusted / NOT QUALIFIED",
    SEAL: "TEST seal - not trusted / NOT QUALIFIED",
}
_YEAR = timedelta(days=365.25)
_CLOCK_SLACK = timedelta(days=1)
"""Certificates begin this much before they were made, so that clocks may differ a little."""
_CRL_VALIDITY = timedelta(days=30)
_CRL_ADDRESS = "http://local-test-trust.invalid/test-ca.crl"


@dataclass(frozen=True)
class _Identity:
    certificate: x509.Certificate
    key: LocalKey


@dataclass(frozen=True)
class Making:
    """What to make: the kind of all keys (`local_keys.KINDS`), and for how many years the certificates of
    the authority and of those below it are valid."""

    kind: str = ECDSA_P384
    authority_years: float = 30
    unit_years: float = 10


def create_local_trust(directory: Path, *, at: datetime, making: Making | None = None) -> LocalTrust:
    """Make a new test trust in `directory`, which must be absent or empty, and open it.

    Raises `AlreadyExistsError` when something lies there already.
    """
    if directory.exists() and any(directory.iterdir()):
        raise AlreadyExistsError(f"{directory} is not empty", path=str(directory))
    directory.parent.mkdir(parents=True, exist_ok=True)
    staging = directory.with_name(f".{directory.name}-{secrets.token_hex(8)}")
    staging.mkdir(mode=0o755)
    try:
        identities = _make_identities(at, making or Making())
        for name, identity in identities.items():
            above = () if name == "test-ca" else (identities["test-ca"].certificate,)
            _write_identity(staging, name, identity, above)
        _sync_directory(staging)
        staging.rename(directory)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    _sync_directory(directory.parent)
    return LocalTrust.open(directory)


class LocalTrust:
    """An existing local test trust, by `LocalTrust.open(directory)`."""

    def __init__(self, directory: Path, identities: dict[str, _Identity]) -> None:
        self.directory = directory
        self._identities = identities

    @classmethod
    def open(cls, directory: Path) -> LocalTrust:
        """Raises `SettingsError` naming the file that is absent or cannot be read."""
        names = ("test-ca", *AUTHORITIES, SEAL)
        return cls(directory, {name: _read_identity(directory, name) for name in names})

    @staticmethod
    def is_in(directory: Path) -> bool:
        return (directory / CA_FILE).is_file()

    @property
    def anchor(self) -> bytes:
        """The test CA's certificate, DER."""
        return _der(self._identities["test-ca"].certificate)

    @property
    def seal_key_address(self) -> str:
        """For `signing.keys.load_key`, with `seal_certificate_file` as its certificates."""
        return f"file:{self.directory / f'{SEAL}-key.pem'}"

    @property
    def seal_certificate_file(self) -> Path:
        return self.directory / f"{SEAL}.pem"

    def seal_validation_data(self, at: datetime) -> ValidationData:
        """For `signing.seals.SoftwareSealer`: the seal's chain and a revocation list of that moment."""
        return self.validation_data(at, SEAL)

    def responder(self, name: str, clock: Clock, digest: str = DIGEST) -> LocalTsaResponder:
        """The time-stamp unit of that name; raises `SettingsError` for an unknown one. `digest` is used inside
        its tokens; a signature that needs a digest needs SHA-512."""
        if name not in AUTHORITIES:
            raise SettingsError(f"the local test trust has no time-stamp authority {name!r}, only {AUTHORITIES}")
        unit, authority = self._identities[name], self._identities["test-ca"]
        return LocalTsaResponder(
            clock,
            key=unit.key,
            certificate=unit.certificate,
            chain=(authority.certificate,),
            policy=POLICY,
            revocation_list=self.crl,
            digest=digest,
        )

    def authority(self, name: str, clock: Clock, digest: str = DIGEST) -> TsaClient:
        """A client whose time-stamp unit answers inside this process."""
        return TsaClient(
            name,
            self.responder(name, clock, digest).respond,
            policy=POLICY,
            test_trust=True,
            validation_source=lambda _token: self.validation_data(clock.now(), name),
        )

    def validation_data(self, at: datetime, name: str) -> ValidationData:
        """Certificates of one identity up to the test CA, and a revocation list of that moment."""
        certificates = (_der(self._identities[name].certificate), self.anchor)
        return ValidationData(certificates=certificates, crls=(self.crl(at),))

    def crl(self, at: datetime) -> bytes:
        """A fresh list (nothing is revoked), DER. `thisUpdate` is `at` cut to the whole second, because
        RFC 5280 5.1.2.4 knows no fractions."""
        authority = self._identities["test-ca"]
        this_update = at.replace(microsecond=0)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(authority.certificate.subject)
            .last_update(this_update)
            .next_update(this_update + _CRL_VALIDITY)
            .add_extension(x509.CRLNumber(int(at.timestamp() * 1_000_000)), critical=False)
            .add_extension(_authority_key(authority.certificate), critical=False)
        )
        return sign_crl(builder, authority.key).public_bytes(serialization.Encoding.DER)


# -- making -----------------------------------------------------------------------------------


def _make_identities(at: datetime, making: Making) -> dict[str, _Identity]:
    start = at.replace(microsecond=0) - _CLOCK_SLACK
    home = secrets.token_hex(8)
    authority = _make_authority(home, start, making)
    units = {name: _make_leaf(authority, home, name, start, making, _tsu_extensions()) for name in AUTHORITIES}
    seal = _make_leaf(authority, home, SEAL, start, making, [(_key_usage(content_commitment=True), True)])
    return {"test-ca": authority, **units, SEAL: seal}


def _make_authority(home: str, start: datetime, making: Making) -> _Identity:
    key = make_key(making.kind)
    name = _subject("test-ca", home)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(_after(start, making.authority_years))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return _Identity(sign_certificate(builder, key), key)


def _make_leaf(
    authority: _Identity,
    home: str,
    name: str,
    start: datetime,
    making: Making,
    extra: Iterable[tuple[x509.ExtensionType, bool]],
) -> _Identity:
    key = make_key(making.kind)
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(_CRL_ADDRESS)], None, None, None)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_subject(name, home))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(_after(start, making.unit_years))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_authority_key(authority.certificate), critical=False)
        .add_extension(x509.CRLDistributionPoints([point]), critical=False)
    )
    for extension, critical in extra:
        builder = builder.add_extension(extension, critical=critical)
    return _Identity(sign_certificate(builder, authority.key), key)


def _after(start: datetime, years: float) -> datetime:
    """Certificates end on whole seconds (RFC 5280 4.1.2.5)."""
    return start + timedelta(seconds=round(years * _YEAR.total_seconds()))


def _tsu_extensions() -> list[tuple[x509.ExtensionType, bool]]:
    """Key usage and the extended key usage that RFC 3161 2.3 asks for: critical, and nothing else."""
    return [
        (_key_usage(), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), True),
    ]


def _key_usage(*, authority: bool = False, content_commitment: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=content_commitment,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(name: str, home: str) -> x509.Name:
    """The home's number keeps the authorities of two homes apart."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _LABEL),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, home),
            x509.NameAttribute(NameOID.COMMON_NAME, _TITLES[name]),
        ]
    )


def _authority_key(certificate: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


# -- files ------------------------------------------------------------------------------------


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def _write_identity(directory: Path, name: str, identity: _Identity, above: Iterable[x509.Certificate]) -> None:
    key = identity.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(directory / f"{name}-key.pem", key, 0o600)
    chain = [c.public_bytes(serialization.Encoding.PEM) for c in (identity.certificate, *above)]
    _write(directory / f"{name}.pem", b"".join(chain), 0o644)


def _write(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_identity(directory: Path, name: str) -> _Identity:
    key_file, certificate_file = directory / f"{name}-key.pem", directory / f"{name}.pem"
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(f"the local test trust in {directory} lacks a readable {name}: {error}") from error
    if kind_of(key) is None or key.public_key() != certificate.public_key():
        raise SettingsError(f"{key_file} is not the key of {certificate_file}")
    return _Identity(certificate, cast(LocalKey, key))

"""The composition root of keys, time-stamp authorities and trust: settings to adapters.

Rules kept here
 * What a setting asks for is built or refused with the key to change; nothing is guessed.
 * Trust is explicit: anchors come from files that the settings name, never from the system.
 * Secrets are fetched when they are needed, and go to who needs them.
 * A device or service that is away stops no start: it is asked when the first seal is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from api.algorithm_lists import algorithms_in_force
from api.deferred import DeferredPdfSealer, DeferredSealer, DeferredSealValidator, DeferredTimestampValidator
from api.home import open_local_trust
from api.settings import ArchiveSettings
from api.settings_services import AuthoritySettings, ConnectionSettings, SealSettings
from api.settings_table import Secret
from archive_core.errors import SealKeyUnavailableError, SettingsError
from archive_core.ports import (
    Clock,
    JudgesJsonSeals,
    JudgesMany,
    Sealer,
    SealsPdf,
    SealValidator,
    TimestampAuthority,
    TimestampValidator,
    ValidationData,
)
from policies.algorithms import AlgorithmTable
from signing.connections import Connection, tls_context
from signing.http_fetch import Allowed
from signing.http_transport import HttpTransport
from signing.key_devices import KeyDevice
from signing.keys import load_key
from signing.local_trust import LocalTrust
from signing.rolling import RollingSealer
from signing.tsa import TsaClient

LOCAL = "local"

QUALIFIED_ACCURACY = 1.0
"""Seconds that a qualified time-stamp may state at most (EN 319 421)."""


@dataclass(frozen=True, slots=True)
class Signing:
    """Who seals and stamps, and who judges that. `cautions` say what of it is not as safe as it could be."""

    authorities: dict[str, TimestampAuthority]
    validator: TimestampValidator
    sealer: Sealer
    seal_validator: SealValidator
    pdf_sealer: SealsPdf
    cautions: tuple[str, ...] = ()


def build_signing(settings: ArchiveSettings, clock: Clock) -> Signing:
    """Keys in files, certificates and trust anchors are read now, and `SettingsError` says which are wrong; the
    libraries that work with them load when they are first used."""
    trust = _local_trust(settings)
    anchors, test_anchors = _anchors(settings, trust)
    algorithms = build_algorithms(settings)
    known = [*anchors, *test_anchors]

    validator = partial(_token_validator, tuple(anchors), tuple(test_anchors), algorithms)

    def judging_pool() -> JudgesMany:
        from signing.judging_pool import JudgingPool  # loads what starts processes

        return JudgingPool(validator)

    def seal_validator() -> SealValidator:
        from signing.seal_validation import SealVerifier

        return SealVerifier(anchors, algorithms=algorithms, test_anchors=test_anchors)

    def json_seal_validator() -> JudgesJsonSeals:
        from signing.json_seal_validation import JsonSealVerifier  # loads joserfc

        return JsonSealVerifier(anchors, algorithms=algorithms, test_anchors=test_anchors)

    sealer = _sealers(settings, trust, clock, known)

    def pdf_sealer() -> SealsPdf:
        from signing.examination.request import TrustGiven
        from signing.pdf_seals.sealing import PdfSealing  # loads what reads signatures

        return PdfSealing(sealer, TrustGiven(tuple(anchors), tuple(test_anchors)))

    return Signing(
        authorities={one.name: _authority(settings.home, one, trust, clock, known) for one in settings.authorities},
        validator=DeferredTimestampValidator(validator, judging_pool),
        sealer=sealer,
        pdf_sealer=DeferredPdfSealer(pdf_sealer),
        seal_validator=DeferredSealValidator(seal_validator, json_seal_validator),
        cautions=tuple(_cautions(settings)),
    )


def _token_validator(
    anchors: Sequence[bytes], test_anchors: Sequence[bytes], algorithms: AlgorithmTable
) -> TimestampValidator:
    """At the top of a module, so that other processes can make one, too."""
    from signing.timestamp_validation import TokenValidator

    return TokenValidator(anchors, algorithms=algorithms, test_anchors=test_anchors)


def build_algorithms(settings: ArchiveSettings) -> AlgorithmTable:
    """The list of algorithms in force; raises `SettingsError`."""

    def verify(source: bytes, signers: Sequence[bytes]) -> None:
        from signing.list_signature import verify_list_signature  # loads lxml

        verify_list_signature(source, signers)

    return algorithms_in_force(settings, certificates=read_certificates, verify=verify)


# -- trust ------------------------------------------------------------------------------------------


def _local_trust(settings: ArchiveSettings) -> LocalTrust | None:
    """The home's test trust, when anything in the settings asks for it."""
    keys = [settings.seal.key, *(one.key for one in settings.seal.next)]
    wanted = f"{LOCAL}:" in keys or any(one.scheme == LOCAL for one in settings.authorities)
    return open_local_trust(settings.home) if wanted else None


def trust_anchors(settings: ArchiveSettings) -> tuple[list[bytes], list[bytes]]:
    """Trust anchors (DER) of the settings and, apart from them, those that are only for tests."""
    return _anchors(settings, _local_trust(settings))


def _anchors(settings: ArchiveSettings, trust: LocalTrust | None) -> tuple[list[bytes], list[bytes]]:
    found = [der for name in settings.anchors for der in read_certificates(settings.home / name)]
    test = [trust.anchor] if trust else []
    return [der for der in found if der not in test], test


def read_certificates(path: Path) -> Sequence[bytes]:
    """The certificates (DER) of a PEM file; raises `SettingsError` naming it."""
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError, x509.InvalidVersion) as error:
        raise SettingsError(f"cannot read certificates from {path}: {error}") from error
    return [certificate.public_bytes(Encoding.DER) for certificate in found]


# -- how services are reached -------------------------------------------------------------------------


def connection(home: Path, settings: ConnectionSettings, what: str) -> Connection:
    """With the secrets that the settings name; raises `SettingsError`."""
    tls = None
    if settings.ca or settings.client_key:
        tls = tls_context(
            authorities=_file(home, settings.ca) if settings.ca else None,
            client=_file(home, settings.client_key) if settings.client_key else None,
            password=_revealed(home, settings.client_password),
            what=what,
        )
    password = _revealed(home, settings.password)
    if bool(settings.user) != (password is not None):
        raise SettingsError(f"{what}: user and password are written together")
    if ":" in settings.user:
        raise SettingsError(f"{what}: a user has no colon (RFC 7617 2)")
    proxy_password = _revealed(home, settings.proxy_password)
    return Connection(
        timeout=settings.timeout,
        tls=tls,
        credentials=(settings.user, password) if password is not None else None,
        proxy=settings.proxy or None,
        proxy_credentials=(settings.proxy_user, proxy_password) if proxy_password is not None else None,
    )


def _file(home: Path, name: str) -> bytes:
    try:
        return (home / name).read_bytes()
    except OSError as error:
        raise SettingsError(f"cannot read {home / name}: {error.strerror}") from error


def _revealed(home: Path, secret: Secret | None) -> str | None:
    return secret.reveal(home) if secret is not None else None


def _fetched(
    prefixes: Sequence[str], reached: Connection, clock: Clock, anchors: Sequence[bytes], *, seal: bool = False
) -> Callable[[bytes], ValidationData] | None:
    """Where chain and revocation data of tokens or seals come from; None: only from inside them."""
    allowed = Allowed(prefixes)
    if not allowed:
        return None

    def source(token: bytes) -> ValidationData:
        from signing.fetching import FetchedData, over_http  # loads what reads lists and responses

        fetch = over_http(reached.timeout, proxy=reached.proxy, proxy_credentials=reached.proxy_credentials)
        if seal:  # nothing reads a seal that cannot read responses, and they are smaller in every receipt
            refuse, first = SealKeyUnavailableError, True
            return FetchedData(allowed, fetch, clock, known=anchors, refuse=refuse, responses_first=first)(token)
        return FetchedData(allowed, fetch, clock, known=anchors)(token)

    return source


# -- time-stamp authorities ---------------------------------------------------------------------------


def _authority(
    home: Path, settings: AuthoritySettings, trust: LocalTrust | None, clock: Clock, anchors: Sequence[bytes]
) -> TimestampAuthority:
    if settings.scheme == LOCAL:
        if trust is None or settings.trust_class != "test":
            raise SettingsError(f"the local TSA {settings.name} gives test time-stamps: trust_class must be `test`")
        return trust.authority(settings.name, clock)
    if settings.scheme == "http":
        return http_authority(home, settings, clock, anchors)
    raise SettingsError(f"the TSA {settings.name} has the scheme {settings.scheme!r}; built are: local, http")


def http_authority(home: Path, settings: AuthoritySettings, clock: Clock, anchors: Sequence[bytes]) -> TsaClient:
    """A client for an authority over HTTP; `anchors` need no revocation data."""
    reached = connection(home, settings.connection, f"the TSA {settings.name}")
    accuracy = settings.accuracy or (QUALIFIED_ACCURACY if settings.trust_class == "qualified" else 0.0)
    return TsaClient(
        settings.name,
        HttpTransport(
            settings.url,
            timeout=reached.timeout,
            tls=reached.tls,
            credentials=reached.credentials,
            proxy=reached.proxy,
            proxy_credentials=reached.proxy_credentials,
        ),
        policy=settings.policy or None,
        test_trust=settings.trust_class == "test",
        validation_source=_fetched(settings.fetch, reached, clock, anchors),
        accuracy=timedelta(seconds=accuracy) if accuracy else None,
    )


# -- seals ----------------------------------------------------------------------------------------------


def _sealers(settings: ArchiveSettings, trust: LocalTrust | None, clock: Clock, anchors: Sequence[bytes]) -> Sealer:
    """The seal key, and those that take over from it."""
    first = _sealer(settings.home, settings.seal, trust, clock, anchors)
    if not settings.seal.next:
        return first
    later = [(one.since, _sealer(settings.home, one, trust, clock, anchors)) for one in settings.seal.next]
    return RollingSealer(first, [(since, sealer) for since, sealer in later if since is not None], clock)


def _sealer(
    home: Path, settings: SealSettings, trust: LocalTrust | None, clock: Clock, anchors: Sequence[bytes]
) -> Sealer:
    scheme = settings.key.partition(":")[0]
    if scheme == LOCAL:
        return _local_sealer(settings, trust)
    reached = _seal_connection(home, settings)
    fetched = _fetched(settings.fetch, reached, clock, anchors, seal=True)
    source = _at_any_time(fetched) if fetched else None
    if scheme == "file":
        password = _revealed(home, settings.connection.password)
        key = load_key(
            settings.key,
            base=home,
            certificates=home / settings.certificates if settings.certificates else None,
            passphrase=password.encode("utf-8") if password is not None else None,
        )

        def software() -> Sealer:
            from signing.seals import SoftwareSealer  # loads pyHanko

            return SoftwareSealer(key, source=source, digest=settings.digest)

        return DeferredSealer(software, test_trust=False)
    device = _device(home, settings, reached)

    def build() -> Sealer:
        from signing.seals import DeviceSealer  # loads pyHanko

        return DeviceSealer(device, source=source, digest=settings.digest)

    return DeferredSealer(build, test_trust=False)


def _local_sealer(settings: SealSettings, trust: LocalTrust | None) -> Sealer:
    if trust is None or settings.key != f"{LOCAL}:":
        raise SettingsError(f"{settings.key!r} is not a key address; the home's own test key is `{LOCAL}:`")
    key = load_key(trust.seal_key_address, certificates=trust.seal_certificate_file)
    data = trust.seal_validation_data

    def build() -> Sealer:
        from signing.seals import SoftwareSealer  # loads pyHanko

        return SoftwareSealer(key, test_trust=True, validation_source=data, digest=settings.digest)

    return DeferredSealer(build, test_trust=True)


def _at_any_time(fetched: Callable[[bytes], ValidationData]) -> Callable[[bytes, datetime], ValidationData]:
    return lambda seal, _at: fetched(seal)


def _seal_connection(home: Path, settings: SealSettings) -> Connection:
    """How the seal's service and the addresses of `fetch` are reached. A password is the file's or the account's."""
    from dataclasses import replace

    return connection(home, replace(settings.connection, user="", password=None), "the seal key")


def _device(home: Path, settings: SealSettings, reached: Connection) -> KeyDevice:
    """A key in hardware or at a service; that it answers is not asked here."""
    certificates = tuple(read_certificates(home / settings.certificates)) if settings.certificates else ()
    scheme = settings.key.partition(":")[0]
    if scheme == "pkcs11":
        from signing.pkcs11_key import Pkcs11Address, Pkcs11Key

        if settings.pin is None:
            raise SettingsError('a PKCS #11 key needs its PIN: write pin = "env:NAME" or "file:PATH" in [seal]')
        address = Pkcs11Address.parse(settings.key)
        pin = settings.pin
        return Pkcs11Key(
            address, lambda: pin.reveal(home), certificates=certificates, timeout=settings.connection.timeout
        )
    if scheme == "csc":
        from signing.csc_key import CscAccount, CscKey

        account = CscAccount(
            login=settings.login,
            user=settings.connection.user,
            password=_later(home, settings.connection.password),
            pin=_later(home, settings.pin),
        )
        return CscKey(
            settings.key, account, credential=settings.credential, certificates=certificates, connection=reached
        )
    raise SettingsError(f"{settings.key!r} is not a key address; use file:PATH, pkcs11:… or csc:…")


def _later(home: Path, secret: Secret | None) -> Callable[[], str] | None:
    return (lambda: secret.reveal(home)) if secret is not None else None


def _cautions(settings: ArchiveSettings) -> list[str]:
    """What works and should not stay so."""
    keys = [settings.seal, *settings.seal.next]
    said = [
        f"the seal key {one.key.partition(':')[2]} lies in a file: whoever reads it can seal; put it into hardware"
        for one in keys
        if one.key.startswith("file:")
    ]
    plain = [one.name for one in settings.authorities if one.url.startswith("http:") and one.connection.user]
    said += [f"the password for the TSA {name} travels in the clear: use its https address" for name in plain]
    by_address: dict[str, list[str]] = {}
    for one in settings.authorities:
        if one.url:
            by_address.setdefault(one.url.rstrip("/").lower(), []).append(one.name)
    alike = [" and ".join(names) for names in by_address.values() if len(names) > 1]
    said += [f"the TSAs {names} have one address: what takes one takes the other, too" for names in alike]
    return said

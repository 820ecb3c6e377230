"""The composition root: settings to adapters to an `Archive`. Only this module names adapters.

Rules kept here
 * What a setting asks for is built or refused with the key to change; nothing is guessed.
 * Tests pass overrides, production passes none.
 * Trust is explicit: anchors come from files that the settings name, never from the system.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy.engine import make_url

from api.algorithm_lists import algorithms_in_force
from api.deferred import DeferredSealer, DeferredSealValidator, DeferredTimestampValidator
from api.home import open_local_trust
from api.settings import ArchiveSettings, AuthoritySettings, StoreSettings
from archive_core.archive import Archive
from archive_core.catalogue.catalogue import Catalogue
from archive_core.clock import SystemClock
from archive_core.copy_rule import CopyRule
from archive_core.errors import CatalogueDamagedError, SettingsError
from archive_core.fixity.running import Pace
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ports import (
    Clock,
    ObjectStore,
    Sealer,
    SealValidator,
    TimestampAuthority,
    TimestampValidator,
    ValidationData,
)
from archive_core.publishing import Published
from archive_core.replication import Copies
from policies.algorithms import AlgorithmTable
from policies.profiles import published_profiles
from policies.renewal_values import RenewalPolicy, StatusChange
from signing.http_fetch import Allowed
from signing.http_transport import HttpTransport
from signing.keys import load_key
from signing.local_trust import LocalTrust
from signing.tsa import TsaClient
from storage_backends.filesystem import FilesystemStore
from storage_backends.s3 import S3Store
from storage_backends.s3_client import S3Place
from storage_backends.writer import SideBySideStore

LOCAL = "local"


def build_archive(
    settings: ArchiveSettings, *, clock: Clock | None = None, create: bool = False, busy: bool = False
) -> Archive:
    """An archive over what the settings describe. With `create`, storage roots and catalogue are made
    where they are missing; without, what is missing is an error. A `busy` one is to take many deposits
    at once: processes of their own write its stores. Raises `SettingsError`, `SchemaOutOfDateError`,
    `CatalogueDamagedError` or `UnavailableError`."""
    clock = clock or SystemClock()
    published = build_published(settings)
    signing = build_signing(settings, clock)
    copies = build_copies(settings, create=create, busy=busy)
    try:
        if create:
            published.publish(copies)
        catalogue = open_catalogue(settings, create=create)
    except BaseException:
        copies.close()
        raise
    return Archive(
        name=settings.name,
        clock=clock,
        catalogue=catalogue,
        copies=copies,
        authorities=signing.authorities,
        trust_classes={one.name: one.trust_class for one in settings.authorities},
        validator=signing.validator,
        sealer=signing.sealer,
        seal_validator=signing.seal_validator,
        published=published,
        news=build_news(settings),
        renewal_policy=build_renewal_policy(settings),
        renewal_bytes_per_second=int(settings.renewal.read_mib_per_second * 2**20) or None,
        fixity_paces=build_fixity_paces(settings),
    )


def build_fixity_paces(settings: ArchiveSettings) -> dict[str, Pace]:
    """How the scheduler reads each store again."""
    own = dict(settings.fixity.stores)
    return {
        store.name: Pace(
            days=pace.days_per_cycle,
            bytes_per_second=int(pace.mib_per_second * 2**20) or None,
            from_hour=pace.from_hour,
            until_hour=pace.until_hour,
        )
        for store in settings.stores
        for pace in [own.get(store.name, settings.fixity)]
    }


def build_news(settings: ArchiveSettings) -> dict[str, StatusChange]:
    """What the settings report of time-stamp authorities, by name."""
    return {
        one.authority: StatusChange(
            one.what,
            datetime(one.on.year, one.on.month, one.on.day, tzinfo=UTC),
            compromised=one.compromised,
            replaced=one.replaced,
        )
        for one in settings.reported
    }


def build_renewal_policy(settings: ArchiveSettings) -> RenewalPolicy:
    """How early renewals are due, and how much of the evidence is renewed unasked."""
    return RenewalPolicy(
        timestamp_margin=timedelta(days=settings.renewal.timestamp_margin_days),
        hash_tree_margin=timedelta(days=settings.renewal.hash_tree_margin_days),
        share=settings.renewal.share,
    )


@dataclass(frozen=True, slots=True)
class Signing:
    """Who seals and stamps, and who judges that."""

    authorities: dict[str, TimestampAuthority]
    validator: TimestampValidator
    sealer: Sealer
    seal_validator: SealValidator


def build_signing(settings: ArchiveSettings, clock: Clock) -> Signing:
    """Keys, certificates and trust anchors are read now, and `SettingsError` says which are wrong; the
    libraries that work with them load when they are first used."""
    trust = _local_trust(settings)
    anchors, test_anchors = _anchors(settings, trust)
    algorithms = build_algorithms(settings)

    def validator() -> TimestampValidator:
        from signing.timestamp_validation import TokenValidator

        return TokenValidator(anchors, algorithms=algorithms, test_anchors=test_anchors)

    def seal_validator() -> SealValidator:
        from signing.seal_validation import SealVerifier

        return SealVerifier(anchors, algorithms=algorithms, test_anchors=test_anchors)

    return Signing(
        authorities={
            one.name: _authority(one, trust, clock, [*anchors, *test_anchors]) for one in settings.authorities
        },
        validator=DeferredTimestampValidator(validator),
        sealer=_sealer(settings, trust),
        seal_validator=DeferredSealValidator(seal_validator),
    )


def build_algorithms(settings: ArchiveSettings) -> AlgorithmTable:
    """The list of algorithms in force; raises `SettingsError`."""

    def verify(source: bytes, signers: Sequence[bytes]) -> None:
        from signing.list_signature import verify_list_signature  # loads lxml

        verify_list_signature(source, signers)

    return algorithms_in_force(settings, certificates=read_certificates, verify=verify)


def build_published(settings: ArchiveSettings) -> Published:
    return Published(published_profiles(), build_algorithms(settings), default_profile=settings.default_profile)


def build_copies(settings: ArchiveSettings, *, create: bool, busy: bool = False) -> Copies:
    """The stores of the settings, each with its storage root."""
    # The first store decides who claimed a number, so it is a required one.
    ordered = sorted(settings.stores, key=lambda store: not store.required)
    roots = [StorageRoot(_store(settings.home, one, create, busy)) for one in ordered]
    settings.staging.mkdir(mode=0o700, parents=True, exist_ok=True)
    if create:
        for root in roots:
            root.initialise()
    return Copies(roots, settings.staging, rule=build_rule(settings))


def build_rule(settings: ArchiveSettings) -> CopyRule:
    """How many copies make a deposit kept."""
    required = frozenset(store.name for store in settings.stores if store.required)
    return CopyRule(
        required,
        max(settings.copies.stores, len(required)),
        settings.copies.sites,
        {store.name: store.site for store in settings.stores if store.site},
    )


def open_catalogue(settings: ArchiveSettings, *, create: bool) -> Catalogue:
    """The catalogue; without `create` it must be there, because an empty one beside full stores would
    deny everything that they hold."""
    url = catalogue_url(settings)
    if create:
        return Catalogue.create(url)
    require_catalogue(settings)
    return Catalogue.open(url)


def require_catalogue(settings: ArchiveSettings) -> None:
    """Raises `CatalogueDamagedError` when the catalogue's file is missing or empty."""
    file = catalogue_file(settings)
    if file is not None and not (file.exists() and file.stat().st_size):
        raise CatalogueDamagedError(
            f"the catalogue {file} is missing; the stores are the truth: run `trusted-archive rebuild-catalogue`"
        )


def catalogue_file(settings: ArchiveSettings) -> Path | None:
    """The catalogue's file, or None when it is in a server database."""
    url = make_url(catalogue_url(settings))
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def catalogue_url(settings: ArchiveSettings, file: str | None = None) -> str:
    """The catalogue's URL with its password; `file` names another SQLite file below the home."""
    url = make_url(settings.catalogue.url)
    if url.get_backend_name() == "sqlite":
        name = file or url.database or ""
        url = url.set(database=str(settings.home / name))
    elif settings.catalogue.password is not None:
        url = url.set(password=settings.catalogue.password.reveal(settings.home))
    return url.render_as_string(hide_password=False)


def _store(home: Path, settings: StoreSettings, create: bool, busy: bool) -> ObjectStore:
    opener = _STORES.get(settings.scheme)
    if opener is None:
        known = ", ".join(sorted(_STORES))
        raise SettingsError(f"the store {settings.name} has the scheme {settings.scheme!r}; built are: {known}")
    return opener(home, settings, create, busy)


def _filesystem(home: Path, settings: StoreSettings, create: bool, busy: bool) -> ObjectStore:
    kind = SideBySideStore if busy else FilesystemStore
    root, staging = home / settings.root, home / settings.staging
    return kind.create(settings.name, root, staging) if create else kind(settings.name, root, staging)


def _bucket(home: Path, settings: StoreSettings, create: bool, busy: bool) -> ObjectStore:
    """A store in a bucket, which somebody with the right to do so has made: `create` makes no bucket."""
    one = settings.bucket
    if one is None:
        raise SettingsError(f"the store {settings.name} says no bucket")
    place = S3Place(
        bucket=one.bucket,
        prefix=one.prefix,
        access_key=lambda: one.access_key.reveal(home),
        secret_key=lambda: one.secret_key.reveal(home),
        endpoint=one.endpoint,
        region=one.region,
        path_style=one.path_style,
        ca_file=str(home / one.ca_file) if one.ca_file else "",
        proxy=one.proxy,
        connect_timeout=one.connect_timeout,
        read_timeout=one.read_timeout,
        attempts=one.attempts,
        connections=one.connections,
    )
    return S3Store(settings.name, place)


_STORES: dict[str, Callable[[Path, StoreSettings, bool, bool], ObjectStore]] = {
    "filesystem": _filesystem,
    "s3": _bucket,
}


def _local_trust(settings: ArchiveSettings) -> LocalTrust | None:
    """The home's test trust, when anything in the settings asks for it."""
    wanted = settings.seal.key == f"{LOCAL}:" or any(one.scheme == LOCAL for one in settings.authorities)
    return open_local_trust(settings.home) if wanted else None


def trust_anchors(settings: ArchiveSettings) -> tuple[list[bytes], list[bytes]]:
    """Trust anchors (DER) of the settings and, apart from them, those that are only for tests."""
    return _anchors(settings, _local_trust(settings))


def _anchors(settings: ArchiveSettings, trust: LocalTrust | None) -> tuple[list[bytes], list[bytes]]:
    """Trust anchors and, apart from them, those that are only for tests."""
    found = [der for name in settings.anchors for der in read_certificates(settings.home / name)]
    test = [trust.anchor] if trust else []
    return [der for der in found if der not in test], test


def read_certificates(path: Path) -> Sequence[bytes]:
    """The certificates (DER) of a PEM file; raises `SettingsError` naming it."""
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot read trust anchors from {path}: {error}") from error
    return [certificate.public_bytes(Encoding.DER) for certificate in found]


def _authority(
    settings: AuthoritySettings, trust: LocalTrust | None, clock: Clock, anchors: Sequence[bytes]
) -> TimestampAuthority:
    if settings.scheme == LOCAL:
        if trust is None or settings.trust_class != "test":
            raise SettingsError(f"the local TSA {settings.name} gives test time-stamps: trust_class must be `test`")
        return trust.authority(settings.name, clock)
    if settings.scheme == "http":
        transport = HttpTransport(settings.url, timeout=settings.timeout)
        return TsaClient(
            settings.name,
            transport,
            policy=settings.policy or None,
            test_trust=settings.trust_class == "test",
            validation_source=_validation_source(settings, clock, anchors),
        )
    raise SettingsError(f"the TSA {settings.name} has the scheme {settings.scheme!r}; built are: local, http")


def _validation_source(
    settings: AuthoritySettings, clock: Clock, anchors: Sequence[bytes]
) -> Callable[[bytes], ValidationData] | None:
    """Where chain and revocation data of an authority's tokens come from; None: only from inside them."""
    allowed = Allowed(settings.fetch)
    if not allowed:
        return None

    def source(token: bytes) -> ValidationData:
        from signing.fetching import FetchedData, over_http  # loads what reads lists and responses

        return FetchedData(allowed, over_http(settings.timeout), clock, known=anchors)(token)

    return source


def _sealer(settings: ArchiveSettings, trust: LocalTrust | None) -> Sealer:
    test_trust = trust is not None and settings.seal.key == f"{LOCAL}:"
    if trust is not None and test_trust:
        key = load_key(trust.seal_key_address, certificates=trust.seal_certificate_file)
        source = trust.seal_validation_data
    else:
        key, source = load_key(settings.seal.key, base=settings.home), None

    def build() -> Sealer:
        from signing.seals import SoftwareSealer  # loads pyHanko

        return SoftwareSealer(key, test_trust=test_trust, validation_source=source, digest=settings.seal.digest)

    return DeferredSealer(build, test_trust=test_trust)

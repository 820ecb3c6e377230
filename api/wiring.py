"""The composition root: settings to adapters to an `Archive`. Only this module, `wiring_signing`,
`wiring_examination`, `wiring_lists` and their like name adapters.

Rules kept here
 * What a setting asks for is built or refused with the key to change; nothing is guessed.
 * Tests pass overrides, production passes none.
 * Trust is explicit: anchors come from files that the settings name, never from the system.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.engine import make_url

from api.settings import ArchiveSettings, StoreSettings
from api.wiring_examination import build_examiner, list_index
from api.wiring_lists import build_lists
from api.wiring_people import build_judge, build_people_rules
from api.wiring_signing import Signing as Signing
from api.wiring_signing import build_algorithms as build_algorithms
from api.wiring_signing import build_signing as build_signing
from api.wiring_signing import trust_anchors as trust_anchors
from api.wiring_webhooks import build_receivers, build_sender
from archive_core.archive import Archive
from archive_core.catalogue.catalogue import Catalogue
from archive_core.clock import SystemClock
from archive_core.copy_rule import CopyRule
from archive_core.errors import CatalogueDamagedError, SettingsError
from archive_core.examining_later import Patience
from archive_core.fixity.running import Pace
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.people import People
from archive_core.ports import (
    Clock,
    ObjectStore,
)
from archive_core.publishing import Published
from archive_core.replication import Copies
from archive_core.worm import LockPolicy
from policies.errors import PolicyError
from policies.profiles import PreservationProfile, published_profiles
from policies.renewal_values import RenewalPolicy, StatusChange
from storage_backends.filesystem import FilesystemStore
from storage_backends.immutable import ImmutableStore
from storage_backends.s3 import S3Store
from storage_backends.s3_client import S3Place
from storage_backends.s3_locks import LockingS3Store
from storage_backends.writer import SideBySideStore


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
    made: list[Archive] = []  # whoever examines asks the archive for its lists, once it is there
    archive = Archive(
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
        cautions=signing.cautions,
        instead={one.name: one.instead for one in settings.authorities if one.instead},
        budgets={one.name: one.budget for one in settings.authorities if one.budget},
        locks=build_locks(settings),
        fixity_paces=build_fixity_paces(settings),
        registered_only=settings.access.registered_only,
        pdf_sealer=signing.pdf_sealer,
        receivers=build_receivers(settings),
        send=build_sender(settings),
        people=People(clock=clock, judge=build_judge(settings), rules=build_people_rules(settings)),
        examiner=build_examiner(settings, list_index(made, settings.home / "trusted-lists")),
        lists=build_lists(settings),
        examine_later=Patience(
            timedelta(minutes=settings.examination.retry_minutes), timedelta(hours=settings.examination.alarm_hours)
        ),
    )
    made.append(archive)
    return archive


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


def build_published(settings: ArchiveSettings) -> Published:
    profiles = (*published_profiles(), *own_profiles(settings))
    return Published(profiles, build_algorithms(settings), default_profile=settings.default_profile)


def own_profiles(settings: ArchiveSettings) -> tuple[PreservationProfile, ...]:
    """The profiles that the settings name; raises `SettingsError` for one that cannot be kept here."""
    found: dict[str, PreservationProfile] = {one.id: one for one in published_profiles()}
    own = []
    for name in settings.profiles:
        try:
            profile = PreservationProfile.load((settings.home / name).read_bytes())
        except (OSError, PolicyError) as error:
            raise SettingsError(f"the profile {name} cannot be read: {error}") from error
        if profile.id in found:
            raise SettingsError(f"the profile {profile.id} of {name} is there already: a change is a new id")
        found[profile.id] = profile
        own.append(profile)
    return tuple(own)


def build_copies(settings: ArchiveSettings, *, create: bool, busy: bool = False) -> Copies:
    """The stores of the settings, each with its storage root."""
    # The first store decides who claimed a number, so it is a required one.
    ordered = sorted(settings.stores, key=lambda store: not store.required)
    roots = [StorageRoot(_store(settings.home, one, create, busy)) for one in ordered]
    settings.staging.mkdir(mode=0o700, parents=True, exist_ok=True)
    if create:
        for root in roots:
            root.initialise()
    return Copies(
        roots,
        settings.staging,
        rule=build_rule(settings),
        profile_rules=build_profile_rules(settings),
        patience=settings.copies.patience,
    )


def build_rule(settings: ArchiveSettings) -> CopyRule:
    """How many copies make a deposit kept."""
    required = frozenset(store.name for store in settings.stores if store.required)
    return CopyRule(
        required,
        max(settings.copies.stores, len(required)),
        settings.copies.sites,
        {store.name: store.site for store in settings.stores if store.site},
    )


def build_profile_rules(settings: ArchiveSettings) -> dict[str, CopyRule]:
    """The rules of profiles that say one of their own. Raises `SettingsError` for one that these stores cannot keep."""
    sites = {store.name: store.site for store in settings.stores if store.site}
    names = {store.name for store in settings.stores}
    rules = {}
    for profile in own_profiles(settings):
        quorum = profile.quorum
        if quorum is None:
            continue
        if strangers := sorted(set(quorum.required) - names):
            raise SettingsError(f"the profile {profile.id} requires the store {strangers[0]}, which the settings lack")
        different = {sites.get(name) or name for name in names}
        if quorum.stores > len(names) or quorum.sites > len(different):
            raise SettingsError(f"the profile {profile.id} asks for more stores or sites than the settings have")
        required = frozenset(quorum.required)
        rules[profile.id] = CopyRule(required, max(quorum.stores, len(required)), quorum.sites, sites)
    return rules


def build_locks(settings: ArchiveSettings) -> dict[str, LockPolicy]:
    """The stores that are to lock what they keep."""
    return {
        store.name: LockPolicy(
            timedelta(days=store.lock.days), timedelta(days=store.lock.renew_days), store.lock.failing == "refuse"
        )
        for store in settings.stores
        if store.lock is not None
    }


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
    kind = ImmutableStore if settings.lock else SideBySideStore if busy else FilesystemStore
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
    if settings.lock is not None:
        return LockingS3Store(settings.name, place, settings.lock.mode.upper())
    return S3Store(settings.name, place)


_STORES: dict[str, Callable[[Path, StoreSettings, bool, bool], ObjectStore]] = {
    "filesystem": _filesystem,
    "s3": _bucket,
}

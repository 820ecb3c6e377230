"""Sandboxes for drills: a copied catalogue, stores that write beside the real ones, stand-ins, a clock that is set.

Rules kept here
 * Nothing real is written, asked or spent: real stores are only read, the catalogue is copied, no real authority is
   asked for anything, and all that a drill writes lies in a temporary folder that goes with it.
 * A stand-in answers under the name of a real authority, with a certificate of the drill's own that lasts beyond the
   drill and rests on nothing that is broken. What it made is told apart from real time-stamps; a fallen authority
   has fallen with both.
 * The validator trusts what the archive trusts, and the drill's own authority.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import delete, insert, select

from api.settings import ArchiveSettings
from api.wiring import build_copies, build_news, catalogue_file, open_catalogue, trust_anchors
from archive_core.archive import Archive
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.schema import upgrade
from archive_core.catalogue.session import open_engine
from archive_core.catalogue.tables import claims, jobs, keys, leases, metadata
from archive_core.digests import Digest
from archive_core.drilling import STAND_IN
from archive_core.errors import SealKeyUnavailableError, UnknownObjectError
from archive_core.findings import SubIndication, Verdict
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ports import Seal, TimestampToken, TimestampValidator, TokenAssessment, ValidationData
from archive_core.publishing import Published
from archive_core.replication import Copies, ignore_damage
from policies.algorithms import AlgorithmTable
from policies.breaking import Break, Broken
from policies.profiles import TRUST_CLASSES, published_profiles
from signing.certificates import name_of
from signing.cms import parse_signed_message
from signing.local_keys import ECDSA_P384, ML_DSA_65
from signing.local_trust import AUTHORITIES, LocalTrust, Making, create_local_trust
from signing.seal_validation import SealVerifier
from signing.timestamp_validation import TokenValidator
from signing.tsa import TsaClient
from storage_backends.filesystem import FilesystemStore
from storage_backends.overlay import OverlayStore

_ROWS = 1000
_MAX_TOKEN = 64 * 1024**2


@dataclass
class DrillClock:
    """Time that is set, and passes a little at every look."""

    at: datetime

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=5)
        return self.at


@dataclass
class Made:
    """Who made which time-stamp in a drill, by imprint and genTime."""

    by: dict[tuple[Digest, datetime], str] = field(default_factory=dict)


class StandIn:
    """A `TimestampAuthority` in the place, and under the name, of a real one."""

    def __init__(self, name: str, client: TsaClient, made: Made, *, test_trust: bool) -> None:
        self.name = name
        self.test_trust = test_trust
        self._client = client
        self._made = made
        self._tokens: set[bytes] = set()

    def timestamp(self, imprint: Digest) -> TimestampToken:
        token = self._client.timestamp(imprint)
        self._made.by[imprint, token.gen_time] = self.name
        self._tokens.add(token.der)
        return replace(token, tsa=self.name, test_trust=self.test_trust)

    def validation_data(self, token: bytes) -> ValidationData:
        """For its own time-stamps; nobody is asked about real ones, whose data were kept."""
        return self._client.validation_data(token) if token in self._tokens else ValidationData()


class WithoutFallen:
    """A `TimestampValidator` for which some authorities have fallen at an instant."""

    def __init__(
        self, real: TimestampValidator, made: Made, *, names: Collection[str], signers: Collection[str], at: datetime
    ) -> None:
        self._real = real
        self._made = made
        self._names = frozenset(names)
        self._signers = frozenset(signers)
        self._at = at

    def assess(self, token: bytes, *, at: datetime, data: ValidationData | None = None) -> TokenAssessment:
        found = self._real.assess(token, at=at, data=data)
        if at < self._at or not self._has_fallen(found):
            return found
        message = f"the key that made it was compromised on {self._at:%Y-%m-%d} (drill)"
        return replace(
            found, verdict=Verdict.INDETERMINATE, sub_indication=SubIndication.REVOKED_NO_POE, message=message
        )

    def _has_fallen(self, found: TokenAssessment) -> bool:
        if found.imprint is not None and found.gen_time is not None:
            name = self._made.by.get((found.imprint, found.gen_time))
            if name is not None:
                return name in self._names
        return found.signer in self._signers


class NoSealer:
    """Nothing is sealed in a drill."""

    test_trust = True

    def in_force(self, at: datetime) -> NoSealer:
        return self

    def seal(self, content: bytes, *, at: datetime) -> Seal:
        raise SealKeyUnavailableError("nothing is sealed in a drill")


# -- who is who ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Authorities:
    """For each authority that the holding rests on: who signed its newest time-stamps, and who is above them."""

    signers: dict[str, frozenset[str]]
    above: dict[str, frozenset[str]]

    def fallen(self, broken: Break) -> tuple[str, ...]:
        """The authorities that fall; raises `UnknownObjectError` naming those that could."""
        if broken.what is Broken.AUTHORITY:
            if broken.name not in self.signers:
                raise UnknownObjectError(f"no evidence rests on {broken.name!r}; it rests on {_listed(self.signers)}")
            return (broken.name,)
        if broken.what is Broken.CERTIFICATION:
            wanted = broken.name.casefold()
            found = [tsa for tsa, names in self.above.items() if any(wanted in name.casefold() for name in names)]
            if not found:
                known = {name for names in self.above.values() for name in names}
                raise UnknownObjectError(f"no evidence rests on {broken.name!r}; it rests on {_listed(known)}")
            return tuple(sorted(found))
        return ()


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "nothing yet"


def authorities_of(archive: Archive) -> Authorities:
    """Read from one newest time-stamp for each authority and certificate."""
    tsa_of = {row.storage_object: row.tsa for row in archive.catalogue.renewals()}
    seen: set[tuple[str, object]] = set()
    signers: dict[str, set[str]] = {}
    above: dict[str, set[str]] = {}
    for head in archive.catalogue.heads():
        tsa = tsa_of.get(head.storage_object, head.tsa)
        mark = (tsa, (head.facts or {}).get("signer_until"))
        if mark in seen:
            continue
        seen.add(mark)
        token = _token(archive.copies, head.storage_object, head.ocfl_path)
        signers.setdefault(tsa, set()).add(archive.validator.assess(token, at=head.gen_time).signer)
        names = above.setdefault(tsa, set())
        for certificate in parse_signed_message(token).certificates:
            issuer = certificate.issuer.native.get("common_name")
            names.add(issuer if isinstance(issuer, str) else str(certificate.issuer.human_friendly))
            if certificate.ca:
                names.add(name_of(certificate))
    return Authorities(
        {tsa: frozenset(names) for tsa, names in signers.items()}, {t: frozenset(n) for t, n in above.items()}
    )


def _token(copies: Copies, object_id: str, content_path: str) -> bytes:
    inventory = copies.inventory(object_id, ignore_damage)
    head = inventory.head_number
    path = next(one for one in inventory.state(head) if inventory.content_path(head, one) == content_path)
    return copies.read_file(object_id, head, path, limit=_MAX_TOKEN, on_damage=ignore_damage)


# -- the sandbox -----------------------------------------------------------------------------------


class DrillSandbox:
    """A `Sandbox` in a folder of its own."""

    def __init__(
        self, settings: ArchiveSettings, folder: Path, broken: Break, known: Authorities, *, started: datetime
    ) -> None:
        self._settings = settings
        self._broken = broken
        self._known = known
        self._clock = DrillClock(started)
        self._made = Made()
        kind = ECDSA_P384 if broken.name == "ml-dsa" else ML_DSA_65
        years = 15 + (broken.at - started) / timedelta(days=365)
        self._trust = create_local_trust(folder / "trust", at=started, making=Making(kind, years, years))
        self.catalogue = copied_catalogue(settings, folder / "catalogue.sqlite3")
        self.copies = overlaid_copies(settings, folder)

    def set_time(self, at: datetime) -> None:
        self._clock.at = at

    def stamps(self) -> int:
        return len(self._made.by)

    def archive(self, table: AlgorithmTable) -> Archive:
        settings, trust = self._settings, self._trust
        anchors, test_anchors = trust_anchors(settings)
        names = self._known.fallen(self._broken)
        signers = {signer for name in names for signer in self._known.signers[name]}
        judge = TokenValidator([*anchors, trust.anchor], algorithms=table, test_anchors=test_anchors)
        classes = {one.name: one.trust_class for one in settings.authorities}
        strongest = max(classes.values(), key=TRUST_CLASSES.index)
        return Archive(
            name=settings.name,
            clock=self._clock,
            catalogue=self.catalogue,
            copies=self.copies,
            authorities={name: self._stand_in(trust, name, classes.get(name)) for name in (*classes, STAND_IN)},
            trust_classes={**classes, STAND_IN: strongest},
            validator=WithoutFallen(judge, self._made, names=names, signers=signers, at=self._broken.at),
            sealer=NoSealer(),
            seal_validator=SealVerifier(anchors, algorithms=table, test_anchors=test_anchors),
            published=Published(published_profiles(), table, default_profile=settings.default_profile),
            news=build_news(settings),
        )

    def _stand_in(self, trust: LocalTrust, name: str, trust_class: str | None) -> StandIn:
        digest = "sha3-512" if self._broken.name == "sha512" else "sha512"  # it does not fall with what is broken
        unit = trust.authority(AUTHORITIES[0], self._clock, digest)
        return StandIn(name, unit, self._made, test_trust=trust_class == "test")

    def close(self) -> None:
        self.catalogue.close()
        self.copies.close()


@contextmanager
def sandbox(
    settings: ArchiveSettings, broken: Break, known: Authorities, *, started: datetime
) -> Iterator[DrillSandbox]:
    """A sandbox for one telling; it is gone at the end of the block."""
    with TemporaryDirectory(prefix="trusted-archive-drill-") as folder:
        made = DrillSandbox(settings, Path(folder), broken, known, started=started)
        try:
            yield made
        finally:
            made.close()


def overlaid_copies(settings: ArchiveSettings, folder: Path) -> Copies:
    """The stores of the settings, read; what is written goes to the folder."""
    real = build_copies(settings, create=False)
    roots = []
    for root in real.roots:
        above = FilesystemStore.create(root.store.name, folder / root.store.name, folder / f"{root.store.name}.staging")
        roots.append(StorageRoot(OverlayStore(root.store, above)))
    (folder / "scratch").mkdir()
    return Copies(roots, folder / "scratch", rule=real.given_rule)


def copied_catalogue(settings: ArchiveSettings, target: Path) -> Catalogue:
    """The catalogue as of now, in a file of its own, without what belongs to running processes and people's keys."""
    file = catalogue_file(settings)
    if file is not None:
        with sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True) as source, sqlite3.connect(target) as copy:
            source.backup(copy)
        source.close()
        copy.close()
    else:
        _copy_rows(settings, target)
    catalogue = Catalogue.open(f"sqlite:///{target}")
    with catalogue.engine.begin() as connection:
        for table in (leases, claims, jobs, keys):
            connection.execute(delete(table))
    return catalogue


def _copy_rows(settings: ArchiveSettings, target: Path) -> None:
    """From a server database, table by table, in one reading transaction."""
    real, engine = open_catalogue(settings, create=False), open_engine(f"sqlite:///{target}")
    try:
        upgrade(engine)
        with real.engine.connect() as source, engine.begin() as copy:
            for table in metadata.sorted_tables:
                copy.execute(delete(table))
                rows = source.execution_options(yield_per=_ROWS).execute(select(table)).mappings()
                for part in rows.partitions():
                    copy.execute(insert(table), [dict(row) for row in part])
    finally:
        real.close()
        engine.dispose()

"""A world whose time-stamp authorities live and die: certificates that end, lists that are missing, news that are bad.

The rules this world keeps
 * Tokens, certificates and lists are forged by `tests/unit/signing/forge`, not by the product; the validator is the
   product's, with the roots of these authorities as its anchors.
 * Time is the world's stepping clock, for authorities too.
 * `prove()` asks everything: each version of each store alone, every bundle offline, and says since when it was
   proven; what was told once never changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from api.offline.checking import Judges
from api.offline.checks import check_bundle
from archive_core.archive import Archive
from archive_core.digests import Digest
from archive_core.errors import UnavailableError
from archive_core.findings import Report, Verdict
from archive_core.ports import Clock, TimestampToken, ValidationData
from archive_core.renewal.running import ALL, RenewalRequest, RenewalResult
from policies.algorithms import AlgorithmTable, current_algorithms
from policies.renewal_values import RenewalKind
from signing.timestamp_validation import TokenValidator
from signing.tsa import TsaClient
from tests.unit.signing import forge
from tests.unit.signing.fake_tsa import FakeTsa
from tests.world import OPERATOR, World

YEAR = forge.YEAR


@dataclass
class MortalTsa:
    """A time-stamp authority with a unit's certificate that ends. `inside` puts a revocation list into its
    tokens, `offers` gives one beside them; `digest` is what it signs with; `away` makes it silent, `out_of_reach`
    only what it offers beside tokens; `revoked` are units with the instant of their revocation; `ahead` is how wrong
    its clock goes."""

    name: str
    clock: Clock
    root: forge.Identity
    unit: forge.Identity
    inside: bool = True
    offers: bool = True
    away: bool = False
    out_of_reach: bool = False
    asked: int = 0
    revoked: list[tuple[forge.Identity, datetime, Any]] = field(default_factory=list)
    ahead: timedelta = timedelta(0)
    frozen: datetime | None = None
    refused_digests: frozenset[str] = frozenset()
    test_trust: bool = False
    digest: str = "sha512"

    @classmethod
    def born(
        cls,
        name: str,
        clock: Clock,
        *,
        years: float = 5,
        key: str = "p384",
        root_years: float = 60,
        root_key: str = "p256",
        **options: Any,
    ) -> MortalTsa:
        """A new authority with a root of its own, from now on."""
        at = clock.now()
        end = at + root_years * YEAR
        root = forge.authority(f"{name} root {at:%Y}", start=at - YEAR, end=end, key=forge.new_key(root_key))
        return cls(name, clock, root, _unit(name, root, at, years, key), **options)

    def renew_unit(self, *, years: float = 5, key: str = "p384") -> None:
        """A new unit under the same root."""
        self.unit = _unit(self.name, self.root, self.clock.now(), years, key)

    @property
    def anchor(self) -> bytes:
        return self.root.certificate.public_bytes(Encoding.DER)

    def crl(self) -> bytes:
        at = self.clock.now()
        return forge.crl(self.root, issued_at=at, next_update=at + timedelta(days=30), revoked=self.revoked)

    def timestamp(self, imprint: Digest) -> TimestampToken:
        self.asked += 1
        if self.away:
            raise UnavailableError(f"{self.name} is away")
        gen_time = (self.frozen or self.clock.now()) + self.ahead
        gen_time = gen_time.replace(microsecond=gen_time.microsecond // 1000 * 1000)
        crls = (self.crl(),) if self.inside else ()
        status = 2 if imprint.algorithm in self.refused_digests else 0
        tsa = FakeTsa(
            self.unit, crls, edit=lambda recipe: recipe.but(gen_time=gen_time, digest=self.digest), status=status
        )
        return TsaClient(self.name, tsa).timestamp(imprint)

    def validation_data(self, token: bytes) -> ValidationData:
        if self.away or self.out_of_reach:
            raise UnavailableError(f"{self.name} is away")
        if not self.offers:
            return ValidationData()
        certificates = tuple(one.public_bytes(Encoding.DER) for one in (self.unit.certificate, self.root.certificate))
        return ValidationData(certificates, (self.crl(),))


def _unit(name: str, root: forge.Identity, at: datetime, years: float, key: str) -> forge.Identity:
    start = at - timedelta(days=1)
    return forge.time_stamp_unit(root, f"{name} {at:%Y}", start=start, end=at + years * YEAR, key=forge.new_key(key))


class RenewalWorld(World):
    """An archive whose two authorities are mortal."""

    def __init__(self, folder: Path, *, years: float = 5, start: datetime | None = None, **options: Any) -> None:
        self.mortal: dict[str, MortalTsa] = {}
        self._anchors: list[bytes] = []
        self.table: AlgorithmTable = current_algorithms()
        super().__init__(folder, start=start)
        for name in ("local-tsa-1", "local-tsa-2"):
            self.found(MortalTsa.born(name, self.clock, years=years, **options))
        self.since: dict[tuple[str, int], datetime] = {}

    def found(self, tsa: MortalTsa) -> MortalTsa:
        """Let an authority begin, in the place of another of its name."""
        self.mortal[tsa.name] = tsa
        self._anchors.append(tsa.anchor)
        self.archive = self._outfitted(self.archive)
        return tsa

    def open(self, *, create: bool = False) -> Archive:
        """Another archive over the same home, with these authorities."""
        return self._outfitted(super().open(create=create))

    def judge_by(self, table: AlgorithmTable) -> None:
        """From now on another table of algorithms is in force."""
        self.table = table
        self.archive = self._outfitted(self.archive)

    def _outfitted(self, archive: Archive) -> Archive:
        if not hasattr(self, "_local_anchors"):
            self._local_anchors = [certificate for path in self._anchor_files() for certificate in _certificates(path)]
        if not self.mortal:
            return archive
        archive.validator = TokenValidator(self._anchors, algorithms=self.table, test_anchors=self._local_anchors)
        archive.authorities = dict(self.mortal)
        archive.published.algorithms = self.table
        return archive.over(archive.catalogue, archive.copies)

    def _anchor_files(self) -> list[Path]:
        return [self.settings.home / name for name in self.settings.anchors]

    # -- what is done -------------------------------------------------------------------------

    def renew(self, **options: Any) -> RenewalResult:
        """Everything, unless something else is asked for."""
        options.setdefault("which", ALL)
        return self.archive.renew(RenewalRequest(**options), actor=OPERATOR)

    def rehash(self, algorithm: str, **options: Any) -> RenewalResult:
        return self.renew(kind=RenewalKind.HASH_TREE, algorithm=algorithm, **options)

    def judges(self) -> Judges:
        return Judges(self.archive.validator, self.archive._seal_validator, self.table, self.clock.now())

    def judge_bundle(self, poid: str, version: int | None = None) -> Report:
        path = self.folder / "bundle.zip"
        with path.open("wb") as out:
            self.archive.export(poid, version, out, actor=OPERATOR)
        return check_bundle(path, self.judges())

    def prove(self, *, bundles: bool = True, stores: bool = True) -> None:
        """Every version is proven, since the same instant as ever; from each store alone, and offline."""
        for poid, versions in self.told.items():
            for told, _ in versions:
                report = self.archive.verify(poid, told.version, actor=OPERATOR)
                assert report.verdict is Verdict.PASSED, [s for s in report.steps if s.verdict is not Verdict.PASSED]
                assert report.proof_of_existence is not None
                first = self.since.setdefault((poid, told.version), report.proof_of_existence)
                assert report.proof_of_existence == first
                if bundles:
                    offline = self.judge_bundle(poid, told.version)
                    assert offline.verdict is Verdict.PASSED, [
                        s for s in offline.steps if s.verdict is not Verdict.PASSED
                    ]
                    assert offline.proof_of_existence == first
        if stores:
            self.check()

    def table_without(self, digest: str, until: str) -> AlgorithmTable:
        """The table of today, in which a digest ends on a day (`2031-01-01`)."""
        name = f'name = "{digest}"'
        source = self.table.source.decode("utf-8")
        head, row = source.split(name, 1)
        row, rest = row.split("\n\n", 1)
        kept = "\n".join(line for line in row.split("\n") if not line.startswith("until"))
        changed = f"{head}{name}{kept}\nuntil = {until}\n\n{rest}"
        return AlgorithmTable.load(changed.encode("utf-8"))


def _certificates(path: Path) -> list[bytes]:
    from cryptography import x509

    return [one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(path.read_bytes())]


def good(result: RenewalResult) -> RenewalResult:
    """The result itself when everything that was asked for is done."""
    assert result.is_complete, result.to_json()
    assert all(not view.obstacles and not view.dropped for view in result.views), result.to_json()
    return result


def facts(result: RenewalResult) -> list[Mapping[str, object]]:
    """The renewals of a result as documents."""
    return [view.to_json() for view in result.views]

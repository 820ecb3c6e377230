"""Makes tokens ready to be covered: judged now, and with everything inside that is needed to judge them later.

Rules kept here
 * What is covered must be good at this instant (RFC 4998 5.3(2)): a renewal that comes too late, or of a
   token that was revoked, proves nothing and is not made.
 * Chain and revocation data are fetched anew, once for each set of certificates, and the token is judged
   with them. They are kept beside it in the renewal.
 * A token that is good by what is inside it alone stays as it is. Any other gets the data put inside
   (`evidence.material`), revocation lists first, OCSP responses only when lists are not enough. One that is
   not good by itself even then is not covered: fetch, try again, alarm (RFC 4998 4.2, MUST).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from archive_core.batch import line_validation, validation_data
from archive_core.catalogue.rows import HeadRow
from archive_core.digests import hash_bytes
from archive_core.errors import DamageError, EvidenceBrokenError, UnavailableError, UnknownObjectError
from archive_core.evidence.material import merged, with_inside
from archive_core.evidence.token import read_signed_data
from archive_core.findings import SubIndication, Verdict
from archive_core.identifiers import BATCH, number_of, object_name
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ports import JudgesMany, TokenAssessment, ValidationData
from archive_core.renewal import form
from archive_core.renewal.means import Means, Obstacle
from archive_core.renewal.stored import MAX_FILE

MAX_TOKEN = 64 * 1024**2
"""Bytes of a stored token that are read."""

_LAPSED = {
    SubIndication.OUT_OF_BOUNDS_NO_POE,
    SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE,
    SubIndication.EXPIRED,
}
_REVOKED = {SubIndication.REVOKED, SubIndication.REVOKED_NO_POE, SubIndication.REVOKED_CA_NO_POE}


@dataclass(frozen=True, slots=True)
class Final:
    """A token as it is covered; `completed` says that its octets are not those that its object holds."""

    head: str
    octets: bytes
    completed: bool


class Covering:
    """Tokens of one renewal; `data` collects what was fetched for them."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._fetched: dict[tuple[str, str], ValidationData] = {}
        self._judged: dict[tuple[str, str], TokenAssessment] = {}
        self._refused: dict[tuple[str, str], str] = {}
        self._read: dict[tuple[str, str], bytes] = {}
        self._known: dict[bytes, TokenAssessment] = {}

    @property
    def data(self) -> ValidationData:
        """All validation data that was fetched."""
        return merged(self._fetched.values())

    def ahead(self, heads: Sequence[HeadRow]) -> None:
        """Read and judge tokens that `final` will be asked for next, on every core where the validator can; what
        was read ahead before is forgotten. What cannot be read is left to `final`, which says why."""
        self._read, self._known = {}, {}
        validator = self._means.validator
        if not isinstance(validator, JudgesMany):
            return
        for head in heads:
            with suppress(DamageError):
                self._read[head.storage_object, head.ocfl_path] = self.token(head)
        tokens = list(self._read.values())
        assessed = validator.assess_many(tokens, at=self._means.clock.now())
        self._known = dict(zip(tokens, assessed, strict=True))

    def final(self, head: HeadRow, tsa: str) -> Final | Obstacle:
        """The token that an object holds for a line, ready to be covered; `tsa` is the authority that gave
        it. Raises `DamageError` or `UnavailableError` when it cannot be read."""
        name = object_name(head.storage_object)
        token = self._read.get((head.storage_object, head.ocfl_path)) or self.token(head)
        alone = self._known.get(token) or self._assess(token, None)
        if alone.verdict is Verdict.PASSED:
            now = self._now(tsa, token)
            if now.verdict is Verdict.PASSED:
                return Final(name, token, completed=False)
            return self._obstacle(name, now, tsa, token)
        fetched = self.fetch(tsa, token)
        kept: ValidationData | None = None

        def known() -> ValidationData:
            nonlocal kept
            kept = kept or self.kept(head)
            return merged([fetched, kept])

        assessed = self._assess(token, fetched)
        if assessed.verdict is not Verdict.PASSED:
            assessed = self._assess(token, known())
        if assessed.verdict is not Verdict.PASSED:
            return self._obstacle(name, assessed, tsa, token)
        octets = self._complete(token, known)
        if octets is None:
            message = "chain and revocation data that would make it last are missing: they are needed inside first"
            return Obstacle(name, "validation-data", message + self._why(tsa, token))
        return Final(name, octets, completed=True)

    def _obstacle(self, name: str, assessed: TokenAssessment, tsa: str, token: bytes) -> Obstacle:
        found = _obstacle(name, assessed)
        return replace(found, message=found.message + self._why(tsa, token))

    def _why(self, tsa: str, token: bytes) -> str:
        """What kept the data away, if somebody said so."""
        said = self._refused.get(_key(tsa, token))
        return f" ({said})" if said else ""

    def _complete(self, token: bytes, known: Callable[[], ValidationData]) -> bytes | None:
        data = known()
        for part in (ValidationData(data.certificates, data.crls), data):
            octets = with_inside(token, part)
            if self._assess(octets, None).verdict is Verdict.PASSED:
                return octets
        return None

    def _assess(self, token: bytes, data: ValidationData | None) -> TokenAssessment:
        return self._means.validator.assess(token, at=self._means.clock.now(), data=data)

    def _now(self, tsa: str, token: bytes) -> TokenAssessment:
        """What fresh data say of the certificates of a token that is good by itself: once for all tokens that
        hold the same, because a revocation is the certificate's and not the token's."""
        key = _key(tsa, token)
        if key not in self._judged:
            self._judged[key] = self._assess(token, self.fetch(tsa, token))
        return self._judged[key]

    def fetch(self, tsa: str, token: bytes) -> ValidationData:
        """What the authority's places say now of a token's certificates; nothing where they are out of reach."""
        key = _key(tsa, token)
        if key not in self._fetched:
            authority = self._means.authorities.get(tsa)
            try:
                self._fetched[key] = authority.validation_data(token) if authority else ValidationData()
            except UnavailableError as error:
                # What is inside or kept beside may do; if it does not, the token is not covered and that is said.
                self._fetched[key] = ValidationData()
                self._refused[key] = str(error)[:1000]
        return self._fetched[key]

    def token(self, head: HeadRow) -> bytes:
        """Its octets, from the first store that holds them; raises `DamageError` or `UnavailableError`."""

        def reader(root: StorageRoot) -> bytes:
            data = root.read_optional(f"{root.object_path(head.storage_object)}/{head.ocfl_path}", MAX_TOKEN)
            if data is None:
                raise UnknownObjectError(f"{head.ocfl_path} is not in the store {root.store.name}")
            if hash_bytes("sha512", data).hex() != head.token_digest:
                raise EvidenceBrokenError(f"the store {root.store.name} has another {head.ocfl_path}")
            return data

        what = f"{head.storage_object} {head.ocfl_path}"
        return self._means.copies.read_acknowledged(what, reader, self._means.on_damage)

    def kept(self, head: HeadRow) -> ValidationData:
        """The validation data beside a token."""
        folder = form.TOKEN_DATA if number_of(head.storage_object, BATCH) is None else line_validation(head.line)

        def reader(root: StorageRoot) -> ValidationData:
            inventory = root.read_inventory(head.storage_object)
            if inventory is None:
                raise UnknownObjectError(f"{head.storage_object} is not in the store {root.store.name}")
            newest = inventory.head_number
            paths = [path for path in inventory.state(newest) if path.startswith(folder)]
            return validation_data(
                folder,
                {
                    path: root.read_file(head.storage_object, newest, path, MAX_FILE, inventory=inventory)
                    for path in paths
                },
            )

        return self._means.copies.read_acknowledged(f"{head.storage_object} {folder}", reader, self._means.on_damage)


def _key(tsa: str, token: bytes) -> tuple[str, str]:
    """An authority and the certificates that its token holds."""
    certificates = read_signed_data(token).certificates
    return tsa, hashlib.sha256(certificates.raw if certificates else b"").hexdigest()


def _obstacle(head: str, assessed: TokenAssessment) -> Obstacle:
    why = assessed.sub_indication
    code = "lapsed" if why in _LAPSED else "revoked" if why in _REVOKED else "validation-data"
    if why not in _LAPSED | _REVOKED | {SubIndication.TRY_LATER, SubIndication.NO_CERTIFICATE_CHAIN_FOUND}:
        code = str(why or assessed.verdict).lower().replace("_", "-")
    return Obstacle(head, code, f"{assessed.verdict} {why or ''} {assessed.message}".replace("  ", " "))

"""What both kinds of renewal share: tokens packed, a number claimed, what waits, and finishing it.

Rules kept here
 * A renewal's number is claimed by writing version 1 to every store in turn: put-if-absent decides. A number
   that the stores know and the catalogue does not is entered first, and the next one taken.
 * What a renewal covers that still waits for its time-stamp belongs to that renewal.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from archive_core.batch import BatchLine, system_package, validation_files
from archive_core.digests import Digest
from archive_core.errors import AlreadyExistsError, ArchiveError, ConcurrentChangeError
from archive_core.evidence.derivation import DERIVATION_VERSION
from archive_core.evidence.hash_tree import HashTree
from archive_core.identifiers import RENEWAL, URN_PREFIX, object_name, system_object
from archive_core.lifecycle import Actor
from archive_core.ocfl.package import PackageFile
from archive_core.ports import ValidationData
from archive_core.preservation import Progress
from archive_core.receipts import Named
from archive_core.renewal import form
from archive_core.renewal.finishing import Finishing
from archive_core.renewal.form import RenewalDocument
from archive_core.renewal.means import Means, RenewalView, require_not_paused
from archive_core.renewal.stored import StoredRenewal, read_renewal_from, renewal_row

FORMING = "forming-"
"""How the folders begin in which renewals are put together; whoever holds the lease may clear what is left."""


class Packed:
    """Octets one after the other in a file, with where each of them lies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hasher = hashlib.sha512()
        self._known: dict[bytes, tuple[int, int]] = {}
        self.size = 0

    def __enter__(self) -> Packed:
        self._stream = self._path.open("xb")
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def add(self, octets: bytes) -> tuple[int, int]:
        """Offset and length; the same octets lie there once."""
        key = hashlib.sha256(octets).digest()
        if key not in self._known:
            self._known[key] = (self.size, len(octets))
            self._stream.write(octets)
            self._hasher.update(octets)
            self.size += len(octets)
        return self._known[key]

    def file(self) -> PackageFile:
        """The closed file, to be put into a package."""
        return PackageFile(self._path, Digest("sha512", self._hasher.digest()), self.size)


@dataclass(frozen=True, slots=True)
class Formed:
    """A renewal that is ready to be written: `files` are those that renewal.json names, the covered list and
    the tree among them."""

    kind: str
    line: str
    digest: str
    tsa: str
    tree: HashTree
    covers: int
    files: dict[str, PackageFile]
    validation: ValidationData
    abandons: Sequence[str] = ()
    reasons: Sequence[str] = ()


def keep_formed(means: Means, finishing: Finishing, formed: Formed) -> int:
    """Write version 1 under the next free number, and enter it; the number."""
    table = means.published.algorithms
    trail = means.catalogue.last_segment()
    if trail is None:
        raise ArchiveError("there is evidence to renew but no trail of how it came to be")
    while True:
        at = means.clock.now()
        number = means.catalogue.next_renewal_number()
        document = RenewalDocument(
            number=number,
            kind=formed.kind,
            line=formed.line,
            digest=formed.digest,
            covers=formed.covers,
            leaf_count=formed.tree.leaf_count,
            root=formed.tree.root,
            files={path: file.digest.hex for path, file in formed.files.items()},
            abandons=tuple(sorted(formed.abandons)),
            reasons=tuple(sorted(set(formed.reasons)))[: form.MAX_REASONS],
            algorithms=Named(table.id, Digest.of("sha512", table.source).hex),
            trail_size=trail.size,
            trail_head=bytes.fromhex(trail.head),
            derivation_version=DERIVATION_VERSION,
            time=at,
        )
        said = {
            form.DOCUMENT: document.to_bytes(),
            form.LINE: BatchLine(formed.line, formed.digest, formed.tsa, means.trust_classes[formed.tsa]).to_bytes(),
            **validation_files(form.COVERED_DATA, formed.validation),
        }
        object_id = system_object(RENEWAL, number)
        package = system_package(object_id, 1, said, None, message="Formed, before stamping", at=at)
        means.holder.renew()
        try:
            means.copies.replicate_in_turn(replace(package, files={**package.files, **formed.files}))
        except (AlreadyExistsError, ConcurrentChangeError):
            if not finishing.adopt_claimed():
                raise
            continue
        means.catalogue.enter_renewal(renewal_row(_first_good(means, number)))
        return number


def _first_good(means: Means, number: int) -> StoredRenewal:
    """What was just written, as it is read back."""
    return means.copies.read_acknowledged(
        f"renewal {number}", lambda root: read_renewal_from(root, number), means.on_damage
    )


def finish_waiting(
    means: Means,
    finishing: Finishing,
    actor: Actor,
    progress: Progress,
    *,
    patient: bool = False,
    tsa: str | None = None,
) -> list[RenewalView]:
    """Finish what an interrupted round left; whoever calls holds the lease."""
    require_not_paused(means.catalogue)
    for left in means.workspace.glob(f"{FORMING}*"):
        shutil.rmtree(left)
    finishing.adopt_claimed()
    views = []
    for row in means.catalogue.unfinished_renewals():
        progress("stamping", row.number, None)
        views.append(finishing.finish(row.number, actor, patient=patient, tsa=tsa))
    return views


def names_of(views: Iterable[RenewalView]) -> set[str]:
    """The object names of renewals that are stamped."""
    return {object_name(system_object(RENEWAL, view.number)) for view in views if view.gen_time is not None}


def waiting_heads(means: Means) -> dict[tuple[str, str], str]:
    """What renewals cover that wait for their time-stamp: (storage object, line) to the renewal's name."""
    found: dict[tuple[str, str], str] = {}
    for row in means.catalogue.unfinished_renewals():
        stored = means.shelf.read(row)
        for covered in stored.covers:
            found[f"{URN_PREFIX}{covered.head}", row.line] = stored.name
    return found

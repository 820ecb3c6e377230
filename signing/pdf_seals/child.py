"""The inside of the process that prepares a PDF for a seal or a time-stamp (`signing.pdf_seals.apart` starts it).

Rules kept here
 * Only whole updates are appended (ISO 32000-1 7.5.6): no octet of the document changes.
 * What cannot be sealed so is refused by name: encrypted documents, XFA forms, documents whose certification allows no
   change, files that are not read as PDF.
 * No key and no secret is here: the process leaves room for a CMS, and says where.
 * Limits and what the process may not do are those of an examination (`signing.examination.child`); it writes to the
   one file that it was given open.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from signing.examination.child import guard, limit
from signing.pdf_seals.request import MAX_ADDED, Step

_TAKEN = 200


class RefusedError(Exception):
    """The document cannot be sealed; `args[0]` says why, for people."""


def main(arguments: list[str]) -> int:
    """`arguments`: bytes of memory, seconds of processor time, the open file's descriptor, bytes of the document."""
    memory, seconds, descriptor, size = (int(word) for word in arguments)
    answer_to = os.dup(1)
    os.dup2(2, 1)
    limit(memory, seconds, size + MAX_ADDED)
    answer = _answered(sys.stdin.buffer.read(), descriptor)
    with os.fdopen(answer_to, "wb") as stream:
        stream.write(json.dumps(answer).encode("utf-8", "backslashreplace"))
    return 0


def _answered(octets: bytes, descriptor: int) -> dict[str, Any]:
    try:
        step = Step.from_bytes(octets)
        return _prepared(step, descriptor)
    except RefusedError as error:
        return {"refused": str(error)}
    except MemoryError:
        return {"refused": "its limit of memory was reached"}
    except RecursionError:
        return {"refused": "it is nested too deep"}


def _prepared(step: Step, descriptor: int) -> dict[str, Any]:
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    sys.setrecursionlimit(2000)
    with open(step.source, "rb") as source, os.fdopen(descriptor, "w+b", closefd=False) as out:
        sys.addaudithook(guard)
        try:
            writer = IncrementalPdfFileWriter(source, strict=False)
            _require_sealable(writer)
            start, end = _written(step, writer, out)
        except (RefusedError, MemoryError, RecursionError):
            raise
        except Exception as error:
            raise RefusedError(f"it is not read as a PDF: {type(error).__name__}: {error}"[:300]) from error
    return {"start": start, "end": end}


def _require_sealable(writer: Any) -> None:
    from pyhanko.sign.fields import MDPPerm

    reader = writer.prev
    if reader.encrypted:
        raise RefusedError("it is encrypted")
    form = _at(reader.root, "/AcroForm")
    if form is not None and "/XFA" in form:
        raise RefusedError("it is an XFA form, which shows what its scripts make of it")
    for signature in reader.embedded_regular_signatures:
        if signature.docmdp_level is MDPPerm.NO_CHANGES:
            raise RefusedError("its certification allows no changes, and a seal is one")


def _written(step: Step, writer: Any, out: IO[bytes]) -> tuple[int, int]:
    from pyhanko.sign.fields import SigFieldSpec
    from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigObjSetup

    if step.is_time_stamp:
        _add_validation_data(step, writer)
    look = _look(step, writer)
    name = _free_name(writer, step.field)
    spec = SigFieldSpec(name, box=look.box, on_page=0) if look is not None else SigFieldSpec(name)
    embedding = PdfCMSEmbedder(new_field_spec=spec).write_cms(name, writer)
    next(embedding)
    appearance = look.setup(step.at) if look is not None else None
    embedding.send(SigObjSetup(_placeholder(step), appearance_setup=appearance))
    prepared, _ = embedding.send(SigIOSetup(md_algorithm="sha512", output=out))
    return prepared.reserved_region_start, prepared.reserved_region_end


def _placeholder(step: Step) -> Any:
    from pyhanko.sign.fields import SigSeedSubFilter
    from pyhanko.sign.signers.pdf_byterange import DocumentTimestamp, SignatureObject

    if step.is_time_stamp:
        return DocumentTimestamp(bytes_reserved=2 * step.reserve)  # type: ignore[no-untyped-call]
    return SignatureObject(
        timestamp=step.at,
        subfilter=SigSeedSubFilter.PADES,
        name=step.name or None,
        reason=step.reason or None,
        bytes_reserved=2 * step.reserve,
    )


def _add_validation_data(step: Step, writer: Any) -> None:
    from asn1crypto import crl, ocsp, x509
    from pyhanko.sign.signers.pdf_signer import _ensure_esic_ext
    from pyhanko.sign.validation.dss import DocumentSecurityStore

    _ensure_esic_ext(writer)
    DocumentSecurityStore.supply_dss_in_writer(
        writer,
        None,
        certs=[x509.Certificate.load(der) for der in step.certificates],
        crls=[crl.CertificateList.load(der) for der in step.crls],
        ocsps=[ocsp.OCSPResponse.load(der) for der in step.ocsps],
    )


def _free_name(writer: Any, wanted: str) -> str:
    """A field name that is not there; fields of other people stay as they are."""
    from pyhanko.sign.fields import enumerate_sig_fields

    there = {name for name, _, _ in enumerate_sig_fields(writer.prev)}
    for number in range(1, _TAKEN):
        if f"{wanted}{number}" not in there:
            return f"{wanted}{number}"
    raise RefusedError(f"it has {_TAKEN} seals of this name already")


@dataclass(frozen=True)
class _Look:
    box: tuple[int, int, int, int]
    style: Any

    def setup(self, at: datetime) -> Any:
        from pyhanko.sign.signers.cms_embedder import SigAppearanceSetup

        return SigAppearanceSetup(style=self.style, timestamp=at, name=None)


def _look(step: Step, writer: Any) -> _Look | None:
    """A frame in the lower right corner of the first page as that is shown unrotated."""
    if not step.lines or step.is_time_stamp:
        return None
    from signing.pdf_seals import look

    page = _first_page(writer.prev.root["/Pages"])
    node, box = page, None
    while node is not None and box is None:
        box = _at(node, "/CropBox") or _at(node, "/MediaBox")
        node = _at(node, "/Parent")
    if box is None:
        raise RefusedError("its first page has no size")
    corners = [float(number) for number in box]
    right, bottom = max(corners[0], corners[2]), min(corners[1], corners[3])
    left = max(int(right) - look.WIDTH - look.MARGIN, int(min(corners[0], corners[2])))
    low = int(bottom) + look.MARGIN
    return _Look((left, low, left + look.WIDTH, low + look.height(step.lines)), look.Look(step.lines))


def _first_page(node: Any) -> Any:
    for _ in range(_TAKEN):
        kids = _at(node, "/Kids")
        if not kids:
            return node
        node = kids[0]
    raise RefusedError("its first page is not found")


def _at(where: Any, name: str) -> Any:
    """What stands under a name, wherever it is kept; None where nothing does."""
    if name not in where:
        return None
    return where[name]  # which follows references, as `get` does not

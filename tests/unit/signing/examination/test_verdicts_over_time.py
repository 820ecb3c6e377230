"""Revocation, expiry and proofs of existence: what time does to an intact signature (EN 319 102-1 5.3, 5.5, 5.6)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from pyhanko.sign.ades.api import CAdESSignedAttrSpec
from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes

from archive_core.findings import SubIndication, Verdict
from archive_core.ports import ValidationData
from policies import current_algorithms
from signing import ber
from signing.examination.cms_reading import parse_signed_data
from signing.examination.documents import Document
from signing.examination.registry import examine
from signing.examination.trust import ExaminationTrust
from signing.examination.values import TimestampKind
from signing.local_trust import create_local_trust
from signing.waiting import completed
from tests.unit.signing.examination.signing_world import DAY, NOW, Stamper, World, with_signers

HALF = DAY / 2


@pytest.mark.parametrize(
    ("stamped", "revoked", "verdict", "sub"),
    [
        (False, NOW - HALF, Verdict.INDETERMINATE, SubIndication.REVOKED_NO_POE),
        (False, NOW + HALF, Verdict.INDETERMINATE, SubIndication.REVOKED_NO_POE),
        (True, NOW - HALF, Verdict.INDETERMINATE, SubIndication.REVOKED_NO_POE),
        (True, NOW + HALF, Verdict.PASSED, None),
        (True, None, Verdict.PASSED, None),
        (False, None, Verdict.PASSED, None),
    ],
)
def test_revocation_counts_by_what_is_proven(
    world: World, stamped: bool, revoked: object, verdict: Verdict, sub: SubIndication | None
) -> None:
    """After the proven time: good. Before it, or where nothing is proven: undecided, since a time-stamp does not show
    that the signature is younger than the revocation (EN 319 102-1 5.5.4)."""
    at = NOW + DAY
    material = ValidationData(crls=(world.crl(at, revoked=revoked),))  # type: ignore[arg-type]
    (found,) = world.examined(world.cms(b"x", stamped=stamped), at=at, material=material).signatures

    assert (found.verdict, found.sub_indication) == (verdict, sub)
    assert found.signature_intact


@pytest.mark.parametrize(
    ("revoked", "verdict", "sub"),
    [
        (NOW - HALF, Verdict.FAILED, SubIndication.REVOKED),
        (NOW + HALF, Verdict.INDETERMINATE, SubIndication.REVOKED_NO_POE),
    ],
)
def test_a_time_stamp_of_the_content_shows_that_a_signature_is_younger(
    world: World, revoked: datetime, verdict: Verdict, sub: SubIndication
) -> None:
    """Made after it: so after a revocation that is older still, and perhaps before one that is not."""
    settings = PdfCMSSignedAttributes(cades_signed_attrs=CAdESSignedAttrSpec(timestamp_content=True))
    work = world.signer().async_sign_general_data(
        b"x",
        "sha512",
        detached=False,
        use_cades=True,
        timestamper=Stamper(world.local, NOW),
        signed_attr_settings=settings,
    )
    message = completed(work).dump()
    (signer,) = parse_signed_data(message).signers
    bare = with_signers(message, [ber.tagged(0x30, b"".join(signer.fields))])  # no time-stamp over the signature
    material = ValidationData(crls=(world.crl(NOW + DAY, revoked=revoked),))
    (found,) = world.examined(bare, at=NOW + DAY, material=material).signatures

    assert [one.kind for one in found.timestamps] == [TimestampKind.CONTENT]
    assert (found.verdict, found.sub_indication) == (verdict, sub)


def test_without_revocation_data_it_is_to_be_tried_later(world: World) -> None:
    """And what is missing is named, with the certificate it is about."""
    (found,) = world.examined(world.cms(b"x"), material=ValidationData()).signatures

    assert (found.verdict, found.sub_indication) == (Verdict.INDETERMINATE, SubIndication.TRY_LATER)
    (missing,) = found.missing
    assert found.signer is not None
    assert missing.certificate_sha256 == found.signer.sha256
    assert missing.sources
    assert all(source.startswith("http://") for source in missing.sources)


def test_an_expired_certificate_without_proof_is_undecided(world: World) -> None:
    """Nothing shows that the signature is older than the certificate's end."""
    (found,) = world.examined(world.cms(b"x"), at=NOW + 12 * 365 * DAY).signatures

    assert (found.verdict, found.sub_indication) == (Verdict.INDETERMINATE, SubIndication.OUT_OF_BOUNDS_NO_POE)


def test_a_later_authority_keeps_a_pdf_good_beyond_its_certificates(world: World, tmp_path: Path) -> None:
    """A document time-stamp of year nine carries signature and first time-stamp over their end in year ten."""
    renewed, judged = NOW + 9 * 365 * DAY, NOW + 12 * 365 * DAY
    later = World(create_local_trust(tmp_path / "later", at=renewed - DAY))
    kept = later.document_stamped(world.pdf(stamped=True), at=renewed)
    lists = (world.local.crl(renewed), later.local.crl(judged))
    trust = ExaminationTrust(
        (),
        algorithms=current_algorithms(),
        test_anchors=(world.local.anchor, later.local.anchor),
        extra=ValidationData(crls=lists),
    )
    examined = examine(Document("kept.pdf", kept), trust=trust, at=judged)
    alone = examine(Document("alone.pdf", world.pdf(stamped=True)), trust=trust, at=judged)

    assert [one.verdict for one in examined.signatures] == [Verdict.PASSED]
    assert "PAST_VALIDATION" in [finding.code for finding in examined.signatures[0].findings]
    assert [one.sub_indication for one in alone.signatures] == [SubIndication.OUT_OF_BOUNDS_NO_POE]


def test_a_signature_proven_before_its_certificate_began_is_broken(world: World, tmp_path: Path) -> None:
    """A time-stamp that is older than the certificate contradicts the signature."""
    early = World(create_local_trust(tmp_path / "early", at=NOW - 400 * DAY))
    message = completed(
        world.signer().async_sign_general_data(
            b"x", "sha512", detached=False, use_cades=True, timestamper=Stamper(early.local, NOW - 399 * DAY)
        )
    ).dump()
    trust = ExaminationTrust(
        (),
        algorithms=current_algorithms(),
        test_anchors=(world.local.anchor, early.local.anchor),
        extra=ValidationData(crls=(world.local.crl(NOW), early.local.crl(NOW))),
    )
    (found,) = examine(Document("x", message), trust=trust, at=NOW).signatures

    assert (found.verdict, found.sub_indication) == (Verdict.FAILED, SubIndication.NOT_YET_VALID)

"""PDF signatures: coverage, later changes, document time-stamps, and files that lie about themselves."""

from __future__ import annotations

import re

import pytest
from pyhanko.sign.fields import MDPPerm

from archive_core.findings import SubIndication, Verdict
from signing.examination.values import Coverage, Level, SignatureFormat
from tests.unit.signing.examination.signing_world import World, changed, encrypted_pdf, flipped, plain_pdf

RANGE = re.compile(rb"/ByteRange \[(\d+) (\d+) (\d+) (\d+) *\]")


def byte_range(octets: bytes) -> tuple[int, int, int, int]:
    """The four numbers of the first signature."""
    match = RANGE.search(octets)
    assert match is not None
    first, second, third, fourth = (int(number) for number in match.groups())
    return first, second, third, fourth


@pytest.fixture(scope="module")
def signed(world: World) -> bytes:
    """A PDF with one signature and its time-stamp."""
    return world.pdf(stamped=True)


def test_a_signed_pdf_is_good(world: World, signed: bytes) -> None:
    """PAdES, level T, the whole file."""
    (found,) = world.examined(signed).signatures

    assert (found.verdict, found.format, found.level) == (Verdict.PASSED, SignatureFormat.PADES, Level.T)
    assert found.coverage is Coverage.WHOLE
    assert found.signature_intact


def test_a_pdf_without_signatures_has_none(world: World) -> None:
    """An empty list, examined, and nothing to judge."""
    examined = world.examined(plain_pdf())

    assert examined.examined
    assert examined.complete
    assert examined.signatures == ()
    assert examined.verdict is None


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
@pytest.mark.parametrize("part", ["before", "after"])
def test_a_bit_under_the_signature_breaks_it(world: World, signed: bytes, share: float, part: str) -> None:
    """Whatever the change does to the structure, no signature is called intact."""
    start, first, second, last = byte_range(signed)
    begin, length = (start, first) if part == "before" else (second, last)
    examined = world.examined(flipped(signed, begin + int(length * share)))

    assert not any(one.signature_intact for one in examined.signatures)
    assert examined.verdict in (Verdict.FAILED, Verdict.INDETERMINATE)


def test_a_page_changed_after_signing_is_not_vouched_for(world: World, signed: bytes) -> None:
    """The signature over its revision is intact; what people see is not what was signed."""
    (found,) = world.examined(changed(signed)).signatures

    assert (found.verdict, found.sub_indication) == (Verdict.INDETERMINATE, SubIndication.SIG_CONSTRAINTS_FAILURE)
    assert found.signature_intact
    assert found.coverage is Coverage.REVISION
    assert "PDF_CHANGES_SUSPICIOUS" in [finding.code for finding in found.findings]


def test_a_certified_page_changed_after_signing_is_broken(world: World) -> None:
    """The signer forbade it (DocMDP)."""
    (found,) = world.examined(changed(world.pdf(certify=MDPPerm.NO_CHANGES))).signatures

    assert (found.verdict, found.sub_indication) == (Verdict.FAILED, SubIndication.SIG_CONSTRAINTS_FAILURE)


def test_a_document_time_stamp_is_a_permitted_change_and_proves_the_signature(world: World, signed: bytes) -> None:
    """It is no signature, and covers the whole file."""
    examined = world.examined(world.document_stamped(signed))

    assert examined.verdict is Verdict.PASSED
    assert [one.verdict for one in examined.timestamps] == [Verdict.PASSED]
    (found,) = examined.signatures
    assert "PDF_CHANGES_PERMITTED" in [finding.code for finding in found.findings]


def test_a_document_time_stamp_over_other_octets_is_broken(world: World, signed: bytes) -> None:
    """The bit is in the padding between revisions, so that nothing else notices."""
    stamped = world.document_stamped(signed)
    _, _, second, last = byte_range(signed)
    examined = world.examined(flipped(stamped, second + last + 3))

    assert all(one.verdict is not Verdict.PASSED for one in examined.timestamps)


def test_two_signatures_are_told_apart(world: World, signed: bytes) -> None:
    """In the order in which they were made."""
    examined = world.examined(world.pdf(signed, field="Signature2"))

    assert [one.verdict for one in examined.signatures] == [Verdict.PASSED, Verdict.PASSED]
    assert [one.coverage for one in examined.signatures] == [Coverage.REVISION, Coverage.WHOLE]


@pytest.mark.parametrize(
    "numbers",
    [(0, 10, 20, 30), (0, 0, 0, 0), (5, 100, 200, 10), (0, 100), (0, 10, 20, 10**9), (-1, 10, 20, 30)],
    ids=str,
)
def test_a_byte_range_that_is_none_is_a_broken_format(world: World, signed: bytes, numbers: tuple[int, ...]) -> None:
    """The hole must be exactly the signature."""
    match = RANGE.search(signed)
    assert match is not None
    text = b"/ByteRange [" + b" ".join(str(number).encode() for number in numbers)
    forged = signed[: match.start()] + text.ljust(len(match[0]) - 1) + b"]" + signed[match.end() :]
    (found,) = world.examined(forged).signatures

    assert (found.verdict, found.sub_indication) == (Verdict.FAILED, SubIndication.FORMAT_FAILURE)
    assert not found.signature_intact


def test_octets_hidden_in_the_hole_are_noticed(world: World, signed: bytes) -> None:
    """A hole larger than /Contents would leave room for what nobody signed."""
    start, first, second, last = byte_range(signed)
    match = RANGE.search(signed)
    assert match is not None
    text = f"/ByteRange [{start} {first - 4} {second} {last}".encode()
    forged = signed[: match.start()] + text.ljust(len(match[0]) - 1) + b"]" + signed[match.end() :]
    (found,) = world.examined(forged).signatures

    assert (found.verdict, found.sub_indication) == (Verdict.FAILED, SubIndication.FORMAT_FAILURE)


def test_a_broken_cross_reference_hides_no_signature(world: World, signed: bytes) -> None:
    """Where the structure cannot be read, signatures are found in the raw octets and never called good."""
    cut = signed.rindex(b"startxref")
    broken = signed[:cut] + b"startxref\n99999999\n%%EOF\n"
    examined = world.examined(broken)

    assert not examined.complete
    assert "PDF_UNREADABLE" in [finding.code for finding in examined.findings]
    assert [one.verdict for one in examined.signatures]
    assert examined.verdict is not Verdict.PASSED


def test_a_signature_taken_out_of_the_form_is_told(world: World, signed: bytes) -> None:
    """An update that empties the form leaves the old signature in the octets."""
    emptied = _without_form(signed)
    examined = world.examined(emptied)

    assert examined.signatures == ()
    assert "PDF_SIGNATURE_NOT_IN_FORM" in [finding.code for finding in examined.findings]


def _without_form(source: bytes) -> bytes:
    """An incremental update whose catalogue has no form."""
    import io

    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    writer = IncrementalPdfFileWriter(io.BytesIO(source))
    del writer.root["/AcroForm"]
    writer.update_root()
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.mark.parametrize(
    "octets", [b"%PDF-1.7", b"%PDF-1.7\n%%EOF", b"%PDF-" + bytes(5000)], ids=["header", "end", "zeros"]
)
def test_a_pdf_that_cannot_be_read_is_not_examined(world: World, octets: bytes) -> None:
    """By name, with the reason."""
    examined = world.examined(octets)

    assert not examined.examined
    assert "PDF cannot be read" in examined.reason
    assert examined.verdict is Verdict.INDETERMINATE


def test_a_pdf_inside_a_cms_is_content(world: World) -> None:
    """The first octets decide, not what stands a little later."""
    examined = world.examined(world.cms(plain_pdf()))

    assert [one.format for one in examined.signatures] == [SignatureFormat.CADES]


def test_an_encrypted_pdf_that_everybody_may_read_is_examined_whole(world: World) -> None:
    """An empty user password; its integrity code (ISO/TS 32004) is taken for no signature."""
    examined = world.examined(world.pdf(encrypted_pdf(b""), owner="owner"))

    assert examined.verdict is Verdict.PASSED
    assert examined.complete
    assert examined.findings == ()


def test_a_pdf_that_stays_closed_is_undecided_and_its_signature_intact(world: World) -> None:
    """The signature is over the file's octets; what was changed after it cannot be told."""
    examined = world.examined(world.pdf(encrypted_pdf(b"secret"), owner="owner"))

    assert not examined.complete
    assert [one.signature_intact for one in examined.signatures] == [True]
    assert [one.verdict for one in examined.signatures] == [Verdict.INDETERMINATE]

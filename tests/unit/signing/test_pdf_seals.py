"""Sealed copies of PDFs: what is in them, what is refused, and that the process that prepares them is not believed."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm

from archive_core.digests import Digest
from archive_core.errors import NotSealableError, SealKeyUnavailableError, TimestampAuthorityUnavailableError
from archive_core.findings import Verdict
from archive_core.ports import TokenFor
from signing.examination.documents import Document
from signing.examination.registry import examine
from signing.examination.request import TrustGiven
from signing.examination.sandbox import Limits, Outcome
from signing.examination.values import Examination, Level
from signing.keys import load_key
from signing.pdf_seals import apart, look
from signing.pdf_seals.request import Step
from signing.pdf_seals.sealing import PdfSealing
from signing.seals import SoftwareSealer
from tests.unit.signing.examination.signing_world import NOW, World, encrypted_pdf, plain_pdf
from tests.vectors import suite
from tests.world import SteppingClock

AT = NOW + timedelta(hours=1)
LIMITS = Limits(wall_seconds=240)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World.made(tmp_path_factory.mktemp("sealing") / "trust")


def stamping(world: World, digest: Digest) -> TokenFor:
    clock = SteppingClock(AT)
    authority = world.local.authority("local-tsa-1", clock)
    token = authority.timestamp(digest)
    return TokenFor(token.der, authority.validation_data(token.der))


def sealer(world: World) -> SoftwareSealer:
    key = load_key(world.local.seal_key_address, certificates=world.local.seal_certificate_file)
    return SoftwareSealer(key, test_trust=True, validation_source=world.local.seal_validation_data)


def sealed(world: World, source: bytes, folder: Path, *, lines: tuple[str, ...] = ()) -> bytes:
    (folder / "original.pdf").write_bytes(source)
    pdf = PdfSealing(sealer(world), TrustGiven((), (world.local.anchor,)), limits=LIMITS)
    out = folder / "copy.pdf"
    test_trust = pdf.seal_pdf(
        folder / "original.pdf", out, at=AT, stamp=lambda digest: stamping(world, digest), reason="a copy", lines=lines
    )
    assert test_trust
    assert (folder / "original.pdf").read_bytes() == source
    return out.read_bytes()


def examined(world: World, octets: bytes) -> Examination:
    trust = TrustGiven((), (world.local.anchor,)).built(at=AT + timedelta(minutes=1))
    return examine(Document("copy", octets), trust=trust, at=AT + timedelta(minutes=1))


@pytest.mark.slow
def test_a_copy_is_sealed_for_the_long_term_and_begins_with_the_original(world: World, tmp_path: Path) -> None:
    """B-LTA with all that it is validated with inside; the claimed time is the one given; the text is on it."""
    source = plain_pdf()
    copy = sealed(world, source, tmp_path, lines=("Zapečetěná kopie", "řádek (druhý) \\"))
    found = examined(world, copy)
    (signature,) = found.signatures

    assert copy.startswith(source)
    assert (signature.verdict, signature.level) == (Verdict.PASSED, Level.LTA), signature.message
    assert signature.claimed_time == AT.replace(microsecond=0)
    assert [one.verdict for one in found.timestamps] == [Verdict.PASSED]
    assert not signature.missing
    assert b"/Differences" in copy
    broken = bytearray(copy)
    broken[20] ^= 1
    assert examined(world, bytes(broken)).verdict is not Verdict.PASSED


@pytest.mark.slow
def test_what_others_signed_in_a_document_stays_good(world: World, tmp_path: Path) -> None:
    """The seal is one more signature, under a name of its own, also beside an earlier seal of ours."""
    signed = world.pdf(field="TrustedArchiveSeal1", certify=MDPPerm.FILL_FORMS)
    found = examined(world, sealed(world, signed, tmp_path))

    assert [one.verdict for one in found.signatures] == [Verdict.PASSED] * 2
    assert [one.level for one in found.signatures][1] is Level.LTA


def xfa(source: bytes) -> bytes:
    writer = IncrementalPdfFileWriter(io.BytesIO(source))
    form = generic.DictionaryObject({generic.pdf_name("/XFA"): generic.ArrayObject()})
    writer.root[generic.pdf_name("/AcroForm")] = writer.add_object(form)
    writer.update_root()
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nothing", "not read as a PDF"),
        ("text", "not read as a PDF"),
        ("cut", "not read as a PDF"),
        ("encrypted", "it is encrypted"),
        ("xfa", "an XFA form"),
        ("certified", "allows no changes"),
    ],
)
def test_what_cannot_be_sealed_is_refused_by_name(world: World, tmp_path: Path, name: str, reason: str) -> None:
    """And nothing is signed for it: neither key nor authority is asked."""
    sources = {
        "nothing": lambda: b"",
        "text": lambda: b"no PDF at all",
        "cut": lambda: plain_pdf()[:150],
        "encrypted": lambda: encrypted_pdf(b"secret"),
        "xfa": lambda: xfa(plain_pdf()),
        "certified": lambda: world.pdf(certify=MDPPerm.NO_CHANGES),
    }
    (tmp_path / "original.pdf").write_bytes(sources[name]())

    def never(_digest: Digest) -> TokenFor:
        raise AssertionError("a time-stamp was asked for")

    pdf = PdfSealing(sealer(world), TrustGiven((), (world.local.anchor,)), limits=LIMITS)
    with pytest.raises(NotSealableError, match=reason):
        pdf.seal_pdf(tmp_path / "original.pdf", tmp_path / "copy.pdf", at=AT, stamp=never, reason="", lines=())
    assert not (tmp_path / "copy.pdf").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["circular-page-tree.pdf", "outlines-with-loop.pdf", "poppler-742-0-fuzzed.pdf", "form-tree-circular"]
)
def test_hostile_documents_are_prepared_or_refused_in_bounds(tmp_path: Path, name: str) -> None:
    """Never anything but an update or a refusal, whatever the file does to the library."""
    (path,) = [one for one in suite("pdf-hostile").rglob("*.pdf") if name in one.name][:1]
    step = Step(str(path), 1000, AT, "Seal", lines=("x",))
    try:
        room = apart.prepare(step, tmp_path / "out.pdf", Limits(cpu_seconds=20, wall_seconds=120))
    except NotSealableError:
        return
    assert (tmp_path / "out.pdf").read_bytes()[: room.start].startswith(path.read_bytes())


@pytest.mark.slow
def test_a_copy_that_is_not_good_is_not_given_out(world: World, tmp_path: Path) -> None:
    """A time-stamp over something else, a seal whose key is not its certificate's, and an authority that is away."""
    (tmp_path / "original.pdf").write_bytes(plain_pdf())
    trusting = PdfSealing(sealer(world), TrustGiven((), (world.local.anchor,)), limits=LIMITS)

    def stranger(_digest: Digest) -> TokenFor:
        return stamping(world, Digest("sha512", b"\0" * 64))

    def away(_digest: Digest) -> TokenFor:
        raise TimestampAuthorityUnavailableError

    with pytest.raises(SealKeyUnavailableError, match="not used"):
        trusting.seal_pdf(tmp_path / "original.pdf", tmp_path / "1.pdf", at=AT, stamp=stranger, reason="", lines=())
    with pytest.raises(TimestampAuthorityUnavailableError):
        trusting.seal_pdf(tmp_path / "original.pdf", tmp_path / "2.pdf", at=AT, stamp=away, reason="", lines=())


# -- the process is not believed ----------------------------------------------------------------------


def answered(monkeypatch: pytest.MonkeyPatch, answer: bytes | None, written: bytes) -> None:
    def lying(
        _module: str, words: list[str], _asked: bytes, _limits: Limits, *, descriptors: tuple[int, ...]
    ) -> Outcome:
        import os

        os.write(descriptors[0], written)
        return Outcome(answer, "its limit of processor time was reached" if answer is None else "")

    monkeypatch.setattr(apart, "run_apart", lying)


SOURCE = b"%PDF-1.7 the original"
ROOM = b"<" + b"0" * 20 + b">"
START, END = len(SOURCE) + 1, len(SOURCE) + 1 + len(ROOM)


@pytest.mark.parametrize(
    ("answer", "written", "reason"),
    [
        (None, b"", "processor time"),
        (b"", b"", "no answer"),
        (b"[]", b"", "no answer"),
        (b'{"start":"1","end":2}', b"", "no answer"),
        (b'{"start":true,"end":2}', b"", "no answer"),
        (b'{"refused":"it is encrypted"}', b"", "it is encrypted"),
        (json.dumps({"start": START, "end": END}).encode(), b"", "no update"),
        (json.dumps({"start": 3, "end": END}).encode(), SOURCE + b" " + ROOM + b" end", "no update"),
        (json.dumps({"start": START, "end": END}).encode(), SOURCE.upper() + b" " + ROOM + b" end", "changed it"),
        (json.dumps({"start": START, "end": END}).encode(), SOURCE + b" " + b"x" * len(ROOM) + b" end", "no room"),
        (json.dumps({"start": START, "end": END + 90}).encode(), SOURCE + b" " + ROOM + b" end", "no update"),
    ],
)
def test_a_process_that_lies_gets_nothing_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes | None, written: bytes, reason: str
) -> None:
    """It changed the document, left no room, answers strangely, or died."""
    (tmp_path / "source.pdf").write_bytes(SOURCE)
    answered(monkeypatch, answer, written)
    with pytest.raises(NotSealableError, match=reason):
        apart.prepare(Step(str(tmp_path / "source.pdf"), 10, AT, "Seal"), tmp_path / "out.pdf", LIMITS)


def test_everything_but_the_room_is_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest is taken here; what is too large for its room is refused, what fits stands in it."""
    (tmp_path / "source.pdf").write_bytes(SOURCE)
    answered(monkeypatch, json.dumps({"start": START, "end": END}).encode(), SOURCE + b" " + ROOM + b" end")
    room = apart.prepare(Step(str(tmp_path / "source.pdf"), 10, AT, "Seal"), tmp_path / "out.pdf", LIMITS)

    assert room.digest == Digest.of("sha512", SOURCE + b" " + b" end").value
    with pytest.raises(NotSealableError, match="no room"):
        apart.fill(tmp_path / "out.pdf", room, b"x" * 11)
    apart.fill(tmp_path / "out.pdf", room, b"\xab" * 9)
    assert (tmp_path / "out.pdf").read_bytes() == SOURCE + b" <" + b"ab" * 9 + b"00>" + b" end"


# -- how it looks -------------------------------------------------------------------------------------


def test_czech_letters_are_shown_and_strange_ones_are_question_marks() -> None:
    """Those of WinAnsi as they are, the others by glyph names; what would end the string is escaped."""
    assert look._string("áéíóúýšž") == "áéíóúýšž".encode("cp1252")
    assert look._string("ěčřůňďť") == bytes(range(0xA1, 0xA8))
    assert look._string("a(b)c\\") == b"a\\(b\\)c\\\\"
    assert look._string("中\n¡\x00") == b"????"


def test_a_step_is_read_as_it_was_written() -> None:
    """Every field."""
    step = Step("p", 1, datetime(2026, 1, 1, tzinfo=UTC), "f", True, "n", "r", ("a", "b"), (b"1",), (b"2",), (b"3",))
    assert Step.from_bytes(step.to_bytes()) == step

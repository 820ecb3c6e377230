"""Responders and lists that fail, lie, revoke or come back while deposits are examined, over real HTTP.

Each document of a deposit is by a signer of its own, whose certificate names an address of its own: so that one deposit
meets every lie at once. Documents are read in this process here (`tests/here.py`); everything else is as in operation.
That they are read apart, within limits, is under test in `test_hostile_deposits.py`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from archive_core.errors import SignaturesNotAcceptedError
from archive_core.findings import Verdict
from archive_core.lifecycle import Status
from signing import http_fetch
from signing.examination import at_deposit
from tests.fakes.seal_authority import SealAuthority
from tests.fakes.web import Answer, Request
from tests.here import examine_here
from tests.unit.signing import forge
from tests.unit.signing.examination.signing_world import cms_by
from tests.unit.signing.forge import Identity
from tests.world import OPERATOR, World

pytestmark = pytest.mark.timeout(120)

RECORDED, SET_ASIDE, REQUIRED = "signed-recorded-1", "signed-quarantined-1", "signed-required-1"
TIMEOUT = 0.5
HOUR = timedelta(hours=1)


class Signed(World):
    """An archive that trusts a certification authority, whose responders it may ask."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.authority = SealAuthority(self.clock.now)
        self._up = ExitStack()
        self.revive()
        (self.home / "signers.pem").write_bytes(self.authority.anchor)
        examination = replace(
            self.settings.examination, trust=("signers.pem",), fetch=(f"{self.authority.url}/",), timeout=TIMEOUT
        )
        self.settings = replace(self.settings, examination=examination)
        self.restart()

    def kill(self) -> None:
        """Nobody listens where the responders were."""
        self._up.close()

    def revive(self) -> None:
        port = int(self.authority.url.rpartition(":")[2]) if self.authority.url else 0
        self._up.enter_context(self.authority.listening(port))

    def signer(self, place: str = "", *, by_ocsp: bool = True, **more: Any) -> Identity:
        return self.authority.identity(forge.new_key(), "Jana", by_ocsp=by_ocsp, place=place, **more)

    def letter(self, place: str = "", *, by_ocsp: bool = True, **more: Any) -> bytes:
        """A letter, signed by somebody whose certificate names the responder (or the list) at a place."""
        return cms_by(self.signer(place, by_ocsp=by_ocsp, **more), b"the letter", self.authority.below)

    def again(self) -> list[dict[str, Any]]:
        return [one.to_json() for one in self.archive.signatures.examine_again(actor=OPERATOR)]

    def found(self, poid: str, version: int | None = None) -> dict[str, dict[str, Any]]:
        """What was found in each document."""
        report = self.archive.signatures.report(poid, version, actor=OPERATOR)
        return {one["path"]: one for one in report["files"]}

    def collected(self, poid: str, version: int | None = None) -> set[bytes]:
        """The octets that were collected for a version and are kept with it."""
        row = self.archive.catalogue.version(poid, version, None)
        paths = [one.path for one in self.archive.catalogue.files(poid, row.version) if one.role == "validation-data"]
        return {b"".join(self.archive.signatures._content.stream(row, path)) for path in paths}

    def alarms(self) -> list[str]:
        warnings = self.archive.status(actor=OPERATOR)["warnings"]
        assert isinstance(warnings, list)
        return [one for one in warnings if "undecided" in one]

    def close(self) -> None:
        self.archive.close()
        self._up.close()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Signed]:
    examine_here(monkeypatch)
    world = Signed(tmp_path)
    yield world
    world.close()


# -- lies -----------------------------------------------------------------------------------------------


class Lies:
    """Answers that are none, each with the words that the report has for it."""

    def __init__(self, world: Signed) -> None:
        self._authority, self._now = world.authority, world.clock.now
        self.told: list[bytes] = []

    def either(self) -> dict[str, tuple[Callable[[Request, Answer], Answer], str]]:
        """What a responder and a server with lists can do wrong alike."""
        away = Answer(b"", status="503 Service Unavailable")
        gone = Answer(b"gone", status="404 Not Found")
        elsewhere = Answer(b"", status="302 Found", headers=(("Location", f"{self._authority.url}/below.crl"),))
        page = Answer(b"<html><body>The service is being maintained</body></html>", "text/html")
        return {
            "away": (lambda *_: away, "HTTP 503"),
            "gone": (lambda *_: gone, "HTTP 404"),
            "redirect": (lambda *_: elsewhere, "redirects are not followed"),
            "page": (lambda *_: page, "read"),
            "garbage": (lambda *_: Answer(bytes(range(256))), "read"),
            "empty": (lambda *_: Answer(b""), "read"),
            "cut": (lambda _, right: replace(right, body=right.body[:-7]), "read"),
            "endless": (lambda *_: Answer(b"0" * (http_fetch.MAX_FETCHED + 1)), "more than"),
        }

    def of_responders(self) -> dict[str, tuple[Callable[[Request, Answer], Answer], str]]:
        below, now = self._authority.below, self._now()
        stranger = forge.authority("Seal authority", start=now - forge.YEAR, end=now + forge.YEAR)
        usage = [(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False)]
        plain = forge.issued("No responder", below, start=now - forge.YEAR, end=now + forge.YEAR)
        ended = forge.issued("Ended", below, start=now - 2 * forge.YEAR, end=now - forge.YEAR, extensions=usage)

        def lie(**how: Any) -> Callable[[Request, Answer], Answer]:
            age = how.pop("age", timedelta(minutes=1))
            until = how.pop("until", None)

            def answer(request: Request, _: Answer) -> Answer:
                at = (self._now() - age).replace(microsecond=0)
                return Answer(self._authority.response(request.body, at, until=until and at + until, **how))

            return answer

        return {
            **self.either(),
            "another's": (lie(serial=4711), "about another certificate"),
            "old": (lie(age=timedelta(days=9), until=timedelta(days=1)), "outdated"),
            "tomorrow's": (lie(age=-timedelta(days=1)), "future"),
            "stranger's": (lie(by=stranger), "not signed by the issuer"),
            "no responder's": (lie(by=plain), "not signed by the issuer"),
            "ended responder's": (lie(by=ended), "not signed by the issuer"),
            "unknown": (lie(unknown=True), "does not know the certificate"),
            "try later": (lambda *_: Answer(bytes.fromhex("30030a0103")), "try_later"),
            "unauthorized": (lambda *_: Answer(bytes.fromhex("30030a0106")), "unauthorized"),
        }

    def of_lists(self) -> dict[str, tuple[Callable[[Request, Answer], Answer], str]]:
        below, root, now = self._authority.below, self._authority.root, self._now()
        stranger = forge.authority("Seal authority", start=now - forge.YEAR, end=now + forge.YEAR)

        def lie(issuer: Identity, age: timedelta = HOUR, **how: Any) -> Callable[[Request, Answer], Answer]:
            return lambda *_: Answer(forge.crl(issuer, issued_at=(self._now() - age).replace(microsecond=0), **how))

        return {
            **self.either(),
            "another's": (lie(root), "not the issuer's"),
            "stranger's": (lie(stranger), "not signed by the issuer"),
            "forged": (lie(below, key=stranger.key), "not signed by the issuer"),
            "old": (lie(below, timedelta(days=30)), "outdated"),
            "tomorrow's": (lie(below, -timedelta(days=1)), "future"),
        }

    def remembered(self, wrong: Callable[[Request, Answer], Answer]) -> Callable[[Request, Answer], Answer]:
        def answer(request: Request, right: Answer) -> Answer:
            said = wrong(request, right)
            self.told.append(said.body)
            return said

        return answer


SAMPLE = ("away", "redirect", "endless", "another's", "stranger's", "old", "unknown")
"""Of what can go wrong, what the suite tries; `soak` tries everything."""


@pytest.mark.parametrize("kind", ["responders", "lists"])
@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.soak)], ids=["sample", "every one"])
@pytest.mark.slow
def test_no_lie_decides_or_is_kept_and_the_truth_does_when_it_comes(
    world: Signed, monkeypatch: pytest.MonkeyPatch, kind: str, every: bool
) -> None:
    """Every document is undecided with the reason and the deposit set aside; after two days it is an alarm; when all
    answer as they should, it becomes a version with what they said, and nobody has to release it."""
    monkeypatch.setattr(http_fetch, "MAX_FETCHED", 100_000)
    by_ocsp = kind == "responders"
    lies = Lies(world)
    wrongs = lies.of_responders() if by_ocsp else lies.of_lists()
    if not every:
        wrongs = {name: one for name, one in wrongs.items() if name in SAMPLE}
    begins = "/ocsp" if by_ocsp else "/below.crl"
    places = {name: f"/{number}" for number, name in enumerate(wrongs)}
    for name, (wrong, _) in wrongs.items():
        world.authority.wrong[f"{begins}{places[name]}"] = lies.remembered(wrong)
    letters = {f"{name}.p7m": world.letter(places[name], by_ocsp=by_ocsp) for name in wrongs}
    told = world.deposit(letters, profile=SET_ASIDE)
    found = world.found(told.poid)

    assert told.status is Status.QUARANTINED
    for name, (_, words) in wrongs.items():
        one = found[f"{name}.p7m"]
        assert (one["verdict"], one["sub_indications"], one["later"]) == ("INDETERMINATE", ["TRY_LATER"], True), name
        assert len(one["problems"]) == 1, (name, one["problems"])
        assert words in one["problems"][0], (name, one["problems"])
        assert places[name] in one["problems"][0], (name, one["problems"])
    assert len(lies.told) == len(wrongs)
    before = world.collected(told.poid)
    assert not before & set(lies.told)
    assert world.alarms() == []
    (view,) = world.again()
    assert view["version"] is None
    assert any(one["problems"][0] in view["error"] for one in found.values())
    world.clock.advance(hours=49)
    assert len(world.alarms()) == 1
    assert any(one["problems"][0] in world.alarms()[0] for one in found.values())

    world.authority.wrong.clear()
    (view,) = world.again()
    assert (view["version"], view["outcome"], view["error"]) == (2, "accept", None)
    assert {one["verdict"] for one in world.found(told.poid).values()} == {"PASSED"}
    assert world.archive.show(told.poid, actor=OPERATOR).status is Status.REPLICATED
    after = world.collected(told.poid)
    assert len(after - before) >= (len(wrongs) if by_ocsp else 1)
    assert not after & set(lies.told)
    assert (world.alarms(), world.again()) == ([], [])


def test_a_nonce_that_nobody_asked_for_spoils_nothing(world: Signed) -> None:
    """We ask without one (RFC 6960 4.4.1: the responder may leave it out), and judge by time and signature."""
    at = (world.clock.now() - timedelta(minutes=1)).replace(microsecond=0)
    world.authority.wrong["/ocsp"] = lambda request, _: Answer(
        world.authority.response(request.body, at, nonce=b"another one's nonce")
    )
    told = world.deposit({"a.p7m": world.letter()}, profile=SET_ASIDE)

    assert told.status is not Status.QUARANTINED
    assert world.found(told.poid)["a.p7m"]["verdict"] == "PASSED"


# -- killed and slow ------------------------------------------------------------------------------------


def test_killed_responders_are_no_reason_to_lose_a_deposit(world: Signed) -> None:
    """By the rule of each profile: recorded, set aside, or refused; and decided when they are up again."""
    letter = world.letter()
    world.kill()
    recorded = world.deposit({"a.p7m": letter}, profile=RECORDED)
    aside = world.deposit({"a.p7m": letter, "note.txt": b"words"}, profile=SET_ASIDE)
    with pytest.raises(SignaturesNotAcceptedError) as refused:
        world.deposit({"a.p7m": letter}, profile=REQUIRED)

    assert (recorded.status, aside.status) == (Status.REPLICATED, Status.QUARANTINED)
    assert "TRY_LATER" in str(refused.value)
    assert world.found(aside.poid)["note.txt"]["verdict"] is None
    assert any("refused" in one for one in world.found(recorded.poid)["a.p7m"]["problems"])
    trail = [f"{one['type']}: {one['code']}" for one in world.archive.trace(aside.poid, actor=OPERATOR)]
    assert "digital signature validation: quarantine-later" in trail
    world.revive()
    world.clock.advance(minutes=1)
    again = world.again()
    assert {one["poid"]: (one["version"], one["outcome"]) for one in again} == {
        recorded.poid: (2, "accept"),
        aside.poid: (2, "accept"),
    }
    assert world.deposit({"a.p7m": letter}, profile=REQUIRED).status is Status.REPLICATED
    world.preserve()
    world.check()


def test_a_slow_responder_costs_its_time_out_and_no_other_document(world: Signed) -> None:
    """Silent for ever; the letter beside it is judged, and the deposit is told within seconds."""
    done = threading.Event()

    def silent(_: Request, right: Answer) -> Answer:
        done.wait(20)
        return right

    world.authority.wrong["/ocsp/slow"] = silent
    began = world.clock.now()
    try:
        told = world.deposit({"slow.p7m": world.letter("/slow"), "b.p7m": world.letter()}, profile=SET_ASIDE)
    finally:
        done.set()
    found = world.found(told.poid)

    assert found["b.p7m"]["verdict"] == "PASSED"
    assert found["slow.p7m"]["sub_indications"] == ["TRY_LATER"]
    assert "within 0.5 s" in found["slow.p7m"]["problems"][0] or "timed out" in found["slow.p7m"]["problems"][0]
    assert world.clock.now() - began < timedelta(seconds=5)
    world.authority.wrong.clear()
    assert [(one["version"], one["outcome"]) for one in world.again()] == [(2, "accept")]


@pytest.mark.slow
def test_what_stays_silent_is_not_asked_for_every_document_for_ever(
    world: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time that may be spent on one document bounds all its addresses together."""
    monkeypatch.setattr(at_deposit, "FETCHING", -1.0)
    told = world.deposit({"a.p7m": world.letter()}, profile=RECORDED)

    assert world.authority.asked == []
    assert "was not asked: enough was fetched" in world.found(told.poid)["a.p7m"]["problems"][0]


# -- revoked, expired, clocks ---------------------------------------------------------------------------


@pytest.mark.parametrize("by_ocsp", [True, False], ids=["response", "list"])
def test_revoked_is_final_kept_and_no_alarm(world: Signed, by_ocsp: bool) -> None:
    """Nothing shows that the signature is older than the revocation: undecided for good, with the proof of it."""
    signer = world.signer(by_ocsp=by_ocsp)
    world.authority.revoke(signer)
    letter = cms_by(signer, b"the letter", world.authority.below)
    told = world.deposit({"a.p7m": letter}, profile=SET_ASIDE)
    one = world.found(told.poid)["a.p7m"]

    assert told.status is Status.QUARANTINED
    assert (one["verdict"], one["sub_indications"], one["later"]) == ("INDETERMINATE", ["REVOKED_NO_POE"], False)
    assert one["problems"] == []
    assert any(path.endswith(".ocsp" if by_ocsp else ".crl") for path in one["material"])
    assert len(world.collected(told.poid)) >= 3
    world.clock.advance(hours=49)
    assert (world.again(), world.alarms()) == ([], [])
    with pytest.raises(SignaturesNotAcceptedError, match="REVOKED_NO_POE"):
        world.deposit({"a.p7m": letter}, profile=REQUIRED)


def test_revoked_between_deposit_and_answer_is_still_good(world: Signed) -> None:
    """Undecided at the deposit, since nobody answered; revoked meanwhile: the deposit is older, and under evidence."""
    signer = world.signer(by_ocsp=False)
    letter = cms_by(signer, b"the letter", world.authority.below)
    world.kill()
    told = world.deposit({"a.p7m": letter}, profile=SET_ASIDE)
    world.preserve()
    world.clock.advance(hours=3)
    world.authority.revoke(signer)
    world.revive()
    world.again()
    one = world.found(told.poid)["a.p7m"]

    assert (one["verdict"], world.archive.show(told.poid, actor=OPERATOR).status) == ("PASSED", Status.REPLICATED)
    world.preserve()
    assert world.archive.verify(told.poid, 2, actor=OPERATOR).verdict is Verdict.PASSED
    assert world.audit().findings == []


def test_a_certificate_that_ended_is_undecided_for_good(world: Signed) -> None:
    """No time-stamp shows that the signature is older than the end."""
    start = world.clock.now() - 2 * forge.YEAR
    told = world.deposit({"a.p7m": world.letter(start=start, years=1)}, profile=SET_ASIDE)
    one = world.found(told.poid)["a.p7m"]

    assert (told.status, one["verdict"], one["later"]) == (Status.QUARANTINED, "INDETERMINATE", False)
    assert one["sub_indications"] == ["OUT_OF_BOUNDS_NO_POE"]
    world.clock.advance(hours=49)
    assert (world.again(), world.alarms()) == ([], [])


@pytest.mark.parametrize("hours", [-7, 60], ids=["behind", "ahead"])
@pytest.mark.slow
def test_a_clock_that_is_wrong_takes_nothing_for_good(world: Signed, hours: int) -> None:
    """Ours is behind: what they say is from the future; ours is ahead: it is outdated. Put right, it is decided."""
    right = world.clock.now
    behind = timedelta(hours=hours)
    world.authority._now = lambda: right() - behind
    told = world.deposit({"a.p7m": world.letter()}, profile=SET_ASIDE)
    one = world.found(told.poid)["a.p7m"]

    assert (one["verdict"], one["sub_indications"]) == ("INDETERMINATE", ["TRY_LATER"])
    assert ("from the future" if hours < 0 else "outdated") in one["problems"][0]
    world.authority._now = right
    assert [(view["version"], view["outcome"]) for view in world.again()] == [(2, "accept")]


@pytest.mark.slow
def test_only_what_was_issued_afterwards_counts_where_the_profile_says_so(world: Signed) -> None:
    """Freshness 0 of Reg. (EU) 2025/1946: the responder answers honestly with what it signed before the deposit;
    the document waits for its next answer, and the scheduler resolves it."""
    began = (world.clock.now() - HOUR).replace(microsecond=0)
    world.authority.wrong["/ocsp"] = lambda request, _: Answer(world.authority.response(request.body, began))
    told = world.deposit({"a.p7m": world.letter()}, profile=RECORDED)
    one = world.found(told.poid)["a.p7m"]

    assert (told.status, one["sub_indications"], one["later"]) == (Status.REPLICATED, ["TRY_LATER"], True)
    assert [view["version"] for view in world.again()] == [None]
    world.authority.wrong.clear()
    world.clock.advance(hours=1)
    world.preserve()  # looks at what waits first, as the scheduler does
    shown = world.archive.show(told.poid, actor=OPERATOR)
    assert (shown.kind, shown.version, shown.status) == ("validation-data", 2, Status.EVIDENCED)
    report = json.loads(world.archive.signatures.document_report(told.poid, "a.p7m", actor=OPERATOR))
    assert report["signatures"][0]["verdict"] == "PASSED"
    world.check()

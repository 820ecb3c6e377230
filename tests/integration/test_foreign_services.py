"""The main job on trust services of others: a key in SoftHSM2, certificates, OCSP and lists of certomancer, and two
authorities of OpenSSL behind TLS, one with a password and one with client certificates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api.settings import SETTINGS_FILE, ArchiveSettings
from archive_core.findings import Verdict
from archive_core.outages import LONGEST_WAIT
from archive_core.receipts import Receipt
from signing.cms import parse_signed_message
from tests.fakes.foreign import BEGAN, FOR_EVER, POLICY, ForeignPki, OpensslTsa
from tests.hsm import PIN, SoftHsm, key, soft_hsm
from tests.integration.test_tsa_reached import Place
from tests.world import OPERATOR, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PASSWORD = "tsa-password-4711"


@dataclass
class Foreign:
    """The archive and whom it depends on. `first` wants a password, `second` a client's certificate."""

    world: World
    pki: ForeignPki
    first: OpensslTsa
    second: OpensslTsa

    def round(self) -> list[Any]:
        return self.world.archive.preserve(actor=OPERATOR)

    def verdict(self, poid: str) -> tuple[Verdict, bool]:
        report = self.world.archive.verify(poid, actor=OPERATOR)
        return report.verdict, report.test_trust

    def warnings(self) -> str:
        return " ".join(self.world.archive.status(actor=OPERATOR)["warnings"])


def settings(home: Path, hsm: SoftHsm, pki: ForeignPki, urls: list[str]) -> ArchiveSettings:
    """In the place of the home's own test trust, of which nothing is left."""
    file = home / SETTINGS_FILE
    text = file.read_text()
    reached = (
        f'user = "archive"\npassword = "file:{pki.folder}/password"',
        f'client_key = "{pki.folder}/client.p12"\nclient_password = "file:{pki.folder}/client.password"',
    )
    written = "".join(
        f'[[timestamp_authority]]\nname = "local-tsa-{number}"\nscheme = "http"\nurl = "{url}"\npolicy = "{POLICY}"\n'
        f'trust_class = "advanced"\naccuracy = 1.0\ntimeout = 10.0\nca = "{pki.folder}/ca.pem"\n'
        f'fetch = ["{pki.url}"]\n{how}\n\n'
        for number, (url, how) in enumerate(zip(urls, reached, strict=True), 1)
    )
    written += (
        f'[seal]\nkey = "{hsm.address("seal")}"\npin = "env:TEST_HSM_PIN"\ncertificates = "{pki.folder}/chain.pem"\n'
        f'fetch = ["{pki.url}"]\n\n'
    )
    text = text[: text.index("[[timestamp_authority]]")] + written + text[text.index("[server]") :]
    file.write_text(text.replace('"trust/test-ca.pem"', f'"{pki.folder}/root.pem"'))
    return ArchiveSettings.load(home)


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Foreign]:
    """Its revocation lists are good for ever, or as long as a test's parameter says."""
    monkeypatch.setenv("TEST_HSM_PIN", PIN)
    world = World(tmp_path)
    with ExitStack() as until:
        until.callback(lambda: world.archive.close())
        hsm = until.enter_context(soft_hsm(tmp_path / "hsm"))
        hsm.put(key("p384"), "seal")
        soon = datetime.now(UTC) + timedelta(days=1)
        lists = getattr(request, "param", FOR_EVER)
        made = ForeignPki(tmp_path / "pki", world.clock.now, key("p384"), soon, lists=lists)
        pki = until.enter_context(made.listening())
        Place(pki.folder)  # certificates for TLS: those of the server, of a client, and of who issued them
        chain = (pki.folder / "seal.pem").read_bytes() + (pki.folder / "below.pem").read_bytes()
        (pki.folder / "chain.pem").write_bytes(chain)
        first = OpensslTsa(pki, "first", password=("archive", PASSWORD))
        second = OpensslTsa(pki, "second", clients=pki.folder / "ca.pem")
        urls = [until.enter_context(one.listening(pki.folder / "server.pem")) for one in (first, second)]
        world.settings = settings(world.home, hsm, pki, urls)
        world.restart()
        yield Foreign(world, pki, first, second)


def test_the_main_job_on_services_of_others(foreign: Foreign) -> None:
    """Sealed, stamped twice, proven, updated and audited; what certifies it was fetched from them and is kept."""
    world = foreign.world
    poid = world.deposit({"contract.txt": b"signed", "annex/plan.txt": b"drawn"}, profile="redundant-1").poid
    assert [view.error for view in foreign.round()] == [None]
    assert (foreign.first.asked, foreign.second.asked, foreign.first.refused) == (1, 1, 0)
    assert foreign.verdict(poid) == (Verdict.PASSED, False)
    seal = parse_signed_message(Receipt.parse(world.archive.receipt(poid, actor=OPERATOR)).seal)
    assert foreign.pki.certificate("below") in {one.dump() for one in seal.certificates}
    assert (len(seal.crls), len(seal.ocsps)) == (1, 1)
    assert {"/foreign/ocsp/below", "/foreign/crls/root/latest.crl"} <= set(foreign.pki.asked)

    world.update(poid, {"contract.txt": b"signed again"})
    assert [view.error for view in foreign.round()] == [None]
    assert foreign.verdict(poid) == (Verdict.PASSED, False)
    assert not world.archive.status(actor=OPERATOR)["test_trust"]
    assert not world.audit().findings
    world.check()


def test_responders_that_are_away_stop_the_seal_and_a_revocation_stops_it_for_good(foreign: Foreign) -> None:
    """Deposits go on and are told of as waiting; what was sealed before stays proven, also after the revocation."""
    world, pki = foreign.world, foreign.pki
    pki.away = True
    poid = world.deposit({"a.txt": b"waits"}, profile="redundant-1").poid
    (view,) = foreign.round()
    assert view.error is not None
    assert foreign.first.asked == 0
    assert "seal" in foreign.warnings()

    pki.away = False
    world.clock.advance(seconds=LONGEST_WAIT.total_seconds() / 2)  # OpenSSL stays at the machine's time
    assert [view.error for view in foreign.round()] == [None]
    assert foreign.verdict(poid) == (Verdict.PASSED, False)

    world.clock.advance(days=2)
    world.deposit({"b.txt": b"too late"}, profile="redundant-1")
    (view,) = foreign.round()
    assert view.error is not None
    assert "revoked" in view.error
    assert foreign.first.asked == 1
    assert foreign.verdict(poid) == (Verdict.PASSED, False)


def test_a_password_that_is_wrong_no_more_is_used_when_it_is_right_again(foreign: Foreign) -> None:
    """The line of the other authority is stamped and not paid for twice; the refusal names no password."""
    world = foreign.world
    secret = foreign.pki.folder / "password"
    secret.write_text("another")
    world.restart()
    poid = world.deposit({"a.txt": b"once"}, profile="redundant-1").poid
    (view,) = foreign.round()
    assert view.error is not None
    assert "401" in view.error
    assert PASSWORD not in view.error
    assert "another" not in view.error
    assert foreign.first.refused >= 1

    secret.write_text(PASSWORD)
    world.restart()
    assert [view.error for view in foreign.round()] == [None]
    assert foreign.second.asked == 1
    assert foreign.verdict(poid) == (Verdict.PASSED, False)


@pytest.mark.parametrize(
    "foreign", [datetime.now(UTC) - BEGAN + timedelta(days=1)], indirect=True, ids=["until tomorrow"]
)
def test_a_time_stamp_outlasts_the_list_that_was_there_first(foreign: Foreign) -> None:
    """The authority's list is older than the time-stamp and ends tomorrow. Then nothing can be said of it, until the
    next list is fetched and kept in every store; after that nothing more is fetched."""
    world = foreign.world
    poid = world.deposit({"a.txt": b"stamped between two lists"}, profile="redundant-1").poid
    assert [view.error for view in foreign.round()] == [None]
    assert foreign.verdict(poid) == (Verdict.PASSED, False)
    early = world.archive.refresh_validation_data()
    assert (early.batches, early.waiting, early.problems) == ((), (1,), ())

    world.clock.advance(days=2)
    assert foreign.verdict(poid)[0] is Verdict.INDETERMINATE
    foreign.pki.away = True
    assert world.archive.refresh_validation_data().waiting == (1,)
    foreign.pki.away = False
    later = world.archive.refresh_validation_data()
    assert (later.batches, later.waiting, later.problems) == ((1,), (), ())
    assert foreign.verdict(poid) == (Verdict.PASSED, False)

    asked = len(foreign.pki.asked)
    again = world.archive.refresh_validation_data()
    assert (again.batches, again.waiting, len(foreign.pki.asked)) == ((), (), asked)
    world.clock.advance(days=400)
    assert foreign.verdict(poid) == (Verdict.PASSED, False)
    assert not world.audit().findings
    world.check()

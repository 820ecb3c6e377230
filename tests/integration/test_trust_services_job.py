"""The whole main job on real parts: a seal key in a module, OCSP, and an HTTP authority for each of two lines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.settings import SETTINGS_FILE, ArchiveSettings
from archive_core.findings import Verdict
from tests.fakes.seal_authority import SealAuthority
from tests.fakes.tsa import POLICY, HttpTsa
from tests.hsm import PIN, key, soft_hsm
from tests.integration.test_seal_keys import SealedWorld
from tests.world import OPERATOR

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


class RealWorld(SealedWorld):
    """Nothing in it is the home's own test trust but what the settings still hold of it, unused."""

    def stamp_with(self, *authorities: HttpTsa) -> None:
        (self.home / "tsa-roots.pem").write_bytes(b"".join(one.anchor for one in authorities))
        file = self.home / SETTINGS_FILE
        text = file.read_text()
        start, end = text.index("[[timestamp_authority]]"), text.index("[seal]")
        written = "".join(
            f'[[timestamp_authority]]\nname = "local-tsa-{number}"\nscheme = "http"\nurl = "{one.address}"\n'
            f'policy = "{POLICY}"\ntrust_class = "advanced"\naccuracy = 1.0\ntimeout = 2.0\n\n'
            for number, one in enumerate(authorities, 1)
        )
        text = f"{text[:start]}{written}{text[end:]}".replace('["seal-root', '["tsa-roots.pem", "seal-root')
        file.write_text(text.replace(', "trust/test-ca.pem"', ""))
        self.settings = ArchiveSettings.load(self.home)
        self.restart()


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[RealWorld, list[HttpTsa]]]:
    monkeypatch.setenv("TEST_HSM_PIN", PIN)
    authority = SealAuthority(lambda: datetime.now(UTC))
    with authority.listening(), soft_hsm(tmp_path / "hsm") as hsm:
        world = RealWorld(tmp_path, authority)
        identity = authority.identity(key("rsa3072"), by_ocsp=True)
        hsm.put(identity.key, "seal")
        world.use(world.with_hsm(hsm, identity))
        stamps = [HttpTsa(world.clock.now) for _ in range(2)]
        with stamps[0].listening(), stamps[1].listening():
            world.stamp_with(*stamps)
            yield world, stamps
            world.archive.close()


def test_the_main_job_on_a_module_and_two_authorities(real: tuple[RealWorld, list[HttpTsa]]) -> None:
    """Deposit, evidence on two lines, update, one authority away and back, audit, and all of it from one store."""
    world, (first, second) = real
    poid = world.deposit({"contract.txt": b"signed", "annex/plan.txt": b"drawn"}, profile="redundant-1").poid
    world.preserve()
    assert (first.asked, second.asked) == (1, 1)
    report = world.archive.verify(poid, actor=OPERATOR)
    assert (report.verdict, report.test_trust) == (Verdict.PASSED, False)

    second.behaviour = second.raw(b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n")
    world.update(poid, {"contract.txt": b"signed again"})
    (view,) = world.round()
    assert view.error is not None
    assert first.asked == 2
    second.behaviour = second.honest
    assert [one.error for one in world.round()] == [None]
    assert first.asked == 2  # what it gave before was kept
    assert not world.status()["test_trust"]
    assert not world.audit().findings
    world.check()

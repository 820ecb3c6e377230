"""Several time-stamp authorities for a line, how each is reached, what they cost, and two of them over one root."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.settings import SETTINGS_FILE, ArchiveSettings, parse_settings
from archive_core.errors import SettingsError
from archive_core.findings import Verdict
from archive_core.outages import LONGEST_WAIT
from tests.fakes.tsa import POLICY, HttpTsa
from tests.world import OPERATOR, World

pytestmark = pytest.mark.timeout(120)


class Two(World):
    """`local-tsa-1` is an authority over HTTP, in whose place another one stands."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.first, self.second = HttpTsa(self.clock.now), HttpTsa(self.clock.now)

    def connect(self, *, budget: int = 0, instead: str = '"backup"') -> None:
        (self.home / "roots.pem").write_bytes(self.first.anchor + self.second.anchor)
        text = (self.home / SETTINGS_FILE).read_text()
        local = '[[timestamp_authority]]\nname = "local-tsa-1"\nscheme = "local"\n'
        assert local in text
        backup = self.authority("backup", self.second)
        rest = f"instead = [{instead}]\nbudget = {budget}\n"
        main = f"{self.authority('local-tsa-1', self.first)}{rest}"
        text = text.replace(local, f'{backup}trust_class = "test"\n\n{main}')
        (self.home / SETTINGS_FILE).write_text(text.replace("trust_anchors = [", 'trust_anchors = ["roots.pem", '))
        self.settings = ArchiveSettings.load(self.home)
        self.restart()

    @staticmethod
    def authority(name: str, tsa: HttpTsa) -> str:
        head = f'[[timestamp_authority]]\nname = "{name}"\nscheme = "http"\n'
        return f'{head}url = "{tsa.address}"\npolicy = "{POLICY}"\ntimeout = 1.0\n'

    def round(self, **more: Any) -> list[Any]:
        return self.archive.preserve(actor=OPERATOR, **more)

    def authorities(self) -> dict[str, dict[str, Any]]:
        return {one["name"]: one for one in self.archive.status(actor=OPERATOR)["timestamp_authorities"]}  # type: ignore[attr-defined]


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    world = Two(tmp_path)
    with world.first.listening(), world.second.listening():
        world.connect()
        yield world
        world.archive.close()


def test_the_next_authority_stamps_while_the_first_gives_nothing(two: Two) -> None:
    """Evidence is there at once; who gave it stands in the stores and in a catalogue rebuilt from them."""
    two.first.behaviour = two.first.raw(b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n")
    poid = two.deposit({"a.txt": b"stamped by the second"}).poid
    two.preserve()
    assert (two.first.asked, two.second.asked) == (1, 1)
    assert two.archive.verify(poid, actor=OPERATOR).verdict is Verdict.PASSED
    assert [line.tsa for line in two.archive.catalogue.lines(1)] == ["backup"]
    assert two.authorities()["local-tsa-1"]["ok"] is False
    assert two.authorities()["backup"]["ok"] is True
    assert not two.audit().findings
    two.check()


@pytest.mark.slow
def test_the_first_authority_is_asked_again_when_it_is_back(two: Two) -> None:
    """After its wait; until then nobody presses on it, and the batches do not wait either."""
    two.first.behaviour = two.first.raw(b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n")
    two.deposit({"a.txt": b"one"})
    two.clock.advance(minutes=2)
    assert [view.error for view in two.round(only_due=True)] == [None]
    two.first.behaviour = two.first.honest
    two.clock.advance(seconds=LONGEST_WAIT.total_seconds())
    two.deposit({"b.txt": b"two"})
    two.clock.advance(minutes=2)
    assert [view.error for view in two.round(only_due=True)] == [None]
    assert [line.tsa for line in two.archive.catalogue.lines(2)] == ["local-tsa-1"]
    assert two.second.asked == 1


@pytest.mark.slow
def test_a_lying_authority_is_passed_over_too(two: Two) -> None:
    """Whatever it gives that is no evidence."""
    two.first.behaviour = two.first.stranger
    poid = two.deposit({"a.txt": b"one"}).poid
    two.preserve()
    assert [line.tsa for line in two.archive.catalogue.lines(1)] == ["backup"]
    assert two.archive.verify(poid, actor=OPERATOR).verdict is Verdict.PASSED


@pytest.mark.slow
def test_when_none_answers_the_batch_waits_and_the_first_is_named(two: Two) -> None:
    """Both stand in the status."""
    for tsa in (two.first, two.second):
        tsa.behaviour = tsa.raw(b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n")
    two.deposit({"a.txt": b"one"})
    (view,) = two.round()
    assert view.error is not None
    assert two.first.address in view.error
    assert [name for name, one in two.authorities().items() if not one["ok"]] == ["backup", "local-tsa-1"]
    for tsa in (two.first, two.second):
        tsa.behaviour = tsa.honest
    assert [view.error for view in two.round()] == [None]


@pytest.mark.slow
def test_time_stamps_are_counted_and_a_budget_is_told_of(tmp_path: Path) -> None:
    """By calendar month; a warning from four fifths on, and no evidence withheld."""
    two = Two(tmp_path)
    with two.first.listening(), two.second.listening():
        two.connect(budget=5)
        for number in range(5):
            two.deposit({"a.txt": b"%d" % number})
            two.preserve()
            told = two.archive.status(actor=OPERATOR)
            warned = any("time-stamps of" in warning for warning in told["warnings"])  # type: ignore[attr-defined]
            assert warned is (number >= 3)
        counted = two.authorities()["local-tsa-1"]["timestamps"]
        assert counted == {"month": f"{two.clock.now():%Y-%m}", "asked": 5, "obtained": 5, "budget": 5}
        two.clock.advance(days=32)
        assert two.authorities()["local-tsa-1"]["timestamps"]["asked"] == 0
        two.first.behaviour = two.first.stranger
        two.deposit({"b.txt": b"not good"})
        two.preserve()
        assert two.authorities()["local-tsa-1"]["timestamps"]["asked"] == 1
        two.archive.close()


@pytest.mark.parametrize(
    ("instead", "trust_class", "said"),
    [
        ('"nobody"', "test", "no other TSA"),
        ('"local-tsa-1"', "test", "no other TSA"),
        ('"local-tsa-2"', "qualified", "no stand-in"),
        ('"local-tsa-2"', "splendid", "trust_class is one of"),
    ],
)
def test_who_cannot_stand_in_is_refused(two: Two, instead: str, trust_class: str, said: str) -> None:
    """When the settings are read."""
    text = (two.home / SETTINGS_FILE).read_text()
    start = text.index('name = "local-tsa-1"')
    end = text.index("[[", start)
    mine = (
        text[start:end].replace('instead = ["backup"]', f"instead = [{instead}]").replace('"test"', f'"{trust_class}"')
    )
    with pytest.raises(SettingsError, match=said):
        parse_settings(text[:start] + mine + text[end:], two.home)

"""`doctor --imprints`: which algorithms an authority takes, and what it costs to learn that."""

from __future__ import annotations

from typing import Any

import pytest

from api import doctor_authorities
from api.doctor_authorities import probe
from api.settings import ArchiveSettings
from api.wiring import build_signing
from archive_core.clock import SystemClock
from archive_core.digests import Digest
from archive_core.errors import TimestampRefusedError, UnavailableError
from tests.command_line import CommandLine


def authorities(document: Any) -> list[dict[str, Any]]:
    return [check for check in document["checks"] if check["name"] == "time-stamp authority"]


def test_without_being_asked_one_time_stamp_is_used_for_each_authority(line: CommandLine) -> None:
    """They may cost money; the number is told."""
    found = authorities(line.json("doctor"))

    assert len(found) == 2
    for check in found:
        assert check["message"].endswith("time-stamps used: 1")
        assert "sha384" not in check["message"]


def test_asked_for_every_algorithm_is_tried(line: CommandLine) -> None:
    """One over each, and what the authority signs with."""
    for check in authorities(line.json("doctor", "--imprints")):
        for name in ("sha512", "sha384", "sha3-512", "sha3-384", "sha256"):
            assert name in check["message"]
        assert check["message"].endswith("signed by ecdsa (384); time-stamps used: 5")


class Choosy:
    """A real authority that takes no SHA-3, is away for SHA-384, and lies over SHA-256."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.name, self.test_trust = real.name, real.test_trust

    def timestamp(self, imprint: Digest) -> Any:
        if imprint.algorithm.startswith("sha3-"):
            raise TimestampRefusedError("bad_alg")
        if imprint.algorithm == "sha384":
            raise UnavailableError("gone")
        return self._real.timestamp(Digest.of("sha256", b"else") if imprint.algorithm == "sha256" else imprint)

    def validation_data(self, token: bytes) -> Any:
        return self._real.validation_data(token)


def test_what_is_refused_is_told_with_its_reason_and_only_what_came_is_counted(line: CommandLine) -> None:
    """A time-stamp over something else is not one over what was asked."""
    signing = build_signing(ArchiveSettings.load(line.home), SystemClock())
    found = probe(signing, Choosy(signing.authorities["local-tsa-1"]), doctor_authorities.IMPRINTS)

    assert (found.taken, found.obtained, found.ok) == (("sha512",), 2, True)
    assert dict(found.refused) == {
        "sha3-512": "bad_alg",
        "sha3-384": "bad_alg",
        "sha384": "gone",
        "sha256": dict(found.refused)["sha256"],
    }
    assert "bad_alg" in found.message


def test_an_authority_that_takes_no_sha512_is_a_fault(line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidence is built with it."""
    signing = build_signing(ArchiveSettings.load(line.home), SystemClock())
    choosy = Choosy(signing.authorities["local-tsa-1"])
    monkeypatch.setattr(choosy, "timestamp", lambda imprint: (_ for _ in ()).throw(TimestampRefusedError("no")))

    assert not probe(signing, choosy, doctor_authorities.IMPRINTS).ok


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ('[algorithms]\ntable = "gone.xml"', "cannot read the list"),
        ('[algorithms]\ntable = "bad.xml"', "well-formed"),
        ('[algorithms]\nrequire_signature = true\ntable = "good.toml"', "no XML signature"),
    ],
)
def test_a_list_of_algorithms_that_cannot_be_used_is_named(line: CommandLine, more: str, why: str) -> None:
    """With the file and what to do; nothing starts on another list instead."""
    from policies import current_algorithms

    (line.home / "bad.xml").write_text("<x>")
    (line.home / "good.toml").write_bytes(current_algorithms().source)
    settings = line.home / "trusted-archive.toml"
    settings.write_text(f"{settings.read_text()}\n{more}\n")
    document = line.run("--json", "doctor").json
    found = next(check for check in document["checks"] if check["name"] == "algorithm table")

    assert (found["ok"], why in found["message"]) == (False, True)
    assert line.json("status", code=78)["error"]["code"] == "settings"

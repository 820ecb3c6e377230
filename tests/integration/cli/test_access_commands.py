"""`organisations`, `keys rotate`, `search`, `changes`, `webhooks`: each from the words to the answer."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.command_line import CommandLine

ORG = "70891508"


def test_an_organisation_from_beginning_to_end(line: CommandLine, letter: Path) -> None:
    """Added, full, enlarged, closed, opened again; refusals have their codes."""
    made = line.json("organisations", "add", ORG, "--name", "Kraj", "--quota-objects", "1", "--rate", "600")
    assert (made["id"], made["active"], made["quota_objects"], made["objects"]) == (ORG, True, 1, 0)
    line.json("deposit", letter, "--organisation", ORG)
    refused = line.run("--json", "deposit", str(letter), "--organisation", ORG)
    assert (refused.code, refused.json["objects"][0]["error"]["code"]) == (10, "quota-exceeded")
    assert line.json("organisations", "change", ORG, "--quota-objects", "none")["quota_objects"] is None
    line.json("deposit", letter, "--organisation", ORG)
    assert line.json("organisations", "close", ORG)["active"] is False
    refused = line.run("--json", "deposit", str(letter), "--organisation", ORG)
    assert (refused.code, refused.json["objects"][0]["error"]["code"]) == (10, "organisation-not-active")
    assert line.json("organisations", "reopen", ORG)["active"] is True
    listed = line.json("organisations", "list")["organisations"]
    assert [(one["id"], one["objects"], one["rate_per_minute"]) for one in listed] == [(ORG, 2, 600)]
    assert "Kraj" in line.run("organisations", "list").out
    for words, code in (
        (("add", ORG, "--name", "x"), 12),
        (("add", "70891509", "--name", "x"), 2),
        (("add", "00064581", "--name", "x", "--quota-bytes", "-1"), 2),
        (("close", "00064581"), 11),
    ):
        assert line.run("organisations", *words).code == code, words


def test_a_key_is_narrowed_and_replaced(line: CommandLine) -> None:
    """With its end, its scopes and its rate; the new one like the old."""
    words = ("--role", "auditor", "--scope", "read", "--scope", "trace", "--rate", "5", "--expires", "2099-01-01")
    made = line.json("keys", "create", *words)
    assert (made["scopes"], made["rate_per_minute"]) == (["read", "trace"], 5)
    assert made["expires"].startswith("2099-01-01T00:00:00")
    new = line.json("keys", "rotate", made["key_id"], "--overlap-days", "0")
    assert (new["replaces"], new["scopes"]) == (made["key_id"], ["read", "trace"])
    assert new["secret"] != made["secret"]
    assert not new["replaced"]["good"]
    listed = line.json("keys", "list")["keys"]
    assert [one["good"] for one in listed] == [False, True]
    assert "secret" not in listed[0]
    for wrong, code in (
        (("rotate", made["key_id"]), 12),
        (("rotate", "key-0"), 11),
        (("rotate", new["key_id"], "--overlap-days", "367"), 2),
        (("create", "--role", "auditor", "--expires", "2001-01-01"), 2),
        (("create", "--role", "auditor", "--expires", "tomorrow"), 2),
        (("create", "--role", "auditor", "--scope", "all"), 2),
    ):
        assert line.run("keys", *wrong).code == code, wrong


def test_what_was_deposited_is_found_and_told(line: CommandLine, letter: Path, tmp_path: Path) -> None:
    """By words without diacritics, by its bytes; and as changes that go on where they were."""
    about = tmp_path / "about.json"
    about.write_text('{"věc": "Žádost o povolení"}', encoding="utf-8")
    poid = line.deposit(letter, "--metadata", about)
    line.preserve()
    for words in (("zadost",), ("ŽÁDOST", "povol*"), ("--file", str(letter)), ("--status", "evidenced")):
        found = line.json("search", *words)
        assert ([one["poid"] for one in found["objects"]], found["complete"]) == ([poid], True), words
    digest = hashlib.sha512(letter.read_bytes()).hexdigest()
    assert line.json("search", "--sha512", digest, "zadost")["objects"]
    assert line.json("search", "neznámé")["objects"] == []
    assert poid in line.run("search", "zadost").out
    first = line.json("changes", "--limit", "1")
    rest = line.json("changes", "--since", first["next"])
    assert [one["change"] for one in first["changes"] + rest["changes"]] == ["replicated", "evidenced"]
    assert poid in line.run("changes").out
    for wrong in (
        ("search", "--sha512", "12"),
        ("search", "--sha512", digest, "--file", str(letter)),
        ("search", "--file", str(tmp_path / "absent")),
        ("search", "-"),
        ("changes", "--since", "yesterday"),
    ):
        assert line.run(*wrong).code == 2, wrong


@pytest.mark.parametrize("language", ["en", "cs"])
def test_receivers_are_listed(line: CommandLine, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """None without settings; one that takes nothing is exit 1, and a name that nobody has is exit 11."""
    monkeypatch.setenv("LANGUAGE", language)
    assert line.json("webhooks", "list") == {"webhooks": []}
    assert line.run("webhooks", "resume", "spisovka").code == 11
    (line.home / "secret").write_text("whsec_" + "QUJD" * 10)
    settings = line.home / "trusted-archive.toml"
    more = '\n[[webhook]]\nname = "spisovka"\nurl = "http://127.0.0.1:9/"\nsecret = "file:secret"\n'
    settings.write_text(settings.read_text() + more)
    assert [one["name"] for one in line.json("webhooks", "list")["webhooks"]] == ["spisovka"]
    assert "spisovka" in line.run("webhooks", "resume", "spisovka").out

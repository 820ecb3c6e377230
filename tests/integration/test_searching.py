"""Searching in a whole archive: the index follows the trail, and an organisation finds its own."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_core.catalogue.searching import Wanted
from archive_core.errors import UsageError
from archive_core.lifecycle import Actor
from archive_core.searching import MAX_ASKED
from archive_core.words import LONGEST, words_of, words_of_value
from tests.integration.http_world import HttpWorld, Part, file, http_world
from tests.world import OPERATOR, World

ORG, OTHER = "70891508", "00064581"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.archive.close()


def searched(world: World, text: str | None = None, actor: Actor = OPERATOR, **wanted: object) -> list[str]:
    world.archive.flush_trail()
    world.archive.searching.catch_up()
    found = world.archive.searching.search(text, Wanted(**wanted), actor=actor, before=None, limit=100)  # type: ignore[arg-type]
    assert found.complete
    return [row.poid for row in found.rows]


def metadata(**members: object) -> bytes:
    return json.dumps(members, ensure_ascii=False).encode()


def test_metadata_names_keys_and_bytes_are_found(world: World) -> None:
    """Of every version; what was destroyed is not, from that very moment on."""
    one = world.deposit(
        {"spis/Smlouva Novák.pdf": b"bytes"},
        metadata=metadata(věc={"název": ["Žádost o stavební povolení", 42]}),
        key="Čj-7",
    ).poid
    two = world.deposit({"x.txt": b"other"}).poid
    for text in ("zadost", "Žádost povoleni", "42", "novak pdf", "cj 7", one, "staveb*", "spis"):
        assert searched(world, text) == [one], text
    assert searched(world, "název") == []  # names of members are not among the words
    assert len(searched(world)) == 2
    world.update(one, {"y.txt": b"bytes of the second"}, metadata=metadata(a="druhá"))
    assert searched(world, "druha") == searched(world, "zadost") == [one]
    digest = world.archive.show(two, actor=OPERATOR).files[0].sha512
    assert searched(world, sha512=digest) == [two]
    world.archive.preserve(actor=OPERATOR)
    assert searched(world, evidenced=False) == []
    world.archive.destroy(one, reason="x", actor=OPERATOR)
    found = world.archive.searching.search("zadost", Wanted(), actor=OPERATOR, before=None, limit=9)
    assert (found.rows, found.complete) == ((), False)
    assert searched(world, "zadost") == []
    assert searched(world) == [two]


def test_an_organisation_finds_its_own_alone(world: World) -> None:
    """Not by words, by bytes, or by asking for the other one."""
    ours = world.deposit({"a.txt": b"same"}, originator=ORG, metadata=metadata(a="společné slovo")).poid
    world.deposit({"a.txt": b"same"}, originator=OTHER, metadata=metadata(a="společné slovo"))
    who = Actor("key", "auditor", ORG)
    digest = world.archive.show(ours, actor=OPERATOR).files[0].sha512
    assert searched(world, "spolecne", who) == searched(world, None, who) == [ours]
    assert searched(world, None, who, sha512=digest) == [ours]
    assert searched(world, None, who, originator=OTHER) == searched(world, None, who, originator="25063677") == []
    assert len(searched(world, "spolecne")) == 2


def test_a_rebuilt_catalogue_finds_the_same(world: World) -> None:
    """From either store."""
    for number in range(3):
        world.deposit({"a.txt": b"%d" % number}, metadata=metadata(a=f"číslo {number}"))
    before = searched(world, "cislo")
    world.archive.flush_trail()
    for store in ("one", "two"):
        rebuilt, _ = world.rebuilt(store)
        try:
            rebuilt.flush_trail()
            assert rebuilt.searching.catch_up() == 3
            found = rebuilt.searching.search("cislo", Wanted(), actor=OPERATOR, before=None, limit=9)
            assert [row.poid for row in found.rows] == before
            assert rebuilt.searching.catch_up() == 0
        finally:
            rebuilt.close()


def test_damaged_metadata_keeps_nothing_else_from_being_found(world: World) -> None:
    """Where every copy is damaged the names are found still."""
    poid = world.deposit({"kniha.txt": b"x"}, metadata=metadata(a="slovo")).poid
    for path in world.home.glob("stores/*/**/metadata.json"):
        path.write_bytes(b'{"a": "jine"}')
    assert searched(world, "kniha") == [poid]
    assert searched(world, "slovo") == searched(world, "jine") == []


@pytest.mark.parametrize("text", ["", " ", "*", "- _ /", "x " * (MAX_ASKED + 1)])
def test_a_question_without_words_is_refused(world: World, text: str) -> None:
    """Or with too many."""
    with pytest.raises(UsageError):
        world.archive.searching.search(text, Wanted(), actor=OPERATOR, before=None, limit=1)


@given(st.text(max_size=200))
def test_words_are_the_same_however_a_text_is_written(text: str) -> None:
    """Composed or decomposed, in capitals or not; each is letters and digits alone, and its own word."""
    found = list(words_of(text))

    assert found == list(words_of(unicodedata.normalize("NFD", text)))
    assert all(0 < len(word) <= LONGEST and word.isalnum() for word in found)
    assert all(list(words_of(word)) == [word] for word in found)


def test_values_are_gone_through_in_order_and_bounded() -> None:
    """However deep, without recursion; what is no text or number holds no words."""
    deep: object = "hluboko"
    for _ in range(50_000):
        deep = [deep]
    assert list(words_of_value(deep, most=10)) == ["hluboko"]
    assert list(words_of_value({"a": ["Jedna", 2, None, True], "b": {"c": "tři"}}, most=10)) == ["jedna", "2", "tri"]
    assert list(words_of_value(["a b c d"], most=3)) == ["a", "b", "c"]


def test_over_http_pages_and_refusals(tmp_path: Path) -> None:
    """As the command line finds it; a parameter that cannot be is refused."""
    with http_world(tmp_path) as http:
        poids = [
            http.post(file("a.txt", b"%d" % number), Part("metadata", metadata(a="Nález"))).json["poid"]
            for number in range(3)
        ]
        _caught_up(http)
        first = http.get("/v1/search?text=nalez&limit=2").json
        second = http.get(f"/v1/search?text=nalez&limit=2&cursor={first['next']}").json
        assert [one["poid"] for one in first["objects"] + second["objects"]] == poids[::-1]
        assert second["next"] is None
        assert first["complete"]
        for wrong in ("status=lost", "sha512=12", "cursor=1", "limit=1001", "received_from=today", "text=", "x=1"):
            assert http.get(f"/v1/search?{wrong}").status_code == 400, wrong
        assert http.get("/v1/search", http.key("administrator")).status_code == 403


def _caught_up(http: HttpWorld) -> None:
    http.archive.flush_trail()
    http.archive.searching.catch_up()

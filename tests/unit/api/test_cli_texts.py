"""The Czech texts of the command line: complete, fitting, and with the right words."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from api.cli.parser import build_parser
from api.cli.words import mistake, told
from api.locale import cs
from api.texts import language, speaking, text
from archive_core.errors import StoreUnavailableError, UnknownObjectError, UsageError
from tests.unit.api.cli_texts import keys, keys_in, sources

PROGRAM = re.compile(r"trusted-archive(-verify)?")


def facts(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def test_every_text_has_its_czech_one_and_none_is_left_over() -> None:
    """Read from the source: what is said and what is translated are the same texts."""
    assert len(sources()) > 10
    assert keys() - set(cs.TEXTS) == set()
    assert set(cs.TEXTS) - keys() == set()


def test_a_text_without_translation_is_found() -> None:
    """The comparison above can fail."""
    found = set(
        keys_in('x = text("never translated {fact}", fact=1)\ny = marked("nor this")\nz = other("but not this")')
    )

    assert found == {"never translated {fact}", "nor this"}


def test_czech_texts_name_the_same_facts() -> None:
    """A placeholder that is missing or misspelt would lose a fact or fail before people's eyes."""
    differing = {english: czech for english, czech in cs.TEXTS.items() if facts(english) != facts(czech)}

    assert differing == {}


def test_no_text_stands_twice_in_the_tables() -> None:
    """A second table would silently win over the first."""
    tables = [value for name, value in vars(cs).items() if name.startswith("_") and isinstance(value, dict)]
    tables = [table for table in tables if table and "__name__" not in table and set(table) <= set(cs.TEXTS)]

    assert len(tables) >= 6
    assert sum(map(len, tables)) == len(cs.TEXTS)


@pytest.mark.parametrize("word", ["archiv", "kvalifikovan"])
def test_czech_never_claims_what_the_product_is_not(word: str) -> None:
    """It is a trusted store, not an archive, and only a trust service provider is qualified."""
    said = {czech for czech in cs.TEXTS.values() if word in PROGRAM.sub("", czech).lower()}

    assert said == set()


def test_the_help_is_czech_from_heading_to_example() -> None:
    """Also the words that argparse writes itself."""
    with speaking("cs"):
        said = build_parser().format_help()

    for english in ("usage", "positional", "options", "show this", "Example", "archive's", "preservation"):
        assert english not in PROGRAM.sub("", said)
    for czech in ("použití:", "argumenty:", "volby:", "Příklad:", "nápovědu"):
        assert czech in said


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LANG": "cs_CZ.UTF-8"}, "cs"),
        ({"LANG": "cs"}, "cs"),
        ({"LANG": "cs_CZ@euro"}, "cs"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({}, "en"),
        ({"LANG": ""}, "en"),
        ({"LANG": "cs_CZ.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "cs_CZ.UTF-8"}, "cs"),
        ({"LANG": "en_GB.UTF-8", "LANGUAGE": "fr:cs:en"}, "cs"),
        ({"LANG": "cs_CZ.UTF-8", "LANGUAGE": "en"}, "en"),
        ({"LANG": "cs_CZ.UTF-8", "LC_ALL": ""}, "cs"),
    ],
)
def test_the_language_is_that_of_the_environment(environment: dict[str, str], expected: str) -> None:
    """In the order that every program follows; what is not there is English."""
    assert language(environment) == expected


def test_speaking_ends_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after an error in it."""
    monkeypatch.setenv("LANGUAGE", "en")

    def fail() -> None:
        with speaking("cs"):
            assert text("options") == "volby"
            raise RuntimeError("out")

    with pytest.raises(RuntimeError, match="out"):
        fail()
    assert text("options") == "options"


def test_errors_are_told_in_czech_with_their_detail() -> None:
    """The sentence of the code, then what exactly; a message of the command line itself comes alone."""
    with speaking("cs"):
        assert told(UnknownObjectError("there is no X")) == (
            "Takový uchovávaný objekt, verze ani soubor, který smíte vidět, zde není. [there is no X]"
        )
        assert told(StoreUnavailableError()) == "Potřebné úložiště kopií neodpovídá nebo do něj nelze zapisovat."
        assert told(StoreUnavailableError(store="two")).endswith("zapisovat. [store two]")
        assert told(UsageError("chybí: PATH")) == "chybí: PATH"
    with speaking("en"):
        assert told(UnknownObjectError("there is no X")) == "there is no X"
        assert told(StoreUnavailableError("store two is away", store="two")) == "store two is away"
        assert told(StoreUnavailableError("a store is away", store="two")) == "a store is away (store two)"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show"], "chybí: POID"),
        (["list", "--nonsense"], "neznámé: --nonsense"),
        (["serve", "--port"], "--port vyžaduje hodnotu"),
        (["deposit", "--json=1", "x"], "--json nemá hodnotu, ani '1'"),
        (["no-such-command"], "'no-such-command' není nic z nabídky"),
    ],
)
def test_mistakes_in_the_words_are_told_in_czech(words: list[str], said: str) -> None:
    """What this Python's argparse says is recognised, sentence by sentence."""
    with speaking("cs"), pytest.raises(UsageError) as caught:
        build_parser().parse_args(words)

    assert said in str(caught.value)


def test_a_mistake_that_nobody_foresaw_is_told_as_it_is() -> None:
    """Better English than nothing."""
    with speaking("cs"):
        assert mistake("something new") == "something new"


def test_the_help_of_every_command_ends_in_an_example() -> None:
    """One to copy, that names the command."""
    names = _commands()

    assert len(names) >= 19
    for name in names:
        with speaking("en"):
            said = _help(name)
        example = said.rpartition("Example:")[2]
        assert example.strip().startswith("trusted-archive")
        assert name in example


def _commands() -> list[str]:
    parser = build_parser()
    (commands,) = (action for action in parser._actions if action.dest == "command")
    return list(commands.choices or ())


def _help(name: str) -> str:
    parser = build_parser()
    (commands,) = (action for action in parser._actions if action.dest == "command")
    assert isinstance(commands.choices, dict)
    return str(commands.choices[name].format_help())

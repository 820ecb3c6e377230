"""Which list of algorithms is in force: the settings say so, and a signature where they demand one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from api.algorithm_lists import algorithms_in_force
from api.home import default_settings
from api.settings import ArchiveSettings, parse_settings
from archive_core.errors import SettingsError
from policies import AlgorithmTable, current_algorithms
from tests.unit.policies.suitability_lists import LIST

SIGNED = LIST.replace(
    "</d:SecuritySuitabilityPolicy>",
    '<s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#"/></d:SecuritySuitabilityPolicy>',
)


def settings(home: Path, more: str) -> ArchiveSettings:
    return parse_settings(f"{default_settings('x', 'sqlite:///catalogue.sqlite3')}\n{more}\n", home)


def in_force(home: Path, more: str = "", *, good: bool = True) -> AlgorithmTable:
    def verify(_source: bytes, signers: Sequence[bytes]) -> None:
        assert signers == [b"who"]
        if not good:
            raise SettingsError("not signed by any of the named signers")

    return algorithms_in_force(settings(home, more), certificates=lambda _path: [b"who"], verify=verify)


def test_without_a_setting_the_newest_list_of_the_program_is_in_force(tmp_path: Path) -> None:
    """It is as trusted as the program."""
    assert in_force(tmp_path) == current_algorithms()


def test_an_unsigned_list_says_so_in_its_title(tmp_path: Path) -> None:
    """Whoever looks at it sees that nobody stands behind it."""
    (tmp_path / "list.xml").write_text(LIST)

    assert in_force(tmp_path, '[algorithms]\ntable = "list.xml"').title.endswith("(not signed by anybody)")


def test_an_unsigned_list_is_refused_where_a_signature_is_demanded(tmp_path: Path) -> None:
    """And the message says what to get."""
    (tmp_path / "list.xml").write_text(LIST)

    with pytest.raises(SettingsError, match="get the signed list"):
        in_force(tmp_path, '[algorithms]\ntable = "list.xml"\nrequire_signature = true')


def test_our_own_form_carries_no_signature(tmp_path: Path) -> None:
    """TOML from a file is unsigned too."""
    (tmp_path / "list.toml").write_bytes(current_algorithms().source)

    with pytest.raises(SettingsError, match="no XML signature"):
        in_force(tmp_path, '[algorithms]\ntable = "list.toml"\nrequire_signature = true')


def test_a_signed_list_is_used_when_its_signature_is_good(tmp_path: Path) -> None:
    """With the named signers."""
    (tmp_path / "list.xml").write_text(SIGNED)

    more = '[algorithms]\ntable = "list.xml"\nsigners = ["who.pem"]\nrequire_signature = true'
    assert not in_force(tmp_path, more).title.endswith("(not signed by anybody)")


@pytest.mark.parametrize("demanded", ["true", "false"])
def test_a_signature_that_is_not_good_is_refused_even_where_none_is_demanded(tmp_path: Path, demanded: str) -> None:
    """A broken signature is worse than none."""
    (tmp_path / "list.xml").write_text(SIGNED)

    more = f'[algorithms]\ntable = "list.xml"\nsigners = ["who.pem"]\nrequire_signature = {demanded}'
    with pytest.raises(SettingsError, match="not signed by any"):
        in_force(tmp_path, more, good=False)


@pytest.mark.parametrize("content", [b"", b"<x/>", b"{}", b"\xff\xfe"])
def test_a_file_that_is_no_list_is_refused_with_its_path(tmp_path: Path, content: bytes) -> None:
    """Nothing starts on half a list."""
    (tmp_path / "list.xml").write_bytes(content)

    with pytest.raises(SettingsError, match=r"list\.xml"):
        in_force(tmp_path, '[algorithms]\ntable = "list.xml"')


def test_a_missing_file_is_refused_with_its_path(tmp_path: Path) -> None:
    """Not replaced silently by another list."""
    with pytest.raises(SettingsError, match="cannot read the list"):
        in_force(tmp_path, '[algorithms]\ntable = "gone.xml"')


def test_a_misspelt_key_is_refused(tmp_path: Path) -> None:
    """A demand that nobody reads would protect nothing."""
    with pytest.raises(SettingsError, match="unknown key"):
        in_force(tmp_path, "[algorithms]\nrequire_signatures = true")

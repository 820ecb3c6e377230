"""The public OCFL 1.1 fixtures: our checker gives the verdict and the codes that each name promises."""

import json
from pathlib import Path
from typing import Any

import pytest

from archive_core.ocfl.check import examine_object
from storage_backends.filesystem import FilesystemStore
from tests.vectors import available, missing, suite

NAME = "ocfl-fixtures-1.1"


def cases() -> list[dict[str, Any]]:
    """The objects of the suite, as its manifest lists them."""
    directory = available(NAME)
    if directory is None:
        return []
    listed = json.loads((directory / "MANIFEST.json").read_text())["cases"]
    return [case for case in listed if case["what"] == "OCFL object"]


def promised(case: dict[str, Any]) -> tuple[bool, set[str]]:
    """Whether the object is valid, and the codes that must be reported."""
    verdict, _, rest = case["expected"].partition(" ")
    codes = rest.removeprefix("with warning ").strip()
    return verdict == "valid", set(codes.split("/")) if codes else set()


def directory_of(case: dict[str, Any]) -> Path:
    return suite(NAME) / "files" / case["id"]


def test_the_suite_is_there_and_speaks_of_all_verdicts() -> None:
    """A suite without good, bad and warned objects proves nothing."""
    suite(NAME)
    seen = [promised(case) for case in cases()]

    assert any(valid and not codes for valid, codes in seen)
    assert any(valid and codes for valid, codes in seen)
    assert any(not valid and codes for valid, codes in seen)
    assert all(codes for valid, codes in seen if not valid)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["id"])
def test_an_object_gets_its_documented_verdict_and_codes(case: dict[str, Any]) -> None:
    """Bad objects show every code of their name, good ones nothing, warned ones just their warnings."""
    directory = directory_of(case)
    if not directory.is_dir():
        missing(f"{NAME}: {case['id']}")
    examination = examine_object(FilesystemStore("fixture", directory), "")
    found = {finding.code for finding in examination.findings}
    valid, codes = promised(case)

    assert (not examination.errors) is valid, examination.findings
    if valid:
        assert found == codes
    else:
        assert codes <= found


@pytest.mark.parametrize("case", [case for case in cases() if promised(case)[0]], ids=lambda case: case["id"])
def test_a_changed_byte_in_any_content_file_of_a_valid_object_is_e092(case: dict[str, Any], tmp_path: Path) -> None:
    """The verdict on good objects comes from reading them."""
    source = directory_of(case)
    names = [path.relative_to(source) for path in sorted(source.rglob("*")) if path.is_file()]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((source / name).read_bytes())
    contents = [name for name in names if len(name.parts) > 2 and name.parts[0].startswith("v")]
    for name in contents:
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data + b"\0" if not data else bytes([data[0] ^ 1]) + data[1:])
        examination = examine_object(FilesystemStore("changed", tmp_path), "")
        assert "E092" in {finding.code for finding in examination.errors}, name
        (tmp_path / name).write_bytes(data)

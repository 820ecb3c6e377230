"""Every hostile ZIP file of the public suites is refused with a reason, or read safely, quickly."""

import bz2
import json
import time
from pathlib import Path

import pytest

from archive_core.errors import UnsafeContainerError
from archive_core.zip_reading import ZipContainer
from tests.vectors import available, suite

SAFE = {
    "tests/data/data_descriptor.zip",  # valid
    "digidoc4j/zip-bomb-package-zip.asics",  # the bomb is inside a member, which nobody unpacks
}
SECONDS = 10
LARGEST = 64 * 1024 * 1024


def _cases() -> list[tuple[str, str]]:
    folder = available("zip-hostile")
    if folder is None:
        return [("absent", "")]
    manifest = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))
    return [(case["id"], case["principal"][0]) for case in manifest["cases"]]


def _read(path: Path) -> int:
    with ZipContainer.open(path) as container:
        return sum(len(chunk) for name in container.entries for chunk in container.chunks(name))


@pytest.mark.parametrize(("case", "file"), _cases())
def test_a_hostile_zip_is_refused_or_read_safely(case: str, file: str) -> None:
    """Consistent files are read, all others refused by name of the fault, each within seconds."""
    path = suite("zip-hostile") / file
    start = time.monotonic()
    if case in SAFE:
        assert 0 < _read(path) < LARGEST
    else:
        with pytest.raises(UnsafeContainerError, match=r"\w+ \w+ \w+"):
            _read(path)
    assert time.monotonic() - start < SECONDS


def test_a_bomb_with_falsified_headers_is_refused(tmp_path: Path) -> None:
    """The ZIP file inside of the compressed case, taken out within a limit."""
    folder = suite("zip-hostile")
    manifest = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))
    (case,) = [item for item in manifest["cases"] if "evil-headers" in item["id"]]
    unpacker = bz2.BZ2Decompressor()
    inner = unpacker.decompress((folder / case["principal"][0]).read_bytes(), LARGEST)
    assert inner.startswith(b"PK")
    (tmp_path / "bomb.zip").write_bytes(inner)
    start = time.monotonic()
    with pytest.raises(UnsafeContainerError):
        _read(tmp_path / "bomb.zip")
    assert time.monotonic() - start < SECONDS

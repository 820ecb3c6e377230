"""Backups: the table of contents, which says where files are written."""

from __future__ import annotations

from pathlib import PurePosixPath

from api.backup.form import CATALOGUE, HOME, Manifest, Member
from archive_core.errors import MalformedDocumentError
from tests.fuzz.target import target


def _manifests() -> dict[str, bytes]:
    catalogue = Member(CATALOGUE, 4096, "ab" * 64)
    files = (Member(f"{HOME}trusted-archive.toml", 700, "cd" * 64), Member(f"{HOME}trust/test-ca.pem", 900, "ef" * 64))
    marks = {"trail": {"size": 7, "head": "00" * 64}, "batch": 1, "renewal": 0}
    whole = Manifest("2026-11-23T00:00:00Z", "0.1.0", "home", files, catalogue, marks, ("env:PIN",), ("link: none",))
    return {"whole": whole.to_bytes(), "bare": Manifest("now", "1", "h", (), catalogue, {}, (), ()).to_bytes()}


@target(
    "backup-manifest",
    _manifests,
    refusals=(MalformedDocumentError,),
    kind="json",
    tokens=(b"home/../x", b"home//x", b"/etc/passwd", b"home/./x", b'"size":-1'),
)
def backup_manifest(data: bytes) -> None:
    """What is read is written the same, and nothing of it would be written outside the home."""
    manifest = Manifest.parse(data)
    assert manifest.to_bytes() == data
    assert manifest.catalogue.path == CATALOGUE
    for one in manifest.files:
        path = PurePosixPath(one.path)
        assert path.is_relative_to("home")
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert one.path == str(path)
        assert len(path.parts) > 1

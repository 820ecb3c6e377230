"""Running the offline verifier in this process, and taking bundles apart and together again."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from api.offline.cli import main
from archive_core import bundle_format as layout
from archive_core.bundle_format import BundleManifest, ManifestFile
from archive_core.digests import hash_bytes
from archive_core.zip_writing import ZipWriter

KEYS = {"verdict", "proof_of_existence", "steps", "findings", "test_trust"}


def run(*arguments: object) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON document of `trusted-archive-verify --json ARGUMENTS`."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main(["--json", *map(str, arguments)])
    answer = json.loads(out.getvalue())
    assert set(answer) >= KEYS
    return code, answer


def members_of(bundle: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members: Mapping[str, bytes], *, adapt_manifest: bool) -> bytes:
    """A bundle of these members. With `adapt_manifest` the manifest names what is there now, as
    somebody who forges a bundle would do."""
    members = dict(members)
    if adapt_manifest:
        manifest = BundleManifest.parse(members[layout.MANIFEST])
        listed = {
            name: ManifestFile(len(content), hash_bytes("sha512", content).hex())
            for name, content in members.items()
            if name != layout.MANIFEST
        }
        members[layout.MANIFEST] = BundleManifest(
            manifest.poid, manifest.version, manifest.batch, manifest.test_trust, manifest.lines, listed
        ).to_bytes()
    stream = io.BytesIO()
    writer = ZipWriter(stream)
    for name, content in members.items():
        writer.add(name, content)
    writer.finish()
    return stream.getvalue()


def flipped(content: bytes, position: int) -> bytes:
    """The content with the lowest bit of one byte changed; a byte is added to nothing."""
    if not content:
        return b"\x00"
    changed = bytearray(content)
    changed[position] ^= 1
    return bytes(changed)


def unpacked(bundle: bytes, folder: Path) -> Path:
    """The bundle's members as files below a new folder."""
    for name, content in members_of(bundle).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder

"""python -m benchmarks.comparison_forging HOME FILE: what an insider with all rights would do to our stores.

The document of FILE's name is replaced by FILE in every store, and description, inventories and their digests are made
to agree with it, so that OCFL finds nothing wrong. What cannot be made to agree is the evidence.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from api.settings import ArchiveSettings
from api.wiring import build_copies
from archive_core import canonical
from archive_core.digests import Digest
from archive_core.identifiers import is_poid, object_name
from archive_core.ocfl.package import ArchivalPackage, PackageFile
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.packaging import DESCRIPTION
from archive_core.stored_packages import package_of
from storage_backends.s3 import S3Store


def forge(home: Path, file: Path) -> int:
    """Returns in how many stores the document was replaced."""
    settings = ArchiveSettings.load(home)
    copies = build_copies(settings, create=False)
    count = 0
    try:
        for root, store in zip(copies.roots, settings.stores, strict=True):
            for object_id in list(root.object_ids()):
                if is_poid(object_name(object_id)) and _holds(root, object_id, file.name):
                    _replace(root, object_id, home / store.root, file)
                    count += 1
    finally:
        copies.close()
    return count


def _holds(root: StorageRoot, object_id: str, name: str) -> bool:
    inventory = root.read_inventory(object_id)
    return inventory is not None and f"data/{name}" in inventory.state(1)


def _replace(root: StorageRoot, object_id: str, place: Path, file: Path) -> None:
    data = file.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        package = package_of(root, object_id, 1, Path(folder))
        source = package.files[DESCRIPTION].source
        description = canonical.read(source if isinstance(source, bytes) else source.read_bytes())
        for one in description["files"]:
            if one["path"] == f"data/{file.name}":
                one["size"] = len(data)
                one["digests"] = {name: Digest.of(name, data).hex for name in one["digests"]}
        files = {
            **package.files,
            f"data/{file.name}": PackageFile.of(data),
            DESCRIPTION: PackageFile.of(canonical.write(description)),
        }
        forged = replace(package, files=files)
        if isinstance(root.store, S3Store):
            _put_over(root, root.store, forged)
            return
        shutil.rmtree(place / root.object_path(object_id))
        root.write_version(forged)


def _put_over(root: StorageRoot, store: S3Store, forged: ArchivalPackage) -> None:
    """A bucket that locks takes other bytes as newer versions, and those are what its readers get."""
    path = f"{store.start}{root.object_path(forged.object_id)}"
    inventory = forged.inventory
    files = {name: file.source for name, file in forged.new_files}
    files |= {"inventory.json": inventory.document, inventory.sidecar_name: inventory.sidecar}
    for name, source in files.items():
        store.bucket.put(f"{path}/{name}", source if isinstance(source, bytes) else source.read_bytes())


if __name__ == "__main__":
    sys.exit(0 if forge(Path(sys.argv[1]), Path(sys.argv[2])) == 2 else 1)

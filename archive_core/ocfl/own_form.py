"""What this program writes, to the byte: more than OCFL asks of a sidecar.

OCFL lets a sidecar have any white space between digest and name, and readers accept that. In an object
of ours a changed byte is a changed byte, whatever it means.
"""

from __future__ import annotations

import re

from archive_core.errors import FixityError
from archive_core.findings import Finding
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.ocfl.vocabulary import INVENTORY, version_number

_SIDECAR = re.compile(rb"[0-9a-f]{128} inventory\.json\n")
_NAME = f"{INVENTORY}.sha512"


def assess_sidecars(root: StorageRoot, object_path: str) -> list[Finding]:
    """The sidecars of an object, in its root and its version directories, that are not of the one form
    in which they are written. One that is missing or wrong is the OCFL check's finding."""
    names = (name.removesuffix("/") for name in root.store.children(object_path) if name.endswith("/"))
    keys = [f"{object_path}/{_NAME}"]
    keys += [f"{object_path}/{name}/{_NAME}" for name in names if version_number(name)]
    found = []
    for key in keys:
        try:
            data = root.read_optional(key, 4096)
        except FixityError:
            continue  # the OCFL check names it
        if data is not None and not _SIDECAR.fullmatch(data):
            found.append(Finding("SIDECAR_CHANGED", "not as this program wrote it", f"{root.store.name}:{key}"))
    return found

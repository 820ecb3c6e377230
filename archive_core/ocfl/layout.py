"""Where an object lies below the storage root (OCFL 1.1, 4.3; extension 0003).

Rules kept here
 * The layout is the registered extension `0003-hash-and-id-n-tuple-storage-layout`: some tuples of
   the digest of the object id, then the percent-encoded id itself, so that the name of an object can
   be read from its directory after a disaster.
 * An existing root keeps the parameters in its `config.json`; the defaults are for new roots only.

The default is one tuple of two digits: 256 directories, all of them there after a few deposits (a
directory that exists costs nothing), and no directory ever too large for a file system: a flat
layout ends at about 12 million objects on ext4.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from archive_core.digests import hash_bytes
from archive_core.errors import SettingsError

EXTENSION = "0003-hash-and-id-n-tuple-storage-layout"
LAYOUT_KEY = "ocfl_layout.json"
CONFIG_KEY = f"extensions/{EXTENSION}/config.json"
DESCRIPTION = (
    "Each OCFL object lies in a directory named by its percent-encoded id (extension 0003), below tuples of"
    " the hexadecimal digest of the id; extensions/" + EXTENSION + "/config.json says how many."
)

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST = 100
_ALGORITHMS = {"sha256", "sha512", "sha1"}
_ENCODED = re.compile(r"(?:[A-Za-z0-9_-]|%[0-9a-f]{2})+")


@dataclass(frozen=True, slots=True)
class HashAndIdLayout:
    """Parameters of extension 0003 and the mapping that they make."""

    digest_algorithm: str = "sha256"
    tuple_size: int = 2
    number_of_tuples: int = 1

    def __post_init__(self) -> None:
        if self.digest_algorithm not in _ALGORITHMS:
            raise SettingsError("the layout's digest algorithm is not supported", algorithm=self.digest_algorithm)
        sizes = (self.tuple_size, self.number_of_tuples)
        if not all(0 <= size <= 32 for size in sizes) or (0 in sizes and sizes != (0, 0)):
            raise SettingsError("the layout's tuples are not as extension 0003 allows", tuples=sizes)
        if self.tuple_size * self.number_of_tuples > len(hash_bytes(self.digest_algorithm)) * 2:
            raise SettingsError("the layout's tuples are longer than the digest", tuples=sizes)

    @lru_cache(maxsize=4096)  # noqa: B019 - few layouts live, and as long as the process
    def object_path(self, object_id: str) -> str:
        """The object root of an id, relative to the storage root."""
        digest = hash_bytes(self.digest_algorithm, object_id.encode("utf-8")).hex()
        size = self.tuple_size
        tuples = [digest[n * size : (n + 1) * size] for n in range(self.number_of_tuples)]
        return "/".join([*tuples, _encoded(object_id, digest)])

    def object_id(self, object_path: str) -> str | None:
        """The id that an object root's path spells out, or None when the path is not one of this
        layout or had to be cut (ids of more than 100 encoded characters)."""
        name = object_path.rpartition("/")[2]
        if not _ENCODED.fullmatch(name) or len(name) > _LONGEST:
            return None
        raw = re.sub(rb"%([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), name.encode("ascii"))
        try:
            object_id = raw.decode("utf-8")
        except UnicodeDecodeError:
            return None
        return object_id if self.object_path(object_id) == object_path else None

    def layout_file(self) -> bytes:
        """Content of `ocfl_layout.json` (4.1)."""
        return _json({"extension": EXTENSION, "description": DESCRIPTION})

    def config_file(self) -> bytes:
        """Content of the extension's `config.json`."""
        return _json(
            {
                "extensionName": EXTENSION,
                "digestAlgorithm": self.digest_algorithm,
                "tupleSize": self.tuple_size,
                "numberOfTuples": self.number_of_tuples,
            }
        )

    @classmethod
    def of_config(cls, data: bytes) -> HashAndIdLayout:
        """The layout that a `config.json` describes; raises `SettingsError` when it is not one."""
        try:
            config: Any = json.loads(data)
            if config["extensionName"] != EXTENSION:
                raise SettingsError("the storage root has another layout", layout=str(config["extensionName"])[:80])
            size, number = config["tupleSize"], config["numberOfTuples"]
            if type(size) is not int or type(number) is not int:
                raise TypeError("tuple sizes are integers")
            return cls(str(config["digestAlgorithm"]), size, number)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise SettingsError("the storage root's layout configuration cannot be read") from error


def _encoded(object_id: str, digest: str) -> str:
    shown = _UNSAFE.sub(lambda found: "".join(f"%{byte:02x}" for byte in found[0].encode("utf-8")), object_id)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}-{digest}"


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode("utf-8")

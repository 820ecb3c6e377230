"""A reader of a store that knows nothing of the program: written from docs/reference/storage-format.md alone.

    python3 store_reader.py STORE POID TEST-CA.pem FOLDER-FOR-NOTES

Standard library and the `openssl` command only; no module of ours. Says what it found, and ends with 1 at the first
thing that is not as the page says.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

PREFIX = "urn:trusted-archive:"


def insist(good: bool, what: str) -> None:
    if not good:
        sys.exit(f"not as the page says: {what}")


def sha512(*octets: bytes) -> bytes:
    return hashlib.sha512(b"".join(octets)).digest()


def combined(values: Iterable[bytes]) -> bytes:
    """Sorted, concatenated, hashed; a lone value is itself."""
    ordered = sorted(values)
    return ordered[0] if len(ordered) == 1 else sha512(*ordered)


class Store:
    """An OCFL storage root with layout extension 0003."""

    def __init__(self, root: Path) -> None:
        self.root = root
        name = json.loads((root / "ocfl_layout.json").read_text())["extension"]
        self.layout = json.loads((root / "extensions" / name / "config.json").read_text())
        insist(name == self.layout["extensionName"] == "0003-hash-and-id-n-tuple-storage-layout", "the layout")

    def folder(self, name: str) -> Path:
        """Digest of the id, cut into tuples, and the id itself with everything but letters, digits, - and _ encoded."""
        object_id, layout = PREFIX + name, self.layout
        digest = hashlib.new(layout["digestAlgorithm"], object_id.encode()).hexdigest()
        size, number = layout["tupleSize"], layout["numberOfTuples"]
        tuples = [digest[place * size : (place + 1) * size] for place in range(number)]
        last = re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), quote(object_id, safe="-_").replace(".", "%2e"))
        return self.root.joinpath(*tuples, last if len(last) <= 100 else f"{last[:100]}-{digest}")

    def files(self, name: str) -> dict[str, bytes]:
        """The newest version of an object: logical path to octets, each as its inventory says."""
        folder = self.folder(name)
        told = (folder / "inventory.json").read_bytes()
        insist(
            (folder / "inventory.json.sha512").read_text().split()[0] == sha512(told).hex(), f"the sidecar of {name}"
        )
        inventory = json.loads(told)
        insist(inventory["id"] == PREFIX + name, f"the id of {name}")
        found = {}
        for digest, paths in inventory["versions"][inventory["head"]]["state"].items():
            octets = (folder / inventory["manifest"][digest][0]).read_bytes()
            insist(sha512(octets).hex() == digest, f"{paths[0]} of {name}")
            found.update(dict.fromkeys(paths, octets))
        return found


def document(store: Store, poid: str) -> tuple[dict[str, Any], bytes]:
    """The description of the newest version, and the leaf of its data group."""
    files = store.files(poid)
    description = json.loads(files["description.json"])
    insist(description["format"] == "trusted-archive/description/1" and description["poid"] == poid, "the description")
    group = {sha512(files["description.json"])}
    for one in description["files"]:
        octets = files.pop(one["path"])
        insist(len(octets) == one["size"] and sha512(octets).hex() == one["digests"]["sha512"], one["path"])
        group.add(sha512(octets))
    insist(list(files) == ["description.json"], "files that the description does not list")
    return description, combined(group)


def tree_root(octets: bytes, leaf: bytes, place: int, leaves: int) -> bytes:
    """The root of a tree whose levels are all rebuilt from its leaves."""
    level = [octets[at * 64 : (at + 1) * 64] for at in range(leaves)]
    insist(level[place] == leaf, "the leaf of the document in its tree")
    rebuilt = list(level)
    while len(level) > 1:
        pairs = [level[at : at + 2] for at in range(0, len(level), 2)]
        level = [combined(pair) for pair in pairs]
        rebuilt += level
    insist(b"".join(rebuilt) == octets, "the levels of the tree")
    return level[0]


def openssl(*words: str) -> str:
    done = subprocess.run(["openssl", *words], capture_output=True, text=True, errors="replace", timeout=60)
    insist(done.returncode == 0, f"openssl {words[0]}: {done.stderr[-300:]}")
    return done.stdout


def proven(store: Store, poid: str, version: int, leaf: bytes, ca: str, room: Path) -> tuple[int, dict[str, Any]]:
    """The batch of a document: tree, statement, seal and time-stamp."""
    for number in range(1, 10_000):
        files = store.files(f"ba{number:010d}")
        members = files["members.txt"].decode().splitlines()
        if f"{poid} {version}" in members:
            break
    statement = json.loads(files["statement.json"])
    root = tree_root(files["lines/sha512/tree.bin"], leaf, members.index(f"{poid} {version}"), len(members))
    insist(statement["roots"]["sha512"]["root"] == root.hex() and statement["leaf_count"] == len(members), "the root")
    stamped = combined([root, combined({sha512(files["statement.json"]), sha512(files["statement.json.p7s"])})])
    for name in ("statement.json", "statement.json.p7s", "lines/sha512/token.tst"):
        (room / Path(name).name).write_bytes(files[name])
    said = openssl("ts", "-reply", "-in", str(room / "token.tst"), "-token_in", "-text")
    dump = re.findall(r"^    [0-9a-f]{4} - (.{48})", said, re.M)
    imprint = re.sub("[^0-9a-f]", "", "".join(line[:48] for line in dump))
    insist(imprint == stamped.hex(), "what the time-stamp is over")
    seal = ["-in", str(room / "statement.json.p7s"), "-inform", "DER", "-content", str(room / "statement.json")]
    openssl("cms", "-verify", *seal, "-binary", "-CAfile", ca, "-purpose", "any", "-out", str(room / "sealed"))
    insist((room / "sealed").read_bytes() == files["statement.json"], "what the seal is over")
    return number, statement


def merkle(leaves: list[bytes]) -> bytes:
    """RFC 9162 2.1.1 with SHA-512."""
    if len(leaves) == 1:
        return leaves[0]
    cut = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha512(b"\x01", merkle(leaves[:cut]), merkle(leaves[cut:]))


def trail(store: Store, head: str, size: int, poid: str) -> int:
    """The events up to a sealed head; how many of them are about the object."""
    lines: list[bytes] = []
    number = 0
    while len(lines) < size:
        number += 1
        files = store.files(f"tr{number:010d}")
        segment = json.loads(files["segment.json"])
        insist(segment["number"] == number and segment["first"] == len(lines), "the place of a segment")
        events = files["events.jsonl"].split(b"\n")
        insist(events.pop() == b"", "the last line of a segment")
        lines += events
        insist(segment["size"] == len(lines), "the size of a segment")
        insist(segment["head"] == merkle([sha512(b"\x00", line) for line in lines]).hex(), "the head of a segment")
    insist(merkle([sha512(b"\x00", line) for line in lines[:size]]).hex() == head, "the sealed head of the trail")
    return sum(json.loads(line)["poid"] == poid for line in lines[:size])


def main(root: str, poid: str, ca: str, room: str) -> None:
    store = Store(Path(root))
    description, leaf = document(store, poid)
    batch, statement = proven(store, poid, description["version"], leaf, ca, Path(room))
    told = trail(store, statement["trail"]["head"], statement["trail"]["size"], poid)
    insist(told > 0, "the events of the document")
    print(f"{poid} v{description['version']}: {len(description['files'])} files, batch {batch}, {told} events: good")


if __name__ == "__main__":
    main(*sys.argv[1:5])

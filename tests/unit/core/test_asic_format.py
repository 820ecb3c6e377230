"""The ASiC-E export: what lies in it under which name, and what is refused."""

from __future__ import annotations

import io
import zipfile
from base64 import b64decode
from datetime import UTC, datetime
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from archive_core.asic_format import MEDIA_TYPE, AsicContent, LineRecord, manifest_name, record_name, write_asic
from archive_core.description import DescribedFile, Description
from archive_core.digests import hash_bytes
from archive_core.errors import ArchiveError
from archive_core.ports import ValidationData

FILES = {
    "data/a.txt": b"hello",
    "data/b/část <1>&%20'\".bin": b"\x00" * 1000,
    "data/twin.txt": b"hello",
    "metadata.json": b"{}",
}
ASIC = "{http://uri.etsi.org/02918/v1.2.1#}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"


def description(files: dict[str, bytes]) -> Description:
    listed = tuple(
        DescribedFile(
            path,
            "metadata" if path == "metadata.json" else "document",
            len(content),
            {name: hash_bytes(name, content).hex() for name in ("sha512", "sha3-512")},
        )
        for path, content in files.items()
    )
    return Description(
        poid="0" * 12 + "7" + "0" * 3 + "8" + "0" * 15,
        version=1,
        kind="deposit",
        originator="default",
        profile="redundant-1",
        idempotency_key=None,
        received=datetime(2026, 11, 23, 12, tzinfo=UTC),
        files=listed,
        predecessor=None,
        nonce="0" * 64,
    )


def content(**changed: object) -> AsicContent:
    given: dict[str, object] = {
        "description": description(FILES).to_bytes(),
        "content": FILES,
        "records": {"sha512": LineRecord("sha512", b"0\x03abc"), "sha3-512": LineRecord("sha3-512", b"0\x03def")},
        "validation": ValidationData((b"certificate",), (b"list",)),
    }
    return AsicContent(**{**given, **changed})  # type: ignore[arg-type]


def written(what: AsicContent) -> bytes:
    out = io.BytesIO()
    write_asic(out, what)
    return out.getvalue()


def test_the_mimetype_is_told_by_the_first_octets() -> None:
    """First entry, stored, without an extra field: octets 30 to 68 are its name and its content (EN 319 162-1 A.1)."""
    octets = written(content())
    assert octets[30:69] == b"mimetype" + MEDIA_TYPE.encode("ascii")
    with zipfile.ZipFile(io.BytesIO(octets)) as container:
        assert container.testzip() is None
        assert container.namelist()[0] == "mimetype"
        assert {entry.compress_type for entry in container.infolist()} == {zipfile.ZIP_STORED}
        assert {name: container.read(name) for name in FILES} == FILES


@pytest.mark.parametrize(("line", "method"), [("sha512", "xmlenc#sha512"), ("sha3-512", "xmldsig-more#sha3-512")])
def test_a_manifest_lists_each_distinct_data_object_once(line: str, method: str) -> None:
    """In the line's digest; the second of two equal files is not listed, every name can be read back."""
    with zipfile.ZipFile(io.BytesIO(written(content()))) as container:
        root = ElementTree.fromstring(container.read(manifest_name(line)))
        there = {name: container.read(name) for name in container.namelist()}
    (reference,) = root.findall(f"{ASIC}SigReference")
    listed = {unquote(one.get("URI", "")): one for one in root.findall(f"{ASIC}DataObjectReference")}

    assert unquote(reference.get("URI", "")) == record_name(line)
    assert set(listed) == {"description.json", *FILES} - {"data/twin.txt"}
    for name, one in listed.items():
        assert one[0].get("Algorithm", "").endswith(method)
        assert b64decode(one.findtext(f"{DS}DigestValue") or "") == hash_bytes(line, there[name])


def test_the_same_content_gives_the_same_octets() -> None:
    """Whatever the order in which it was given."""
    turned = dict(reversed(FILES.items()))
    assert written(content()) == written(content(content=turned))


@pytest.mark.parametrize(
    "changed",
    [
        {"records": {}},
        {"content": {"data/a.txt": b"hello"}},
        {"content": {**FILES, "data/stranger": b""}},
        {"records": {"../line": LineRecord("sha512", b"0\x00")}},
        {"description": b"{}"},
        {"records": {"sha384": LineRecord("sha384", b"0\x00")}},
    ],
)
def test_what_does_not_belong_together_is_refused(changed: dict[str, object]) -> None:
    """No record, files missing or not described, a line's name that leads out, no description, a digest that the
    description does not have."""
    with pytest.raises((ValueError, KeyError, ArchiveError)):
        written(content(**changed))

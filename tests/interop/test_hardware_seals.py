"""Seals that a hardware module made, judged by OpenSSL and EU DSS; each judge is shown something broken as well."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from archive_core.ports import Seal
from signing.fetching import FetchedData, over_http
from signing.http_fetch import Allowed
from signing.pkcs11_key import Pkcs11Address, Pkcs11Key
from signing.seals import DeviceSealer
from tests.fakes.seal_authority import SealAuthority
from tests.hsm import PIN, key, pem, soft_hsm
from tests.interop.signature_agreement import _asked as asked_of_dss
from tests.vectors import REPOSITORY, missing

pytestmark = pytest.mark.interop

STATEMENT = b'{"format":"trusted-archive/statement/1"}\n'


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)


@contextmanager
def sealed(folder: Path, kind: str, *, by_ocsp: bool) -> Iterator[tuple[Seal, SealAuthority]]:
    authority = SealAuthority(Clock().now)
    with soft_hsm(folder / "hsm") as hsm, authority.listening():
        identity = authority.identity(key(kind), by_ocsp=by_ocsp)
        hsm.put(identity.key, "seal")
        certificates = (identity.der, *(one.public_bytes(serialization.Encoding.DER) for one in identity.chain))
        device = Pkcs11Key(Pkcs11Address.parse(hsm.address("seal")), lambda: PIN, certificates=certificates[:2])
        fetch = FetchedData(
            Allowed([authority.url]), over_http(5.0), Clock(), known=[certificates[-1]], responses_first=True
        )
        sealer = DeviceSealer(device, source=lambda seal, _at: fetch(seal))
        yield sealer.seal(STATEMENT, at=Clock().now()), authority


def broken(seal: bytes) -> bytes:
    """One bit of the signature's value, which ends the seal."""
    return seal[:-3] + bytes([seal[-3] ^ 1]) + seal[-2:]


def openssl(folder: Path, seal: bytes, content: bytes, anchor: bytes) -> bool:
    for name, octets in (("seal.p7s", seal), ("statement.json", content), ("root.pem", anchor)):
        (folder / name).write_bytes(octets)
    command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "seal.p7s", "-content"]
    rest = ["statement.json", "-CAfile", "root.pem", "-purpose", "any", "-cades", "-out", "/dev/null"]
    return subprocess.run([*command, *rest], cwd=folder, capture_output=True, timeout=60).returncode == 0


@pytest.mark.parametrize(("kind", "by_ocsp"), [("rsa3072", False), ("p384", True), ("p384", False)])
@pytest.mark.slow
def test_openssl_accepts_a_seal_from_a_module(tmp_path: Path, kind: str, by_ocsp: bool) -> None:
    """RSA-PSS and ECDSA, with lists inside and with a response inside; not over other bytes, not with a changed bit."""
    with sealed(tmp_path, kind, by_ocsp=by_ocsp) as (seal, authority):
        anchor = authority.anchor
        assert openssl(tmp_path, seal.der, STATEMENT, anchor)
        assert not openssl(tmp_path, seal.der, STATEMENT + b" ", anchor)
        assert not openssl(tmp_path, broken(seal.der), STATEMENT, anchor)
        assert not openssl(tmp_path, seal.der, STATEMENT, pem(SealAuthority(Clock().now).root))


@pytest.mark.slow
def test_eu_dss_finds_seals_from_a_module_intact(tmp_path: Path) -> None:
    """CAdES over RSA-PSS and over P-384: value and references good; another statement and a changed bit are not."""
    (tmp_path / "statement.json").write_bytes(STATEMENT)
    (tmp_path / "other.json").write_bytes(STATEMENT + b" ")
    lines = []
    for kind in ("rsa3072", "p384"):
        with sealed(tmp_path / kind, kind, by_ocsp=kind == "p384") as (seal, _):
            for name, octets in ((kind, seal.der), (f"{kind}-broken", broken(seal.der))):
                (tmp_path / f"{name}.p7s").write_bytes(octets)
                lines.append(f"{name}\t{tmp_path / name}.p7s\t{tmp_path / 'statement.json'}\n")
            lines.append(f"{kind}-other\t{tmp_path / kind}.p7s\t{tmp_path / 'other.json'}\n")
    if shutil.which("java") is None or not (REPOSITORY / "build" / "interop" / "dss-signatures" / "classes").is_dir():
        missing("the judge of signatures on EU DSS (run tests/interop/install.sh)")
    said = {answer["job"]: answer for answer in asked_of_dss("".join(lines))}
    assert len(said) == 6
    for kind in ("rsa3072", "p384"):
        (good,) = said[kind]["signatures"]
        assert good["intact"] is True
        assert good["references"]
        assert all(one["found"] and one["intact"] for one in good["references"])
        assert good["format"].startswith("CAdES-BASELINE-")
        assert not any(one["intact"] for one in said[f"{kind}-broken"]["signatures"])
        assert not all(one["intact"] for one in said[f"{kind}-other"]["signatures"][0]["references"])

"""OpenSSL accepts the tokens and seals of the local test trust, and rejects them after a change."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archive_core.digests import Digest
from signing.keys import load_key
from signing.local_trust import AUTHORITIES, LocalTrust, create_local_trust
from signing.seals import SoftwareSealer
from tests.vectors import missing

pytestmark = pytest.mark.interop
DOCUMENT = b"the document\n"


class Now:
    def now(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> LocalTrust:
    return create_local_trust(tmp_path_factory.mktemp("home") / "trust", at=Now().now())


def openssl(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("openssl")
    if program is None:
        missing("the program openssl")
    command = [str(program), *arguments]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60, check=False)


def verify_token(directory: Path, trust: LocalTrust, token: bytes, data: bytes) -> bool:
    (directory / "token.tst").write_bytes(token)
    (directory / "data").write_bytes(data)
    ca = str(trust.directory / "test-ca.pem")
    done = openssl(directory, "ts", "-verify", "-token_in", "-in", "token.tst", "-data", "data", "-CAfile", ca)
    return done.returncode == 0 and "Verification: OK" in done.stdout


@pytest.mark.parametrize("name", AUTHORITIES)
@pytest.mark.parametrize("algorithm", ["sha384", "sha512", "sha3-512"])
def test_ts_verify_accepts_a_token_and_rejects_other_data(
    trust: LocalTrust, tmp_path: Path, name: str, algorithm: str
) -> None:
    """Chain, purpose, ESSCertIDv2 and imprint, judged by somebody else."""
    token = trust.authority(name, Now()).timestamp(Digest.of(algorithm, DOCUMENT)).der
    assert verify_token(tmp_path, trust, token, DOCUMENT)
    assert not verify_token(tmp_path, trust, token, DOCUMENT + b"x")
    assert not verify_token(tmp_path, trust, token[:-3] + bytes([token[-3] ^ 1]) + token[-2:], DOCUMENT)


def verify_seal(directory: Path, trust: LocalTrust, seal: bytes, content: bytes) -> bool:
    (directory / "statement.json.p7s").write_bytes(seal)
    (directory / "statement.json").write_bytes(content)
    ca = str(trust.directory / "test-ca.pem")
    command = ["cms", "-verify", "-binary", "-inform", "DER", "-in", "statement.json.p7s", "-content"]
    done = openssl(directory, *command, "statement.json", "-CAfile", ca, "-purpose", "any", "-cades")
    return done.returncode == 0


def test_cms_verify_accepts_a_seal_and_rejects_another_statement(trust: LocalTrust, tmp_path: Path) -> None:
    """With -cades, which checks the signing certificate attribute too."""
    key = load_key(trust.seal_key_address, certificates=trust.seal_certificate_file)
    seal = SoftwareSealer(key, test_trust=True).seal(DOCUMENT, at=Now().now()).der
    assert verify_seal(tmp_path, trust, seal, DOCUMENT)
    assert not verify_seal(tmp_path, trust, seal, DOCUMENT + b"x")
    assert not verify_seal(tmp_path, trust, seal[:-3] + bytes([seal[-3] ^ 1]) + seal[-2:], DOCUMENT)


def test_openssl_sees_nothing_revoked(trust: LocalTrust, tmp_path: Path) -> None:
    """The revocation list is authentic, and verification with it succeeds."""
    (tmp_path / "list.crl").write_bytes(trust.crl(Now().now()))
    assert openssl(tmp_path, "crl", "-inform", "DER", "-in", "list.crl", "-out", "list.pem").returncode == 0
    both = (trust.directory / "test-ca.pem").read_bytes() + (tmp_path / "list.pem").read_bytes()
    (tmp_path / "both.pem").write_bytes(both)
    leaves = [str(trust.directory / f"{name}.pem") for name in (*AUTHORITIES, "local-seal")]
    done = openssl(tmp_path, "verify", "-crl_check", "-CAfile", "both.pem", *leaves)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": OK") == 3

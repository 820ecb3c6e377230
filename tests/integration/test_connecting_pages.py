"""The pages on connecting an HSM and a TSA and on qualified status work as they stand there, from a clean start; no
secret shows."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.fakes.seal_authority import SealAuthority
from tests.fakes.tsa import HttpTsa
from tests.fakes.web import Answer, serving
from tests.hsm import key, module, pem, soft_hsm
from tests.unit.signing.examination.signing_world import cms_by
from tests.unit.signing.trusted_lists.list_world import Union
from tests.vectors import REPOSITORY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

MARKERS = {"hsm.pin": "planted-pin-7f3a", "tsa.password": "planted-password-9c1e"}
PAGES = ("connect-your-hsm.md", "connect-your-tsa.md")


def steps(page: str) -> list[tuple[str, str]]:
    """The blocks of a page's first steps, in their order: language and text."""
    text = (REPOSITORY / "docs" / page).read_text("utf-8")
    found = re.findall(r"^   ```(sh|toml)\n(.*?)^   ```$", text, re.S | re.M)
    return [(language, re.sub(r"^   ", "", block, flags=re.M)) for language, block in found]


class Walk:
    """A clean folder in which a page is followed; all that any command says is kept."""

    def __init__(self, folder: Path, *, deposit: bool = True) -> None:
        self.folder = folder
        self.said: list[str] = []
        for name, secret in MARKERS.items():
            (folder / name).write_text(f"{secret}\n")
        self.run(["trusted-archive", "--home", "archive-home", "init"])
        if deposit:
            (folder / "letter.txt").write_text("a letter")
            self.run(["trusted-archive", "--home", "archive-home", "deposit", "letter.txt"])

    def run(self, words: list[str]) -> str:
        if words[0] == "trusted-archive":
            words = [sys.executable, "-c", "import sys; from api.cli import main; sys.exit(main())", *words[1:]]
        done = subprocess.run(
            words, cwd=self.folder, capture_output=True, text=True, timeout=120, env=self._environment()
        )
        self.said.append(done.stdout + done.stderr)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    @staticmethod
    def _environment() -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(REPOSITORY), "LANGUAGE": "en"}

    def settings(self, block: str, anchor: str, addresses: dict[str, str]) -> None:
        """Put a block in the place of the table of its kind, and the anchor among the others."""
        for written, real in addresses.items():
            block = block.replace(written, real)
        file = self.folder / "archive-home" / "trusted-archive.toml"
        text = file.read_text()
        head = block.splitlines()[0]
        start = text.index(head)
        end = re.compile(r"^\[", re.M).search(text, start + len(head))
        assert end is not None
        text = f"{text[:start]}{block}\n{text[end.start() :]}"
        file.write_text(text.replace("trust_anchors = [", f'trust_anchors = ["trust/{anchor}", '))

    def shows(self, secret: str) -> list[str]:
        """Where a secret can be seen: in what was said, and in files that are not the one for it."""
        found = ["output" for text in self.said if secret in text]
        for path in self.folder.rglob("*"):
            own = path.name in MARKERS or path.is_relative_to(self.folder / "hsm")
            if path.is_file() and not own and secret.encode() in path.read_bytes():
                found.append(str(path))
        return found


@pytest.fixture
def authority() -> Iterator[SealAuthority]:
    made = SealAuthority(lambda: datetime.now(UTC))
    with made.listening():
        yield made


def test_an_hsm_is_connected_as_the_page_says(tmp_path: Path, authority: SealAuthority) -> None:
    """Token, key, PIN, certificates, settings, doctor, evidence; then receipt, bundle and log hold no PIN."""
    with soft_hsm(tmp_path / "hsm"):
        identity = authority.identity(key("rsa3072"))
        encryption = serialization.NoEncryption()
        octets = identity.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        (tmp_path / "seal-key.pem").write_bytes(octets)
        (tmp_path / "seal.pem").write_bytes(pem(identity, authority.below))
        (tmp_path / "seal-root.pem").write_bytes(authority.anchor)
        walk = Walk(tmp_path)
        for language, block in steps("connect-your-hsm.md"):
            block = block.replace("12345678", MARKERS["hsm.pin"]).replace("--label archive", "--label page")
            block = block.replace("--token archive", "--token page").replace("token=archive", "token=page")
            if language == "toml":
                where = {"http://crl.ca.example/": authority.url, "/usr/lib/softhsm/libsofthsm2.so": str(module())}
                walk.settings(block, "seal-root.pem", where)
                continue
            for line in block.splitlines():
                walk.run(shlex.split(line))
        after(walk)


def after(walk: Walk) -> None:
    """What is given out afterwards, and where the secrets show."""
    listed = walk.run(["trusted-archive", "--home", "archive-home", "--json", "list"])
    (poid,) = re.findall(r'"poid": ?"([0-9a-f]{32})"', listed)
    for words in (["receipt", poid, "--out", "r.json"], ["export", poid, "--out", "b.zip"], ["verify", "--all"]):
        walk.run(["trusted-archive", "--home", "archive-home", *words])
    for secret in MARKERS.values():
        assert walk.shows(secret) == []
    assert walk.shows("letter")  # the search finds what is there


def test_a_tsa_is_connected_as_the_page_says(tmp_path: Path) -> None:
    """Root, password, settings, doctor, evidence; then receipt, bundle and log hold no password."""
    tsa = HttpTsa(lambda: datetime.now(UTC))
    with tsa.listening():
        (tmp_path / "tsa-root.pem").write_bytes(tsa.anchor)
        walk = Walk(tmp_path)
        for language, block in steps("connect-your-tsa.md"):
            if language == "toml":
                walk.settings(block, "tsa-root.pem", {"https://tsa.example/tsr": tsa.address})
                continue
            for line in block.splitlines():
                walk.run(shlex.split(line))
        assert tsa.asked == 2  # the doctor's, and the batch's
        after(walk)


def test_qualified_status_is_asked_as_the_page_says(tmp_path: Path) -> None:
    """The settings' block over HTTP, every command of the page, and the same answer from an exported snapshot."""
    union = Union.made()
    pages: dict[str, bytes] = {}
    with serving(lambda request: Answer(pages[request.path], "application/xml")) as url:
        moved = [(f"https://tl.example/{name}.xml".encode(), f"{url}/{name}.xml".encode()) for name in ("CZ", "EE")]
        pages["/eu-lotl.xml"] = union.lists().but(edits=moved).octets()
        pages["/CZ.xml"], pages["/EE.xml"] = union.national().octets(), union.other_national().octets()
        for name, page in (("eu-lotl.xml", "/eu-lotl.xml"), ("cz.xml", "/CZ.xml")):
            (tmp_path / name).write_bytes(pages[page])
        letter = cms_by(union.person, b"the letter", union.citizens)
        for name in ("contract.asice", "contract.p7m"):
            (tmp_path / name).write_bytes(letter)
        walk = Walk(tmp_path, deposit=False)
        (tmp_path / "archive-home" / "lotl-signers.pem").write_bytes(pem(union.commission))
        text = (REPOSITORY / "docs" / "qualified-status.md").read_text("utf-8")
        (block,) = re.findall(r"^```toml\n(.*?)^```$", text, re.S | re.M)
        real = {"https://ec.europa.eu/tools/lotl/": f"{url}/", "https://tl.example/": f"{url}/", '"SK"': '"EE"'}
        for written, here in real.items():
            assert written in block
            block = block.replace(written, here)
        with (tmp_path / "archive-home" / "trusted-archive.toml").open("a") as file:
            file.write(f"\n{block}")
        walk.run(["trusted-archive", "--home", "archive-home", "lists", "refresh"])
        said = [
            walk.run(shlex.split(line))
            for sh in re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.S | re.M)
            for line in sh.splitlines()
        ]
    statuses = [json.loads(one)["signatures"][0]["qualified"]["qualification"] for one in said if one.startswith("{")]
    assert statuses[-1] == "QESig"  # by the exported lists
    assert len(statuses) >= 2
    assert sorted(path.name for path in (tmp_path / "lists").iterdir()) == ["CZ-7.xml", "EE-7.xml", "EU-300.xml"]

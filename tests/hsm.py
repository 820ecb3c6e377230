"""A SoftHSM2 with tokens of its own, and seal identities whose keys are in it.

The rules this module keeps
 * The device is real: what the archive loads is Debian's module, and what lies in it was put there by its own tool.
 * It can be taken away and brought back.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from signing.pkcs11_key import close_modules
from tests.unit.signing import forge
from tests.vectors import missing

PIN = "hsm-4711-pin"
MODULES = tuple(
    Path(f"{folder}/softhsm/libsofthsm2.so") for folder in ("/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu")
)


@cache
def module() -> Path:
    """The module; skips, or fails in CI, where SoftHSM2 is not installed."""
    found = next((path for path in MODULES if path.is_file()), None)
    if found is None or shutil.which("softhsm2-util") is None:
        missing("SoftHSM2 (apt: softhsm2)")
    assert found is not None
    return found


class SoftHsm:
    """Tokens in a folder; `SOFTHSM2_CONF` leads there."""

    def __init__(self, folder: Path) -> None:
        module()
        self.folder = folder
        (folder / "tokens").mkdir(parents=True)
        self.conf = folder / "softhsm2.conf"
        self.conf.write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")

    def run(self, *arguments: str) -> None:
        """Debian's own tool."""
        environment = {**os.environ, "SOFTHSM2_CONF": str(self.conf)}
        subprocess.run(["softhsm2-util", *arguments], env=environment, check=True, capture_output=True, timeout=60)

    def token(self, label: str = "archive", pin: str = PIN) -> None:
        self.run("--init-token", "--free", "--label", label, "--so-pin", "so-0000", "--pin", pin)

    def put(self, key: Any, label: str, id_: str = "01", *, token: str = "archive", pin: str = PIN) -> None:
        """A private key, as `softhsm2-util --import` takes it."""
        file = self.folder / "key.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.run("--import", str(file), "--token", token, "--label", label, "--id", id_, "--pin", pin)
        file.unlink()

    def address(self, label: str, token: str = "archive") -> str:
        return f"pkcs11:token={token};object={label}?module-path={module()}"

    def take_away(self) -> None:
        """The device is gone, as after a power cut of its own."""
        (self.folder / "tokens").rename(self.folder / "away")
        (self.folder / "tokens").mkdir()

    def bring_back(self) -> None:
        (self.folder / "tokens").rmdir()
        (self.folder / "away").rename(self.folder / "tokens")


@contextmanager
def soft_hsm(folder: Path) -> Iterator[SoftHsm]:
    """A SoftHSM with one token, for this process and those it starts."""
    hsm = SoftHsm(folder)
    hsm.token()
    before = os.environ.get("SOFTHSM2_CONF")
    close_modules()
    os.environ["SOFTHSM2_CONF"] = str(hsm.conf)
    try:
        yield hsm
    finally:
        close_modules()
        if before is None:
            del os.environ["SOFTHSM2_CONF"]
        else:
            os.environ["SOFTHSM2_CONF"] = before


KINDS = ("rsa3072", "p384")


@cache
def key(kind: str) -> Any:
    """Made once for all tests: an RSA key takes a while."""
    return forge.new_key(kind)


def pem(*identities: forge.Identity) -> bytes:
    return b"".join(one.certificate.public_bytes(serialization.Encoding.PEM) for one in identities)

"""What the offline verifier is made of needs no network and no server parts."""

from __future__ import annotations

import subprocess
import sys

import pytest

_LISTING = """
import sys
import {module}
print("\\n".join(sorted({{name.split(".")[0] for name in sys.modules}})))
"""
FOREIGN = {"pyhanko", "aiohttp", "requests", "flask", "sqlalchemy", "boto3", "lxml", "urllib3", "oscrypto"}


@pytest.mark.parametrize("module", ["signing.timestamp_validation", "signing.seal_validation"])
def test_the_validators_import_nothing_that_talks_to_the_network(module: str) -> None:
    """Neither pyHanko nor an HTTP client is loaded."""
    command = [sys.executable, "-c", _LISTING.format(module=module)]
    loaded = set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    assert "asn1crypto" in loaded
    assert loaded & FOREIGN == set()

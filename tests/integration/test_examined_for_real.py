"""A deposit that is examined by the real examiner, as the settings wire it, in processes of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from archive_core.errors import SignaturesNotAcceptedError
from archive_core.lifecycle import Status
from tests.unit.signing.examination.signing_world import NOW, flipped
from tests.unit.signing.examination.signing_world import World as Signing
from tests.world import OPERATOR, World


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Signing:
    return Signing.made(tmp_path_factory.mktemp("signing"))


@pytest.mark.slow
def test_good_broken_and_foreign_documents_of_one_deposit(tmp_path: Path, signing: Signing) -> None:
    """Each is told for itself, in both forms; the broken one sets the deposit aside, and is refused by the other
    profile. What the signer is trusted by stands in the settings."""
    world = World(tmp_path, start=NOW + timedelta(days=180))
    (world.home / "ca.pem").write_bytes(_pem(signing.local.anchor))
    world.settings = replace(world.settings, examination=replace(world.settings.examination, trust=("ca.pem",)))
    world.restart()
    good = signing.cms(b"the letter", detached=True)
    files = {
        "letter.txt": b"the letter",
        "letter.txt.p7s": good,
        "broken.p7s": flipped(good, len(good) - 20),
        "picture.png": b"\x89PNG\r\n",
        "empty.pdf": b"",
    }
    try:
        told = world.deposit(files, profile="signed-quarantined-1")
        report = world.archive.signatures.report(told.poid, actor=OPERATOR)
        found = {one["path"]: one for one in report["files"]}

        assert told.status is Status.QUARANTINED
        assert found["letter.txt"]["examined"] is found["picture.png"]["examined"] is False
        assert found["empty.pdf"]["reason"] == "not examined: empty"
        assert found["letter.txt.p7s"]["sub_indications"] == ["TRY_LATER"]  # intact, trusted, and no revocation data
        assert "broken.p7s" in report["because"]
        whole = world.archive.signatures.document_report(told.poid, "letter.txt.p7s", actor=OPERATOR)
        assert json.loads(whole)["signatures"][0]["signature_intact"] is True
        xml = world.archive.signatures.document_report(told.poid, "letter.txt.p7s", xml=True, actor=OPERATOR)
        assert b"ValidationReport" in xml
        with pytest.raises(SignaturesNotAcceptedError):
            world.deposit(files, profile="signed-required-1")
        world.preserve()
        world.check()
        assert world.audit().findings == []
    finally:
        world.archive.close()


def _pem(der: bytes) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)

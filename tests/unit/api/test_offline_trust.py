"""Files named with --trust: what is a certificate there and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from asn1crypto import core, x509

from api.offline.trust import read_trust
from archive_core.errors import UsageError
from tests.unit.signing import forge


def test_a_certificate_whose_name_cannot_be_read_is_no_certificate(tmp_path: Path) -> None:
    """It is refused as such, instead of ending the verifier when its name is looked at."""
    good = forge.authority().der
    subject = x509.Certificate.load(good).subject.dump()
    spoilt = subject.replace(b"\x0c", b"\x06", 1)  # the common name, as an object identifier
    assert good.count(subject) == 2
    path = tmp_path / "spoilt.cer"
    path.write_bytes(good.replace(subject, spoilt))
    assert core.Sequence.load(path.read_bytes(), strict=True)

    with pytest.raises(UsageError, match="holds no certificate"):
        read_trust([path])


def test_a_good_certificate_is_an_anchor(tmp_path: Path) -> None:
    """DER as it stands."""
    der = forge.authority().der
    (tmp_path / "good.cer").write_bytes(der)
    assert read_trust([tmp_path / "good.cer"]).anchors == (der,)

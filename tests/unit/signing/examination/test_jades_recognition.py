"""JSON web signatures are named, never passed over."""

from __future__ import annotations

import base64

import pytest

from policies import current_algorithms
from signing.examination.documents import Document
from signing.examination.registry import examine
from signing.examination.trust import ExaminationTrust
from signing.examination.values import DocumentFormat, Examination
from tests.unit.signing.forge import NOW

HEADER = base64.urlsafe_b64encode(b'{"alg":"ES256"}').rstrip(b"=")


def examined(octets: bytes) -> Examination:
    trust = ExaminationTrust((), algorithms=current_algorithms())
    return examine(Document("a.json", octets), trust=trust, at=NOW)


@pytest.mark.parametrize(
    "octets",
    [
        HEADER + b".cGF5bG9hZA.c2lnbmF0dXJl",
        HEADER + b"..c2lnbmF0dXJl\n",
        b'{"payload":"cA","protected":"eyJ","signature":"c2ln"}',
        b'\xef\xbb\xbf {"payload":"cA","signatures":[{"protected":"eyJ","signature":"c2ln"}]}',
        b'{"file":[{"deep":{"payload":"","header":{},"signature":"c2ln"}}]}',
    ],
)
def test_a_json_web_signature_is_not_examined_by_name(octets: bytes) -> None:
    """Compact, detached, flattened, general, inside of something else."""
    found = examined(octets)
    assert (found.format, found.examined) == (DocumentFormat.JSON, False)
    assert found.reason == "not examined: a JSON web signature (JWS, JAdES)"


@pytest.mark.parametrize("octets", [b"{}", b'[{"signature":"by hand"}]', b'{"signatures":["Jana"]}'])
def test_json_without_one_is_examined(octets: bytes) -> None:
    """Words alone make no signature."""
    found = examined(octets)
    assert (found.examined, found.signatures) == (True, ())


@pytest.mark.parametrize("octets", [b"{", b"[" * 5000 + b"]" * 5000, b'{"a":' * 200 + b"1" + b"}" * 200, b"eyJ.x"])
def test_what_cannot_be_read_says_so(octets: bytes) -> None:
    """Cut off, too deep, no JSON at all."""
    found = examined(octets)
    assert not found.examined
    assert found.reason.startswith("not examined: ")

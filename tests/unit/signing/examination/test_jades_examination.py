"""JSON web signatures and JAdES: judged, named where they cannot be, and never good after a change."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from archive_core.digests import Digest
from archive_core.findings import SubIndication, Verdict
from archive_core.ports import JsonSeal
from policies import current_algorithms
from signing.examination.documents import Document
from signing.examination.registry import examine
from signing.examination.trust import ExaminationTrust
from signing.examination.values import (
    Coverage,
    DocumentFormat,
    Examination,
    Level,
    SignatureExamination,
    SignatureFormat,
)
from signing.jws import decoded, encoded
from signing.keys import load_key
from signing.seals import SoftwareSealer
from tests.unit.signing.examination.signing_world import NOW, World
from tests.world import SteppingClock

HEADER = base64.urlsafe_b64encode(b'{"alg":"ES256"}').rstrip(b"=")
CONTENT = b'{"receipt":1}\n'
LATER = NOW + timedelta(hours=1)


def examined(octets: bytes) -> Examination:
    trust = ExaminationTrust((), algorithms=current_algorithms())
    return examine(Document("a.json", octets), trust=trust, at=NOW)


@pytest.fixture(scope="module")
def seal(world: World) -> JsonSeal:
    key = load_key(world.local.seal_key_address, certificates=world.local.seal_certificate_file)
    sealer = SoftwareSealer(key, test_trust=True, validation_source=world.local.seal_validation_data)
    return sealer.seal_json(CONTENT, at=NOW)


def flattened(seal: JsonSeal, **changes: Any) -> bytes:
    return json.dumps({**json.loads(seal.flattened()), **changes}).encode()


def stamped(world: World, seal: JsonSeal, value: str | None = None) -> list[dict[str, Any]]:
    """`etsiU` with a time-stamp over the signature value's text."""
    over = Digest.of("sha512", (seal.signature if value is None else value).encode())
    token = world.local.authority("local-tsa-1", SteppingClock(LATER)).timestamp(over).der
    return [{"sigTst": {"tstTokens": [{"val": base64.b64encode(token).decode()}]}}]


def test_our_own_seal_is_a_good_jades_signature(world: World, seal: JsonSeal) -> None:
    """In every form, with signer and claimed time; the payload is what it covers."""
    general = json.dumps(
        {"payload": seal.payload, "signatures": [{"protected": seal.protected, "signature": seal.signature}]}
    ).encode()
    for octets in (seal.compact(), b"\n" + seal.compact() + b"\n", seal.flattened(), general):
        (found,) = world.examined(octets).signatures
        assert (found.format, found.level, found.verdict) == (SignatureFormat.JADES, Level.B, Verdict.PASSED)
        assert found.signature_intact
        assert found.claimed_time == NOW
        assert found.coverage is Coverage.WHOLE
        assert found.test_trust


def test_a_time_stamp_over_the_value_makes_level_t(world: World, seal: JsonSeal) -> None:
    """As an object or as text; with revocation data it is LT; over another value it is broken and proves nothing."""
    unsigned = stamped(world, seal)
    texts = [encoded(json.dumps(one).encode()) for one in unsigned]
    for given in (unsigned, texts):
        (found,) = world.examined(flattened(seal, header={"etsiU": given}), at=LATER + timedelta(hours=1)).signatures
        assert (found.level, found.verdict) == (Level.T, Verdict.PASSED)
        assert found.proven_time is not None
        assert LATER <= found.proven_time < LATER + timedelta(seconds=1)
    crl = base64.b64encode(world.local.crl(LATER)).decode()
    more = [*unsigned, {"rVals": {"crlVals": [{"val": crl}]}}]
    (found,) = world.examined(flattened(seal, header={"etsiU": more}), at=LATER + timedelta(hours=1)).signatures
    assert found.level is Level.LT
    wrong = stamped(world, seal, value="another")
    (found,) = world.examined(flattened(seal, header={"etsiU": wrong}), at=LATER + timedelta(hours=1)).signatures
    assert found.timestamps[0].sub_indication is SubIndication.HASH_FAILURE
    assert found.proven_time is None


def test_a_detached_payload_is_the_document_given(world: World, seal: JsonSeal) -> None:
    """Without it nothing is known, with another one it is broken."""
    octets = f"{seal.protected}..{seal.signature}".encode()
    member = {"protected": seal.protected, "signature": seal.signature}
    for form in (octets, json.dumps(member).encode(), json.dumps({"signatures": [member]}).encode()):
        (found,) = world.examined(form, CONTENT).signatures
        assert (found.verdict, found.coverage) == (Verdict.PASSED, Coverage.DETACHED)
    (found,) = world.examined(octets, CONTENT + b".").signatures
    assert (found.verdict, found.signature_intact) == (Verdict.FAILED, False)
    (found,) = world.examined(octets).signatures
    assert (found.verdict, found.sub_indication) == (
        Verdict.INDETERMINATE,
        SubIndication.SIGNED_DATA_NOT_FOUND,
    )


def test_each_signature_of_a_general_jws_is_one(world: World, seal: JsonSeal) -> None:
    """A good one beside a broken one: each with its own verdict, the document with the worst."""
    good = {"protected": seal.protected, "signature": seal.signature}
    bad = {"protected": seal.protected, "signature": encoded(b"\1" * 96)}
    found = world.examined(json.dumps({"payload": seal.payload, "signatures": [good, bad]}).encode())

    assert [one.verdict for one in found.signatures] == [Verdict.PASSED, Verdict.FAILED]
    assert found.verdict is Verdict.FAILED


def _header(seal: JsonSeal, **changes: Any) -> str:
    header = {**json.loads(decoded(seal.protected, "header")), **changes}
    return encoded(json.dumps({name: value for name, value in header.items() if value is not None}).encode())


@pytest.mark.parametrize(
    ("change", "sub"),
    [
        (lambda seal: flattened(seal, payload=encoded(b"{}")), SubIndication.SIG_CRYPTO_FAILURE),
        (lambda seal: flattened(seal, protected=_header(seal, iat=1)), SubIndication.SIG_CRYPTO_FAILURE),
        (lambda seal: flattened(seal, signature=encoded(b"\0" * 96)), SubIndication.SIG_CRYPTO_FAILURE),
        (lambda seal: flattened(seal, signature=""), SubIndication.SIG_CRYPTO_FAILURE),
        (lambda seal: flattened(seal, protected=_header(seal, **{"x5t#S256": "AA"})), SubIndication.FORMAT_FAILURE),
        (lambda seal: flattened(seal, protected=_header(seal, alg="none")), SubIndication.UNSUPPORTED),
        (lambda seal: flattened(seal, protected=_header(seal, alg="HS256")), SubIndication.UNSUPPORTED),
        (lambda seal: flattened(seal, protected=_header(seal, x5c=None)), SubIndication.NO_SIGNING_CERTIFICATE_FOUND),
        (lambda seal: flattened(seal, protected=_header(seal, sigD={"mId": "x"})), SubIndication.FORMAT_FAILURE),
    ],
)
def test_a_changed_signature_is_not_good(
    world: World, seal: JsonSeal, change: Callable[[JsonSeal], bytes], sub: SubIndication
) -> None:
    """Payload, header, value, algorithm, certificate; what is referred to elsewhere is not judged."""
    (found,) = world.examined(change(seal)).signatures
    assert found.verdict is not Verdict.PASSED
    assert not found.signature_intact
    assert found.sub_indication is sub, found.message


def test_a_time_before_the_certificate_or_nobody_to_trust_is_not_good(seal: JsonSeal) -> None:
    """Intact, and not trusted."""
    (found,) = examined(seal.compact()).signatures
    assert found.signature_intact
    assert (found.verdict, found.sub_indication) == (
        Verdict.INDETERMINATE,
        SubIndication.NO_CERTIFICATE_CHAIN_FOUND,
    )


@pytest.mark.parametrize("unsigned", ["x", [1], ["*"], [{"a": 1, "b": 2}], [{"arcTst": {}}], [{"cSig": "x"}]])
def test_strange_unsigned_parts_are_told_and_change_nothing(world: World, seal: JsonSeal, unsigned: Any) -> None:
    """What is not read or not judged is a finding."""
    (found,) = world.examined(flattened(seal, header={"etsiU": unsigned})).signatures
    assert found.verdict is Verdict.PASSED
    assert found.level is Level.B
    assert {one.code for one in found.findings} & {"ETSIU_UNREADABLE", "UNSIGNED_NOT_JUDGED", "TIMESTAMP_UNREADABLE"}


@pytest.mark.parametrize(
    "octets",
    [
        b'{"payload":"cA","protected":"eyJ","signature":"c2ln"}',
        b'\xef\xbb\xbf {"payload":"cA","signatures":[{"protected":"eyJ","signature":"c2ln"}]}',
        b'{"file":[{"deep":{"payload":"","header":{},"signature":"c2ln"}}]}',
        b'{"payload":"","protected":"eyJhbGciOiJFUzI1NiIsImNyaXQiOlsieCJdfQ","signature":"c2ln"}',
    ],
)
def test_a_json_web_signature_that_is_not_read_is_not_examined_by_name(octets: bytes) -> None:
    """No header, one inside of something else, a critical parameter that is not understood."""
    found = examined(octets)
    assert (found.format, found.examined) == (DocumentFormat.JSON, False)
    assert found.reason.startswith("not examined: ")
    assert found.verdict is Verdict.INDETERMINATE


def test_a_jws_without_a_certificate_is_one_signature(world: World) -> None:
    """Compact, with and without its payload."""
    for octets in (HEADER + b".cGF5bG9hZA.c2lnbmF0dXJl", HEADER + b"..c2lnbmF0dXJl\n"):
        (found,) = world.examined(octets).signatures
        assert (found.format, found.level, found.value_intact) == (SignatureFormat.JWS, Level.NONE, None)
        assert found.verdict is Verdict.INDETERMINATE


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


# -- data beside it that the header refers to -----------------------------------------------------


URI, HASH = "http://uri.etsi.org/19182/ObjectIdByURI", "http://uri.etsi.org/19182/ObjectIdByURIHash"
DATA = {"a.txt": b"the first", "b c.txt": b"the second" * 100_000}


def referring(world: World, sig_d: dict[str, Any], payload: bytes, *, plain: bool = False) -> bytes:
    """A JAdES signature in the flattened form, whose header refers to data; `payload` as it is signed."""
    key = load_key(world.local.seal_key_address, certificates=world.local.seal_certificate_file)
    private = serialization.load_der_private_key(key.private_key, None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    header: dict[str, Any] = {
        "alg": "ES384",
        "iat": int(NOW.timestamp()),
        "x5c": [base64.b64encode(key.certificate).decode()],
        "x5t#S256": encoded(hashlib.sha256(key.certificate).digest()),
        "crit": ["sigD", *(["b64"] if plain else [])],
        "sigD": sig_d,
    }
    if plain:
        header["b64"] = False
    protected = encoded(json.dumps(header).encode())
    made = private.sign(protected.encode() + b"." + payload, ec.ECDSA(hashes.SHA384()))
    value = b"".join(number.to_bytes(48, "big") for number in decode_dss_signature(made))
    return json.dumps({"protected": protected, "signature": encoded(value)}).encode()


def by_uri(world: World, *, plain: bool = False) -> bytes:
    payload = b"".join(octets if plain else encoded(octets).encode() for octets in DATA.values())
    return referring(world, {"mId": URI, "pars": ["a.txt", "b%20c.txt"]}, payload, plain=plain)


def by_hash(world: World, *, plain: bool = False, **changes: Any) -> bytes:
    over = [octets if plain else encoded(octets).encode() for octets in DATA.values()]
    digests = [encoded(hashlib.sha512(one).digest()) for one in over]
    sig_d = {"mId": HASH, "pars": ["a.txt", "b%20c.txt"], "hashM": "S512", "hashV": digests, **changes}
    return referring(world, sig_d, b"", plain=plain)


def judged(world: World, octets: bytes, data: dict[str, bytes]) -> SignatureExamination:
    detached = [Document(name, content) for name, content in data.items()]
    (found,) = examine(Document("a.json", octets), detached=detached, trust=world.trust(), at=NOW).signatures
    return found


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("make", [by_uri, by_hash])
def test_data_that_the_header_refers_to_are_found_and_fit(
    world: World, make: Callable[..., bytes], plain: bool
) -> None:
    """Concatenated, or digested one by one, with and without base64url; in whatever order they are given."""
    octets = make(world, plain=plain)
    for given in (DATA, dict(reversed(DATA.items()))):
        found = judged(world, octets, given)
        assert (found.verdict, found.value_intact, found.coverage) == (Verdict.PASSED, True, Coverage.DETACHED)
        assert found.covers == tuple(DATA)
        assert found.format is SignatureFormat.JADES


@pytest.mark.parametrize("make", [by_uri, by_hash])
def test_data_that_are_others_or_not_there_make_nothing_good(world: World, make: Callable[..., bytes]) -> None:
    """Changed: broken. Missing: not found, and undecided."""
    octets = make(world)
    changed = judged(world, octets, {**DATA, "a.txt": b"another"})
    assert changed.verdict is Verdict.FAILED
    missing = judged(world, octets, {"b c.txt": DATA["b c.txt"], "x.txt": b"the first."})
    assert (missing.verdict, missing.sub_indication) == (Verdict.INDETERMINATE, SubIndication.SIGNED_DATA_NOT_FOUND)
    assert judged(world, octets, {}).sub_indication is SubIndication.SIGNED_DATA_NOT_FOUND


@pytest.mark.parametrize(
    ("changes", "sub"),
    [
        ({"mId": "http://uri.etsi.org/19182/HttpHeaders"}, SubIndication.UNSUPPORTED),
        ({"mId": None}, SubIndication.UNSUPPORTED),
        ({"hashM": "MD5"}, SubIndication.UNSUPPORTED),
        ({"pars": []}, SubIndication.FORMAT_FAILURE),
        ({"pars": ["a.txt"] * 1001}, SubIndication.FORMAT_FAILURE),
        ({"pars": [1, 2]}, SubIndication.FORMAT_FAILURE),
        ({"hashV": []}, SubIndication.FORMAT_FAILURE),
        ({"hashV": ["!", "!"]}, SubIndication.FORMAT_FAILURE),
        ({"hashV": "x"}, SubIndication.FORMAT_FAILURE),
    ],
)
def test_references_that_cannot_be_followed_are_never_good(
    world: World, changes: dict[str, Any], sub: SubIndication
) -> None:
    """Told by what is wrong with them; a payload beside them contradicts them."""
    found = judged(world, by_hash(world, **changes), DATA)
    assert (found.verdict is not Verdict.PASSED, found.sub_indication) == (True, sub)
    attached = json.dumps({**json.loads(by_hash(world)), "payload": encoded(b"x")}).encode()
    assert judged(world, attached, DATA).sub_indication is SubIndication.FORMAT_FAILURE

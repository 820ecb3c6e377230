"""The time-stamps of a JAdES signature: what each covers, up to level LTA, and that nothing moved or changed fits."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from archive_core.digests import Digest
from archive_core.findings import SubIndication, Verdict
from archive_core.ports import ValidationData
from policies import current_algorithms
from signing.examination.documents import Document
from signing.examination.registry import examine
from signing.examination.trust import ExaminationTrust
from signing.examination.values import Level, SignatureExamination, TimestampKind
from signing.jws import encoded
from signing.keys import load_key
from signing.local_trust import create_local_trust
from tests.unit.signing.examination.signing_world import DAY, NOW, World
from tests.world import SteppingClock

PAYLOAD = encoded(b'{"agreed":true}')
DATA = {"a.txt": b"the first", "b.txt": b"the second" * 200_000}
REFERENCES = [{"digAlg": "S256", "digVal": "AAAA"}]


class Signed:
    """A signature in the flattened form, to which elements of `etsiU` are added one after the other."""

    def __init__(
        self, world: World, *, payload: str | None = PAYLOAD, data: bytes | None = None, **header: Any
    ) -> None:
        """`data` is what is signed where it is not the payload."""
        self.world, self.payload = world, payload
        key = load_key(world.local.seal_key_address, certificates=world.local.seal_certificate_file)
        private = serialization.load_der_private_key(key.private_key, None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        written = {
            "alg": "ES384",
            "iat": int(NOW.timestamp()),
            "x5c": [base64.b64encode(key.certificate).decode()],
            "x5t#S256": encoded(hashlib.sha256(key.certificate).digest()),
            **header,
        }
        self.protected = encoded(json.dumps(written).encode())
        signed = (payload or "").encode() if data is None else data
        made = private.sign(self.protected.encode() + b"." + signed, ec.ECDSA(hashes.SHA384()))
        self.value = encoded(b"".join(number.to_bytes(48, "big") for number in decode_dss_signature(made)))
        self.elements: list[Any] = []

    def add(self, name: str, value: Any) -> Signed:
        self.elements.append(element(name, value))
        return self

    def stamp(self, name: str, over: bytes, at: datetime = NOW, by: World | None = None) -> Signed:
        return self.add(name, container(by or self.world, over, at))

    def everything(self, data: bytes | None = None, *, before: Sequence[str] | None = None) -> bytes:
        """What an archive time-stamp covers."""
        over = (self.payload or "").encode() if data is None else data
        elements = self.elements if before is None else before
        return over + f".{self.protected}.{self.value}.{''.join(elements)}".encode()

    def octets(self, **changes: Any) -> bytes:
        header = {"header": {"etsiU": self.elements}} if self.elements else {}
        whole = {"payload": self.payload, "protected": self.protected, "signature": self.value, **header, **changes}
        return json.dumps({name: value for name, value in whole.items() if value is not None}).encode()


def element(name: str, value: Any) -> str:
    return encoded(json.dumps({name: value}).encode())


def container(world: World, over: bytes, at: datetime) -> dict[str, Any]:
    token = world.local.authority("local-tsa-1", SteppingClock(at)).timestamp(Digest.of("sha512", over)).der
    return {"tstTokens": [{"val": base64.b64encode(token).decode()}]}


def values(world: World, at: datetime) -> dict[str, Any]:
    return {"crlVals": [{"val": base64.b64encode(world.local.crl(at)).decode()}]}


def kept(world: World, **options: Any) -> Signed:
    """Level LT: a signature time-stamp and a revocation list."""
    signed = Signed(world, **options)
    return signed.stamp("sigTst", signed.value.encode()).add("rVals", values(world, NOW))


@pytest.fixture
def archived(world: World) -> Signed:
    signed = kept(world)
    return signed.stamp("arcTst", signed.everything(), NOW + DAY)


def judged(
    world: World, octets: bytes, data: dict[str, bytes] | None = None, at: datetime = NOW + 2 * DAY
) -> SignatureExamination:
    detached = [Document(name, content) for name, content in (data or {}).items()]
    (found,) = examine(Document("a.json", octets), detached=detached, trust=world.trust(at), at=at).signatures
    return found


def test_an_archive_time_stamp_makes_level_lta(world: World, archived: Signed) -> None:
    """It covers payload, header, value and what is before it; a second one covers the first."""
    found = judged(world, archived.octets())
    assert (found.level, found.verdict) == (Level.LTA, Verdict.PASSED)
    assert [one.kind for one in found.timestamps] == [TimestampKind.SIGNATURE, TimestampKind.ARCHIVE]
    assert all(one.verdict is Verdict.PASSED for one in found.timestamps)
    assert found.proven_time is not None
    assert NOW <= found.proven_time < NOW + DAY
    assert not [one for one in found.findings if one.code == "UNSIGNED_NOT_JUDGED"]

    archived.add("tstVD", {"rVals": values(world, NOW + DAY)})
    archived.stamp("arcTst", archived.everything(), NOW + 2 * DAY)
    found = judged(world, archived.octets(), at=NOW + 3 * DAY)
    assert [one.verdict for one in found.timestamps] == [Verdict.PASSED] * 3
    assert found.level is Level.LTA


CHANGES: dict[str, Callable[[list[Any]], list[Any]]] = {
    "an element is gone": lambda one: [one[0], one[2]],
    "the first is gone": lambda one: one[1:],
    "in another order": lambda one: [one[1], one[0], one[2]],
    "another value": lambda one: [one[0], element("rVals", {"crlVals": [{"val": "AAAA"}]}), one[2]],
    "the same value written otherwise": lambda one: [one[0], encoded(_spaced(one[1])), one[2]],
    "one more before it": lambda one: [one[0], one[1], element("xVals", []), one[2]],
    "one that cannot be read before it": lambda one: [one[0], one[1], "*", one[2]],
    "moved to the front": lambda one: [one[2], one[0], one[1]],
}


def _spaced(text: str) -> bytes:
    return json.dumps(json.loads(base64.urlsafe_b64decode(text + "==")), indent=1).encode()


@pytest.mark.parametrize("change", CHANGES)
def test_what_an_archive_time_stamp_covers_cannot_be_changed(world: World, archived: Signed, change: str) -> None:
    """It does not fit any more, whatever was done to the elements; the signature's own mathematics is not touched."""
    archived.elements = CHANGES[change](archived.elements)
    found = judged(world, archived.octets())
    (archive,) = [one for one in found.timestamps if one.kind is TimestampKind.ARCHIVE]
    assert (archive.verdict, archive.sub_indication) == (Verdict.FAILED, SubIndication.HASH_FAILURE)
    assert found.signature_intact


def test_what_is_added_behind_it_is_younger_and_allowed(world: World, archived: Signed) -> None:
    """As new validation data are, before the next one."""
    archived.add("anyValData", {"rVals": values(world, NOW + DAY)})
    found = judged(world, archived.octets())
    assert [one.verdict for one in found.timestamps] == [Verdict.PASSED] * 2


@pytest.mark.parametrize("which", ["payload", "protected", "signature"])
def test_an_archive_time_stamp_of_another_signature_is_refused(world: World, archived: Signed, which: str) -> None:
    """Over the same elements and another payload, header or value."""
    another = Signed(world, payload=encoded(b"{}"), iat=1 if which == "protected" else 2)
    changes = {"payload": another.payload, "protected": another.protected, "signature": another.value}
    found = judged(world, archived.octets(**{which: changes[which]}))
    archive = found.timestamps[-1]
    assert (archive.verdict, archive.sub_indication) == (Verdict.FAILED, SubIndication.HASH_FAILURE)
    assert found.verdict is not Verdict.PASSED


def test_elements_that_are_objects_are_undecided(world: World) -> None:
    """How they would be written is nowhere said: not intact, not broken, and proving nothing."""
    signed = kept(world)
    clear = [json.loads(base64.urlsafe_b64decode(one + "==")) for one in signed.elements]
    over = signed.everything(before=[json.dumps(one) for one in clear])
    clear.append({"arcTst": container(world, over, NOW + DAY)})
    found = judged(world, signed.octets(header={"etsiU": clear}))
    archive = found.timestamps[-1]
    assert (archive.verdict, archive.sub_indication) == (Verdict.INDETERMINATE, SubIndication.SIGNED_DATA_NOT_FOUND)
    assert found.verdict is Verdict.PASSED  # by its signature time-stamp


def test_a_later_authority_keeps_a_signature_good_beyond_its_certificates(world: World, tmp_path: Path) -> None:
    """An archive time-stamp of year nine carries signature and first time-stamp over their end in year ten."""
    renewed, at = NOW + 9 * 365 * DAY, NOW + 12 * 365 * DAY
    later = World(create_local_trust(tmp_path / "later", at=renewed - DAY))
    signed = kept(world).add("tstVD", {"rVals": values(world, renewed)})
    alone = signed.octets()
    signed.stamp("arcTst", signed.everything(), renewed, by=later)
    trust = ExaminationTrust(
        (),
        algorithms=current_algorithms(),
        test_anchors=(world.local.anchor, later.local.anchor),
        extra=ValidationData(crls=(later.local.crl(at),)),
    )
    (found,) = examine(Document("a.json", signed.octets()), trust=trust, at=at).signatures
    (expired,) = examine(Document("a.json", alone), trust=trust, at=at).signatures

    assert (found.verdict, found.level) == (Verdict.PASSED, Level.LTA)
    assert "PAST_VALIDATION" in [one.code for one in found.findings]
    assert expired.sub_indication is SubIndication.OUT_OF_BOUNDS_NO_POE


def test_a_time_stamp_behind_an_archive_time_stamp_is_not_carried_by_it(world: World, tmp_path: Path) -> None:
    """Its authority's certificate has ended: before the archive time-stamp it is judged as of then, behind it as of
    now. Else whoever has an old key could add any time."""
    renewed, at = NOW + 9 * 365 * DAY, NOW + 12 * 365 * DAY
    later = World(create_local_trust(tmp_path / "later", at=renewed - DAY))
    trust = ExaminationTrust(
        (),
        algorithms=current_algorithms(),
        test_anchors=(world.local.anchor, later.local.anchor),
        extra=ValidationData(crls=(later.local.crl(at),)),
    )
    for covered in (True, False):
        signed = Signed(world).add("rVals", values(world, renewed))
        over = signed.value.encode()
        signed = signed.stamp("sigTst", over) if covered else signed
        signed.stamp("arcTst", signed.everything(), renewed, by=later)
        signed = signed if covered else signed.stamp("sigTst", over)
        (found,) = examine(Document("a.json", signed.octets()), trust=trust, at=at).signatures
        verdicts = {one.kind: one.verdict for one in found.timestamps}
        assert verdicts[TimestampKind.ARCHIVE] is Verdict.PASSED
        assert (verdicts[TimestampKind.SIGNATURE] is Verdict.PASSED) is covered
        assert found.proven_time is not None
        assert (found.proven_time < renewed) is covered


# -- data beside the signature --------------------------------------------------------------------------


def beside(world: World, *, plain: bool, by_hash: bool) -> tuple[Signed, bytes]:
    """A signature of data beside it, and those data as time-stamps cover them."""
    over = [one if plain else encoded(one).encode() for one in DATA.values()]
    sig_d: dict[str, Any] = {"mId": "http://uri.etsi.org/19182/ObjectIdByURI", "pars": list(DATA)}
    if by_hash:
        digests = [encoded(hashlib.sha512(one).digest()) for one in over]
        sig_d = {**sig_d, "mId": sig_d["mId"] + "Hash", "hashM": "S512", "hashV": digests}
    header = {"crit": ["sigD", *(["b64"] if plain else [])], "sigD": sig_d, **({"b64": False} if plain else {})}
    joined = b"".join(over)
    return kept(world, payload=None, data=b"" if by_hash else joined, **header), joined


@pytest.mark.parametrize("by_hash", [False, True])
@pytest.mark.parametrize("plain", [False, True])
def test_an_archive_time_stamp_covers_the_data_beside_the_signature(world: World, plain: bool, by_hash: bool) -> None:
    """The data themselves, also where the header holds their digests; without one of them nothing is decided."""
    signed, joined = beside(world, plain=plain, by_hash=by_hash)
    signed.stamp("arcTst", signed.everything(joined), NOW + DAY)
    found = judged(world, signed.octets(), DATA)
    assert (found.level, found.verdict) == (Level.LTA, Verdict.PASSED)
    assert [one.verdict for one in found.timestamps] == [Verdict.PASSED] * 2

    missing = judged(world, signed.octets(), {"b.txt": DATA["b.txt"], "c.txt": b"else"})
    assert missing.timestamps[-1].sub_indication is SubIndication.SIGNED_DATA_NOT_FOUND
    assert missing.verdict is Verdict.INDETERMINATE
    changed = judged(world, signed.octets(), {**DATA, "a.txt": b"another"})
    assert changed.timestamps[-1].sub_indication is SubIndication.HASH_FAILURE
    assert changed.verdict is Verdict.FAILED


def test_a_content_time_stamp_is_over_the_data(world: World) -> None:
    """In the protected header; over other data it does not fit. It is older than the signature and proves none."""
    for over, verdict in ((PAYLOAD.encode(), Verdict.PASSED), (b"other", Verdict.FAILED)):
        signed = Signed(world, adoTst=container(world, over, NOW))
        found = judged(world, signed.octets())
        assert [(one.kind, one.verdict) for one in found.timestamps] == [(TimestampKind.CONTENT, verdict)]
        assert (found.level, found.proven_time) == (Level.B, None)


# -- time-stamps over references ------------------------------------------------------------------------


def test_time_stamps_over_references_prove_the_signature_only_where_they_cover_it(world: World) -> None:
    """Signature value and references: yes. References alone, which another signature may have as well: no."""
    both = Signed(world).add("xRefs", REFERENCES)
    both.stamp("sigRTst", f"{both.value}.{both.elements[0]}".encode())
    found = judged(world, both.octets())
    assert [(one.kind, one.verdict) for one in found.timestamps] == [(TimestampKind.REFERENCES, Verdict.PASSED)]
    assert found.proven_time is not None

    alone = Signed(world).add("xRefs", REFERENCES)
    alone.stamp("rfsTst", alone.elements[0].encode())
    found = judged(world, alone.octets())
    assert [(one.kind, one.verdict) for one in found.timestamps] == [(TimestampKind.REFERENCES_ONLY, Verdict.PASSED)]
    assert found.proven_time is None


@pytest.mark.parametrize("name", ["sigRTst", "rfsTst"])
def test_time_stamps_over_other_references_are_refused(world: World, name: str) -> None:
    """Changed references do not fit; without any, there is nothing to cover."""
    signed = Signed(world).add("xRefs", REFERENCES)
    prefix = f"{signed.value}." if name == "sigRTst" else ""
    signed.stamp(name, f"{prefix}{signed.elements[0]}".encode())
    signed.elements[0] = element("xRefs", [])
    found = judged(world, signed.octets())
    assert [one.sub_indication for one in found.timestamps] == [SubIndication.HASH_FAILURE]
    signed.elements = signed.elements[1:]
    assert judged(world, signed.octets()).timestamps[0].verdict is not Verdict.PASSED


# -- bounds ---------------------------------------------------------------------------------------------


def test_of_very_many_time_stamps_and_elements_a_bounded_number_is_looked_at(world: World) -> None:
    """And it is told that there are more."""
    signed = Signed(world)
    signed.add("sigTst", {"tstTokens": [{"val": "AAAA"}] * 150})
    found = judged(world, signed.octets())
    assert len(found.timestamps) == 100
    assert "TIMESTAMP_LIMIT" in [one.code for one in found.findings]
    signed.elements = [element("xVals", [])] * 201
    assert "ETSIU_LIMIT" in [one.code for one in judged(world, signed.octets()).findings]


@pytest.mark.parametrize("half", [0xD800, 0xDFFF])
def test_half_a_character_in_a_text_ends_nothing(world: World, archived: Signed, half: int) -> None:
    """In an element before an archive time-stamp, and as the payload."""
    archived.elements.insert(0, chr(half))
    assert judged(world, archived.octets()).timestamps[-1].verdict is not Verdict.PASSED
    found = examine(Document("a.json", archived.octets(payload=chr(half))), trust=world.trust(), at=NOW)
    assert found.verdict is not Verdict.PASSED

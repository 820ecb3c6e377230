"""EU DSS on receipts in JSON (JAdES baseline B), from files and from a hardware module; broken ones are refused."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from archive_core.digests import Digest
from archive_core.findings import Verdict
from archive_core.ports import JsonSeal
from policies import current_algorithms
from signing.examination.values import Level, SignatureExamination
from signing.fetching import FetchedData, over_http
from signing.http_fetch import Allowed
from signing.json_seal_validation import JsonSealVerifier
from signing.jws import decoded, encoded
from signing.keys import load_key
from signing.pkcs11_key import Pkcs11Address, Pkcs11Key
from signing.seals import DeviceSealer, SoftwareSealer
from tests.fakes.seal_authority import SealAuthority
from tests.hsm import PIN, key, soft_hsm
from tests.interop.asked import Question, dss_says
from tests.interop.home import Home
from tests.unit.signing.examination.signing_world import NOW, World
from tests.unit.signing.examination.test_jades_examination import DATA, by_hash, by_uri, judged
from tests.world import SteppingClock

pytestmark = [pytest.mark.interop, pytest.mark.slow]


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def _spoiled(seal: JsonSeal) -> dict[str, bytes]:
    """Another payload, another time in the header, another value."""
    header = json.loads(decoded(seal.protected, "header"))
    older = encoded(json.dumps({**header, "iat": header["iat"] - 1}).encode())
    value = bytearray(decoded(seal.signature, "value"))
    value[5] ^= 1
    return {
        "payload": f"{seal.protected}.{encoded(b'{}')}.{seal.signature}".encode(),
        "header": f"{older}.{seal.payload}.{seal.signature}".encode(),
        "value": f"{seal.protected}.{seal.payload}.{encoded(bytes(value))}".encode(),
    }


def _asked(folder: Path, seals: dict[str, JsonSeal], anchors: dict[str, bytes]) -> None:
    questions = {}
    for name, seal in seals.items():
        (folder / f"{name}.pem").write_bytes(anchors[name])
        lists = []
        for number, der in enumerate(seal.validation_data.crls):
            lists.append(folder / f"{name}-{number}.crl")
            lists[-1].write_bytes(der)
        forms = {"compact": seal.compact(), "flattened": seal.flattened(), **_spoiled(seal)}
        for form, octets in forms.items():
            path = folder / f"{name}-{form}.json"
            path.write_bytes(octets)
            questions[f"{name} {form}"] = Question(path, cas=[folder / f"{name}.pem"], crls=lists)
    said = dss_says(questions)
    for name in seals:
        for form in ("compact", "flattened"):
            (told,) = said[f"{name} {form}"]["signatures"]
            assert (told["format"], told["intact"]) == ("JAdES-BASELINE-B", True), name
            assert told["indication"] == "TOTAL_PASSED", told
        for form in ("payload", "header", "value"):
            for told in said[f"{name} {form}"]["signatures"]:
                assert told["indication"] != "TOTAL_PASSED"
                assert not (told["intact"] and all(one["intact"] for one in told["references"])), (name, form)


def test_eu_dss_validates_the_receipt_of_a_home(tmp_path: Path) -> None:
    """What `receipt --format jws` gives out, in both forms; the receipt inside is the receipt."""
    home = Home(tmp_path)
    poid = home.deposit({"a.txt": b"hello"})
    home.preserve()
    receipt, seal, ca = home.receipts(poid)
    home.close()

    assert decoded(seal.payload, "payload") == receipt
    assert seal.test_trust
    _asked(tmp_path, {"home": seal}, {"home": ca})


def test_eu_dss_and_we_agree_on_a_time_stamp_in_a_jws(tmp_path: Path) -> None:
    """Over the text of the signature value: level T (DSS may find all that LT needs). Over its octets: broken."""
    world = World.made(tmp_path / "trust")
    key_ = load_key(world.local.seal_key_address, certificates=world.local.seal_certificate_file)
    sealer = SoftwareSealer(key_, test_trust=True, validation_source=world.local.seal_validation_data)
    seal = sealer.seal_json(b"{}", at=NOW)
    questions = {}
    for name, over in (("text", seal.signature.encode()), ("octets", decoded(seal.signature, "value"))):
        token = world.local.authority("local-tsa-1", SteppingClock(NOW)).timestamp(Digest.of("sha512", over)).der
        unsigned = [{"sigTst": {"tstTokens": [{"val": base64.b64encode(token).decode()}]}}]
        document = {**json.loads(seal.flattened()), "header": {"etsiU": unsigned}}
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
        questions[name] = Question(tmp_path / f"{name}.json")
    said = dss_says(questions)
    ours = {name: world.examined((tmp_path / f"{name}.json").read_bytes()).signatures[0] for name in questions}

    assert said["text"]["signatures"][0]["format"] in ("JAdES-BASELINE-T", "JAdES-BASELINE-LT")
    assert ours["text"].level is Level.T
    for name, fits in (("text", True), ("octets", False)):
        assert [one["imprint_intact"] for one in said[name]["timestamps"]] == [fits]
        assert [one.references_intact for one in ours[name].timestamps] == [fits]


@pytest.mark.parametrize("kind", ["rsa3072", "p384"])
def test_eu_dss_validates_seals_in_json_from_a_module(tmp_path: Path, kind: str) -> None:
    """RSASSA-PSS and ECDSA in SoftHSM2, with lists fetched over HTTP; our own judge says the same."""
    authority = SealAuthority(Clock().now)
    with soft_hsm(tmp_path / "hsm") as hsm, authority.listening():
        identity = authority.identity(key(kind))
        hsm.put(identity.key, "seal")
        certificates = (identity.der, *(one.public_bytes(serialization.Encoding.DER) for one in identity.chain))
        device = Pkcs11Key(Pkcs11Address.parse(hsm.address("seal")), lambda: PIN, certificates=certificates[:2])
        fetch = FetchedData(Allowed([authority.url]), over_http(5.0), Clock(), known=[certificates[-1]])
        sealer = DeviceSealer(device, source=lambda carrier, _at: fetch(carrier))
        at = Clock().now()
        seal = sealer.seal_json(b'{"format":"trusted-archive/receipt/1"}\n', at=at)

    verifier = JsonSealVerifier([certificates[-1]], algorithms=current_algorithms())
    content = decoded(seal.payload, "payload")
    assert (
        verifier.assess_json_seal(seal.compact(), content, at=at, data=seal.validation_data).verdict is Verdict.PASSED
    )
    for octets in _spoiled(seal).values():
        told = verifier.assess_json_seal(octets, content, at=at, data=seal.validation_data)
        assert told.verdict is Verdict.FAILED
    _asked(tmp_path, {kind: seal}, {kind: authority.anchor})


def test_eu_dss_and_we_agree_on_data_that_a_header_refers_to(tmp_path: Path) -> None:
    """`sigD` by name and by digest, with and without base64url; changed data, and data that are not there."""
    world = World.made(tmp_path / "trust")
    given = {"same": DATA, "changed": {**DATA, "a.txt": b"another"}, "missing": {"b c.txt": DATA["b c.txt"], "x": b"x"}}
    questions: dict[str, Question] = {}
    ours: dict[str, SignatureExamination] = {}
    for make in (by_uri, by_hash):
        for plain in (False, True):
            octets = make(world, plain=plain)
            for what, data in given.items():
                name = f"{make.__name__} {plain} {what}"
                folder = tmp_path / name.replace(" ", "-")
                folder.mkdir()
                (folder / "signature.json").write_bytes(octets)
                paths = [folder / called for called in data]
                for path in paths:
                    path.write_bytes(data[path.name])
                questions[name] = Question(folder / "signature.json", detached=paths)
                ours[name] = judged(world, octets, data)
    said = dss_says(questions)
    for name, found in ours.items():
        (told,) = said[name]["signatures"]
        theirs = (told["intact"], all(one["intact"] for one in told["references"]))
        good = name.endswith("same")
        assert theirs == (True, True) if good else theirs != (True, True), (name, told)
        assert (found.value_intact is True and all(one.intact for one in found.references)) is good, name
        assert (found.verdict is Verdict.PASSED) is good

"""The judges themselves: what they accept of the public vectors, and that each refuses what is broken."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha512
from pathlib import Path

import pytest
from asn1crypto import pem, tsp

from tests.interop import anatomy
from tests.interop.judges import (
    Job,
    Ruling,
    accepted,
    bc_judge,
    dss_judge,
    openssl_cms_verify,
    openssl_ts_verify,
    pyasn1_reencode,
    refused,
)
from tests.vectors import suite

pytestmark = [pytest.mark.interop, pytest.mark.slow]

Judge = Callable[[Sequence[Job]], dict[str, Ruling]]

BROKEN = ("er-asn1-chain-renewal-invalid.ers", "ER_NOK_INIT.ers")
"""Public records that are documented as invalid."""

NOT_BY_OUR_WALK = {
    "1_2_Renew_Unsorted.er": "not later than the stamp before it",  # three stamps of one second
}
NOT_BY_BOUNCYCASTLE = {
    "ER_OK_SEQ.ers": "timestamp hash does not match root",  # BouncyCastle folds a list of several siblings
}
NOT_BY_DSS = {
    "testRenewal.ers": "RSA with SHA1",  # its newest token has a signature that its policy no longer trusts
}


@dataclass(frozen=True)
class Public:
    """A public RFC 4998 record, with documents that it covers."""

    name: str
    record: bytes
    data: tuple[bytes, ...]

    def job(self, name: str | None = None, record: bytes | None = None) -> Job:
        """Trust the certificates that lie in the record: what is judged is all the rest."""
        trusted = {c for token in anatomy.tokens(self.record) for c in anatomy.certificates(token)}
        return Job(name or self.name, record or self.record, self.data, tuple(sorted(trusted)), part=True)


def _covered(name: str, data: list[str]) -> list[str]:
    """Upstream lists for one record the document that the covered time-stamp is over, beside that time-stamp."""
    return [path for path in data if path.endswith(".tsr")] if name == "er-asn1-on-tst.ers" else data


def _read(directory: Path) -> list[Public]:
    found = {}
    for case in json.loads((directory / "MANIFEST.json").read_text())["cases"]:
        for principal in case["principal"]:
            name = Path(principal).name
            data = _covered(name, case["data"])
            if not name.endswith((".er", ".ers")) or not data:
                continue
            # Where upstream gives several objects of one group, the first will do: the jobs say --part.
            data = data[:1] if name == "er-asn1-simple.ers" else data
            found[name] = Public(
                name, (directory / principal).read_bytes(), tuple((directory / p).read_bytes() for p in data)
            )
    return list(found.values())


@pytest.fixture(scope="module")
def public() -> dict[str, Public]:
    """Every stand-alone RFC 4998 record of EU DSS and BouncyCastle that comes with documents, by name."""
    records = {record.name: record for name in ("dss-ers", "bc-ers") for record in _read(suite(name))}
    assert len(records) >= 10
    return records


def _of(rulings: Mapping[str, Ruling], *, but: Mapping[str, str] | tuple[str, ...] = ()) -> list[Ruling]:
    return [ruling for name, ruling in rulings.items() if name not in BROKEN and name not in but]


def test_the_judge_on_bouncycastle_gives_the_documented_verdicts(public: dict[str, Public]) -> None:
    """Both BouncyCastle and the walk accept each valid public record, but for one exception each, and no broken one."""
    rulings = bc_judge([record.job() for record in public.values()])
    assert refused(_of(rulings, but={**NOT_BY_OUR_WALK, **NOT_BY_BOUNCYCASTLE})) == []
    for name in BROKEN:
        assert rulings[name].facts["walk"], name
        assert rulings[name].facts["bouncycastle"], name
    for name, reason in NOT_BY_OUR_WALK.items():
        assert reason in rulings[name].facts["walk"]
        assert rulings[name].facts["bouncycastle"] is None
    for name, reason in NOT_BY_BOUNCYCASTLE.items():
        assert reason in rulings[name].facts["bouncycastle"]
        assert rulings[name].facts["walk"] is None


def test_the_judge_on_dss_gives_the_documented_verdicts(public: dict[str, Public]) -> None:
    """DSS accepts each valid public record, but for one whose token has an outdated signature, and no broken one."""
    rulings = dss_judge([record.job() for record in public.values()])
    assert refused(_of(rulings, but=NOT_BY_DSS)) == []
    assert accepted(rulings[name] for name in BROKEN) == []
    for name, reason in NOT_BY_DSS.items():
        assert any(reason in error for stamp in rulings[name].facts["timestamps"] for error in stamp["errors"])


@pytest.mark.parametrize("judge", [bc_judge, dss_judge])
def test_a_judge_refuses_every_record_with_one_changed_bit(judge: Judge, public: dict[str, Public]) -> None:
    """One bit in any hash value, in any token's content or signature: refused, also deep inside renewed records."""
    renewed = public["er-asn1-full-renewal-tst-renewal.ers"]
    broken = anatomy.broken_records(renewed.record)
    assert len(broken) >= 12
    rulings = judge([renewed.job("whole"), *(renewed.job(name, record) for name, record in broken.items())])
    assert rulings.pop("whole").accepted
    assert accepted(rulings.values()) == []


@pytest.mark.parametrize("judge", [bc_judge, dss_judge])
def test_a_judge_refuses_a_part_where_the_whole_group_is_asked_for(judge: Judge, public: dict[str, Public]) -> None:
    """A record over three documents is not accepted as the record of one of them."""
    record = public["er-asn1-simple.ers"]
    part = record.job("part")
    whole = Job("whole", part.record, part.data, part.cas)
    rulings = judge([part, whole])
    assert rulings["part"].accepted
    assert not rulings["whole"].accepted


@pytest.mark.parametrize("judge", [bc_judge, dss_judge])
def test_a_judge_refuses_a_stranger(judge: Judge, public: dict[str, Public]) -> None:
    """Another document, another CA, a record cut short, no record at all: refused."""
    record, other = public["1_1_Renew_Unsorted.er"], public["er-asn1-simple.ers"]
    good = record.job("good")
    rulings = judge(
        [
            good,
            Job("another document", good.record, other.data, good.cas),
            Job("another CA", good.record, good.data, other.job().cas),
            Job("cut short", good.record[:-1], good.data, good.cas),
            Job("one octet more", good.record + b"\0", good.data, good.cas),
            Job("no record", b"\x30\x00", good.data, good.cas),
        ]
    )
    assert rulings.pop("good").accepted
    assert accepted(rulings.values()) == []


def test_pyasn1_encodes_every_public_record_again(public: dict[str, Public]) -> None:
    """The public records are DER; one bit in a tag, a length that is too long, or an octet more is noticed."""
    for record in public.values():
        assert pyasn1_reencode(record.record).accepted, record.name
    whole = public["er-asn1-simple.ers"].record
    assert not pyasn1_reencode(whole + b"\0").accepted
    assert not pyasn1_reencode(whole[:-1]).accepted
    assert not pyasn1_reencode(anatomy.flipped(whole, 0)).accepted
    assert whole[1] == 0x82
    longer_length = bytes([whole[0], 0x83, 0]) + whole[2:]
    assert not pyasn1_reencode(longer_length).accepted


def test_openssl_accepts_a_public_token_and_no_broken_one() -> None:
    """A public token over its data is accepted with its CA; other data, a changed token, another CA are not."""
    directory = suite("tsa-tokens") / "files" / "trailofbits+rfc3161-client" / "test" / "fixtures" / "sigstage"
    response = tsp.TimeStampResp.load((directory / "response-sha512.tsr").read_bytes())
    token = response["time_stamp_token"].dump()
    data = (suite("tsa-tokens") / "files" / "inline" / "hello.bin").read_bytes()
    ca = (directory / "ts_chain.pem").read_bytes()
    other_ca = pem.armor("CERTIFICATE", anatomy.certificates(_any_token())[0])
    signed = response["time_stamp_token"]["content"]
    broken = anatomy.flipped_within(token, signed["encap_content_info"]["content"].contents)

    assert openssl_ts_verify(token, data=data, ca_pem=ca).accepted
    assert openssl_ts_verify(token, imprint=sha512(data).digest(), ca_pem=ca).accepted
    assert not openssl_ts_verify(token, data=data + b"!", ca_pem=ca).accepted
    assert not openssl_ts_verify(token, imprint=sha512(b"").digest(), ca_pem=ca).accepted
    assert not openssl_ts_verify(broken, data=data, ca_pem=ca).accepted
    assert not openssl_ts_verify(token, data=data, ca_pem=other_ca).accepted

    assert openssl_cms_verify(token, ca_pem=ca).accepted
    assert not openssl_cms_verify(broken, ca_pem=ca).accepted
    assert not openssl_cms_verify(token, ca_pem=other_ca).accepted


def _any_token() -> bytes:
    return anatomy.tokens(next(r.record for r in _read(suite("dss-ers")) if r.name == "1_1_Renew_Unsorted.er"))[0]

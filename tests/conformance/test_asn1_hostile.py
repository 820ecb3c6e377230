"""Hostile and non-canonical BER through every parser of evidence: refused, or read, within bounds."""

from __future__ import annotations

import base64
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from archive_core.errors import MalformedEvidenceError
from archive_core.evidence import der
from archive_core.evidence.basis_ers import assess_basis_ers
from archive_core.evidence.loading import load_record
from archive_core.evidence.record import parse_record
from archive_core.evidence.token import parse_token
from archive_core.evidence.verification import DataObject, assess_record
from archive_core.findings import Report, SubIndication, Verdict
from policies import current_algorithms
from signing.timestamp_validation import TokenValidator
from tests.sampling import quick_first
from tests.unit.evidence.story import Story
from tests.vectors import available, suite

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECONDS, MEGABYTES = 5.0, 64
PARSERS: dict[str, Callable[[bytes], object]] = {
    "record": parse_record,
    "load": load_record,
    "token": parse_token,
    "walk": lambda data: der.check_walkable(der.read_only_element(data), depth=32, elements=100_000, minimal=True),
}


def hostile_files() -> list[Path]:
    directory = available("asn1-hostile")
    return sorted(path for path in (directory / "files").rglob("*") if path.is_file()) if directory else []


def within_bounds(action: Callable[[], object]) -> object:
    """What the action returns, or its refusal; fails unless it is over in time and, the second time, in little memory
    (tracing memory takes time itself). Any other exception passes through."""

    def outcome() -> object:
        try:
            return action()
        except MalformedEvidenceError as refusal:
            return refusal

    started = time.process_time()
    outcome()
    assert time.process_time() - started < SECONDS
    tracemalloc.start()
    try:
        result = outcome()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MEGABYTES * 1024 * 1024
    return result


def shapes(data: bytes) -> Iterator[bytes]:
    """The octets themselves, as a record would hold them in a token's place, and as base64."""
    yield data
    record = Story([b"a"]).stamp().record()
    yield record.raw.replace(record.initial.token, data)
    token = record.initial.token
    chain = der.wrap(der.SEQUENCE, record.chains[0].stamps[0].raw.removesuffix(token)[4:], data)
    yield record.raw[:20] + der.wrap(der.SEQUENCE, der.wrap(der.SEQUENCE, chain))
    yield base64.b64encode(data)


@pytest.mark.parametrize("path", hostile_files(), ids=lambda path: path.name)
def test_a_hostile_file_is_refused_or_read_within_bounds(path: Path) -> None:
    """No parser lets any other exception out, whatever place the octets stand in."""
    for data in shapes(path.read_bytes()):
        for parse in PARSERS.values():
            within_bounds(partial(parse, data))


@pytest.mark.parametrize("path", hostile_files(), ids=lambda path: path.name)
def test_a_hostile_file_gets_a_verdict(path: Path) -> None:
    """None of them is an evidence record, so all fail, and none raises, with the real token validator."""
    algorithms = current_algorithms()
    validator = TokenValidator([], algorithms=algorithms)
    data = [DataObject.of_bytes("a", b"a"), DataObject.of_file(path)]
    for record in shapes(path.read_bytes()):
        judge = partial(assess_record, record, data, validator=validator, algorithms=algorithms, at=AT)
        report = within_bounds(judge)
        assert isinstance(report, Report)
        assert (report.verdict, report.sub_indication) == (Verdict.FAILED, SubIndication.FORMAT_FAILURE)


def test_the_suite_was_looked_at() -> None:
    """Every file that the manifest names was tried."""
    assert len(hostile_files()) >= 37
    assert suite("asn1-hostile").is_dir()


def test_what_a_strict_decoder_must_refuse_is_refused() -> None:
    """Cases that the suite marks as errors of structure: our walk is DER, definite and bounded."""
    refused = {"tc2.ber", "tc3.ber", "tc42.ber", "tc43.ber"} & {path.name for path in hostile_files()}
    assert refused
    for path in hostile_files():
        if path.name in refused:
            with pytest.raises(MalformedEvidenceError):
                PARSERS["walk"](path.read_bytes())


# -- bombs of our own ---------------------------------------------------------------------------


def nested(depth: int, tag: int = der.SEQUENCE) -> bytes:
    data = b"\x05\x00"
    for _ in range(depth):
        data = der.wrap(tag, data)
    return data


def record_with(tree: bytes = b"", token: bytes | None = None, chains: int = 1, stamps: int = 1) -> bytes:
    """A record put together octet by octet."""
    stamp = Story([b"a"]).stamp().record().initial
    made = der.wrap(der.SEQUENCE, tree, stamp.token if token is None else token)
    algorithms = der.wrap(der.SEQUENCE, bytes.fromhex("300b0609608648016503040203"))
    sequence = der.wrap(der.SEQUENCE, der.wrap(der.SEQUENCE, made * stamps) * chains)
    return der.wrap(der.SEQUENCE, b"\x02\x01\x01", algorithms, sequence)


HASH = der.wrap(der.OCTET_STRING, bytes(64))
LIST = der.wrap(der.SEQUENCE, HASH)
TREE = der.context(2)
BOMBS: dict[str, bytes] = {
    "65 levels": record_with(der.wrap(TREE, LIST * 65)),
    "a million levels": record_with(der.wrap(TREE, LIST * 1_000_000)),
    "a list of a million hashes": record_with(der.wrap(TREE, der.wrap(der.SEQUENCE, b"\x04\x01\x00" * 1_000_000))),
    "an empty tree": record_with(der.wrap(TREE)),
    "an empty list": record_with(der.wrap(TREE, der.wrap(der.SEQUENCE))),
    "an empty hash": record_with(der.wrap(TREE, der.wrap(der.SEQUENCE, b"\x04\x00"))),
    "a hash of 65 octets": record_with(der.wrap(TREE, der.wrap(der.SEQUENCE, der.wrap(der.OCTET_STRING, bytes(65))))),
    "a constructed hash": record_with(der.wrap(TREE, der.wrap(der.SEQUENCE, der.wrap(0x24, HASH)))),
    "two million hashes in all": record_with(der.wrap(TREE, der.wrap(der.SEQUENCE, b"\x04\x01\x00" * 90_000) * 23)),
    "65 chains": record_with(chains=65),
    "280 stamps in 40 chains": record_with(chains=40, stamps=7),
    "257 stamps": record_with(stamps=257),
    "no chain": record_with(chains=0),
    "no stamp": record_with(stamps=0),
    "no token": record_with(token=b""),
    "a token nested 100,000 deep": record_with(token=nested(20_000)),
    "attributes nested deep": record_with(nested(5_000, der.context(1))),
    "a length of four gigabytes": b"\x30\x84\xff\xff\xff\xff" + bytes(100),
    "a length of 127 octets": b"\x30\xff" + bytes(127),
    "an indefinite length": b"\x30\x80" + record_with()[4:] + b"\0\0",
    "a length with a leading zero": b"\x30\x83\x00" + record_with()[2:],
    "something after the end": record_with() + b"\0",
    "a never-ending tag": b"\x3f" + b"\xff" * 10_000,
    "base64 without end": b"MII" * 1_000_001,
    "a wrapper without content": b"<evidenceRecord><asn1EvidenceRecord> </asn1EvidenceRecord></evidenceRecord>",
    "a wrapper of spaces": b"<evidenceRecord>" + b" " * 1_000_000,
    "an entity bomb": b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">]><evidenceRecord>&a;</evidenceRecord>',
    "many openings": b"<evidenceRecord " * 100_000,
}


@pytest.mark.parametrize("name", quick_first(sorted(BOMBS, key=lambda name: "million" in name), len(BOMBS) - 1))
def test_a_bomb_is_refused_quickly(name: str) -> None:
    """Every limit, just beyond it or far beyond it."""
    assert isinstance(within_bounds(partial(load_record, BOMBS[name])), MalformedEvidenceError)


def test_within_the_limits_it_is_read() -> None:
    """The bombs are refused for their limits, not for the way they are built."""
    assert Story([b"a"]).assess(record_with()).verdict is Verdict.PASSED
    assert len(parse_record(record_with(der.wrap(TREE, LIST * 64))).initial.reduced_hash_tree or ()) == 64
    assert len(parse_record(record_with(chains=64)).chains) == 64
    assert len(parse_record(record_with(stamps=256)).stamps) == 256
    large = parse_record(record_with(der.wrap(TREE, der.wrap(der.SEQUENCE, HASH * 100_000))))
    assert len(large.initial.first_list) == 100_000


def test_every_truncation_and_every_changed_octet_is_handled() -> None:
    """A whole small record: cut at every place, and each octet changed in two ways."""
    record = Story([b"a", b"b"]).stamp(others=2).der()
    for end in range(len(record)):
        with pytest.raises(MalformedEvidenceError):
            parse_record(record[:end])
    refused = 0
    for offset in range(len(record)):
        for change in (0x01, 0x80):
            data = record[:offset] + bytes([record[offset] ^ change]) + record[offset + 1 :]
            try:
                assess_basis_ers(parse_record(data))
            except MalformedEvidenceError:
                refused += 1
    assert refused > 100

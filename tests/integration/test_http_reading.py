"""Reading over HTTP: pages, versions, ranges, evidence, receipts, bundles, traces, verification jobs."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from archive_core.errors import FixityError
from archive_core.identifiers import parse_poid
from signing.jws import parse_jws
from tests.integration.http_world import OPERATOR, HttpWorld, Part, file, http_world
from tests.sampling import quick_first
from tests.unit.signing.examination.signing_world import plain_pdf

CONTENT = bytes(range(256)) * 20_000  # 5,120,000 bytes: more than one chunk


@pytest.fixture
def world(tmp_path: Path) -> Iterator[HttpWorld]:
    with http_world(tmp_path) as made:
        yield made


@pytest.fixture
def poid(world: HttpWorld) -> str:
    """An object of obec-a with a large, a small, an empty and an oddly named file."""
    answer = world.post(
        file("big.bin", CONTENT),
        file("small.txt", b"0123456789"),
        file("empty", b""),
        file("složka/100% „č“.txt", b"odd"),
        Part("metadata", b'{"title": "x"}'),
    )
    return str(answer.json["poid"])


def problem(answer: object) -> str:
    assert answer.mimetype == "application/problem+json"  # type: ignore[attr-defined]
    return str(answer.json["type"]).removeprefix("urn:trusted-archive:problem:")  # type: ignore[attr-defined]


def test_pages_hold_everything_once_and_in_deposit_order(world: HttpWorld) -> None:
    """Following `next` to its end gives every object of the organisation, and of no other."""
    made = [world.post(file("a", str(n).encode())).json["poid"] for n in range(7)]
    world.post(file("a", b"x"), who=world.key("depositor", "obec-b"))
    found, cursor, pages = [], "", 0
    while True:
        page = world.get(f"/v1/preservation-objects?limit=3{cursor}").json
        found += [entry["poid"] for entry in page["objects"]]
        pages += 1
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"

    assert made == found
    assert pages == 3


def test_a_last_page_that_is_full_has_no_next(world: HttpWorld) -> None:
    """`next` means that there is more, not that there might be."""
    world.post(file("a", b"x"))

    assert world.get("/v1/preservation-objects?limit=1").json["next"] is None


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=-1", "limit=ten", "limit=1&limit=2", "cursor=x", "after=x", "limit=1e3"]
)
def test_a_page_that_makes_no_sense_is_refused(world: HttpWorld, query: str) -> None:
    """No parameter is guessed at."""
    answer = world.get(f"/v1/preservation-objects?{query}")

    assert answer.status_code == 400


def test_a_version_is_shown_with_its_files(world: HttpWorld, poid: str) -> None:
    """Paths, sizes and digests are those of the deposit; hyphens and capitals in a POID are the same."""
    shown = world.get(f"/v1/preservation-objects/{poid}").json
    big = next(entry for entry in shown["files"] if entry["path"] == "big.bin")

    assert (len(CONTENT), hashlib.sha512(CONTENT).hexdigest()) == (big["size"], big["sha512"])
    assert shown["versions"] == [1]
    assert poid == parse_poid(poid.upper())
    assert shown == world.get(f"/v1/preservation-objects/{poid.upper()}").json


@pytest.mark.parametrize("version", ["0", "-1", "x", "1.0", "99999999999", ""])
def test_a_version_that_is_no_number_is_refused(world: HttpWorld, poid: str, version: str) -> None:
    """400, not 404: the question itself is wrong."""
    assert world.get(f"/v1/preservation-objects/{poid}?version={version}").status_code == 400


@pytest.mark.parametrize(
    "address",
    [
        "?version=2",
        "/files/nothing",
        "/files/small.txt/",
        "/files//small.txt",
        "/files/../small.txt",
        "/files/small.txt%00",
        "/files/data",
        "/files/%ff",
        "/files/inventory.json",
        "/files/small.txt?version=2",
        "/evidence?version=2",
        "/receipt?version=2",
        "/bundle?version=2",
    ],
)
def test_what_does_not_exist_is_not_found(world: HttpWorld, poid: str, address: str) -> None:
    """Nothing near a file is mistaken for it."""
    answer = world.get(f"/v1/preservation-objects/{poid}{address}")

    assert answer.status_code == 404
    assert problem(answer) in ("unknown-object", "no-such-address")


def test_another_organisations_object_is_indistinguishable_from_none(world: HttpWorld, poid: str) -> None:
    """Every address under it answers a stranger exactly as for a POID that was never given."""
    world.preserve()
    absent = poid[:-12] + "0" * 12
    for role in ("depositor", "auditor", "operator"):
        stranger = world.key(role, "obec-b")
        for address in ("", "?version=1", "/files/small.txt", "/evidence", "/receipt", "/bundle", "/trace"):
            theirs, none = (
                world.get(f"/v1/preservation-objects/{which}{address}", stranger) for which in (poid, absent)
            )

            assert theirs.status_code in ((404, 403) if address == "/trace" and role == "depositor" else (404,))
            assert (theirs.status_code, theirs.data) == (none.status_code, none.data)
            assert _comparable(dict(theirs.headers)) == _comparable(dict(none.headers))
    assert world.get("/v1/preservation-objects", world.key("auditor", "obec-b")).json["objects"] == []


def _comparable(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in ("X-Request-Id", "Date")}


def test_a_denied_look_is_an_event(world: HttpWorld, poid: str) -> None:
    """Somebody who tries another organisation's object leaves a trace, as with an absent one."""
    world.get(f"/v1/preservation-objects/{poid}", world.key("auditor", "obec-b"))
    world.get(f"/v1/preservation-objects/{poid}/trace", world.key("depositor"))

    assert {"unknown-object", "not-permitted"} <= {code for _, code in world.refusals()}


def test_a_file_says_what_it_is(world: HttpWorld, poid: str) -> None:
    """Digests, entity tag, name; and a browser must not interpret it."""
    answer = world.get(f"/v1/preservation-objects/{poid}/files/small.txt")
    digest = base64.b64encode(hashlib.sha512(b"0123456789").digest()).decode()

    assert answer.data == b"0123456789"
    assert answer.headers["Content-Digest"] == answer.headers["Repr-Digest"] == f"sha-512=:{digest}:"
    assert answer.headers["ETag"] == f'"{hashlib.sha512(b"0123456789").hexdigest()}"'
    assert answer.headers["Content-Length"] == "10"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="small.txt"')


def test_an_odd_name_is_a_safe_header(world: HttpWorld, poid: str) -> None:
    """Any name can be downloaded under itself (RFC 8187)."""
    answer = world.get(f"/v1/preservation-objects/{poid}/files/složka/100%25 „č“.txt")

    assert answer.data == b"odd"
    assert "filename*=UTF-8''100%25%20%E2%80%9E%C4%8D%E2%80%9C.txt" in answer.headers["Content-Disposition"]


def test_metadata_come_back_verbatim(world: HttpWorld, poid: str) -> None:
    """Not a byte of the metadata is rewritten."""
    assert world.get(f"/v1/preservation-objects/{poid}/files/metadata.json").data == b'{"title": "x"}'


def test_an_empty_file_is_a_file(world: HttpWorld, poid: str) -> None:
    """200 and nothing in it; a range of nothing is not satisfiable."""
    address = f"/v1/preservation-objects/{poid}/files/empty"

    assert (world.get(address).status_code, world.get(address).data) == (200, b"")
    assert world.get(address, Range="bytes=0-").status_code == 416


@pytest.mark.parametrize(
    ("given_range", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=2-5", 2, 6),
        ("bytes=5-", 5, 10),
        ("bytes=-3", 7, 10),
        ("bytes=-30", 0, 10),
        ("bytes=9-100", 9, 10),
    ],
)
def test_a_range_is_those_bytes(world: HttpWorld, poid: str, given_range: str, start: int, stop: int) -> None:
    """206 with Content-Range, and the digest of the whole."""
    answer = world.get(f"/v1/preservation-objects/{poid}/files/small.txt", Range=given_range)

    assert answer.status_code == 206
    assert answer.data == b"0123456789"[start:stop]
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/10"
    assert "Repr-Digest" in answer.headers
    assert "Content-Digest" not in answer.headers


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(0, len(CONTENT) - 1), length=st.integers(1, len(CONTENT)))
def test_any_range_of_a_large_file_is_those_bytes(world: HttpWorld, poid: str, start: int, length: int) -> None:
    """Across chunk borders too."""
    answer = world.get(f"/v1/preservation-objects/{poid}/files/big.bin", Range=f"bytes={start}-{start + length - 1}")

    assert answer.status_code == 206
    assert answer.data == CONTENT[start : start + length]


@pytest.mark.parametrize("given_range", ["bytes=10-", "bytes=10-20", "bytes=99999999999999999999-"])
def test_a_range_beyond_the_end_is_not_satisfiable(world: HttpWorld, poid: str, given_range: str) -> None:
    """416 says how long the file is (RFC 9110 15.5.17)."""
    answer = world.get(f"/v1/preservation-objects/{poid}/files/small.txt", Range=given_range)

    assert (answer.status_code, problem(answer)) == (416, "range-not-satisfiable")
    assert answer.headers["Content-Range"] == "bytes */10"


@pytest.mark.parametrize(
    "given_range",
    quick_first(["bytes=0-1,3-4", "bytes=4-2", "bytes=a-b", "lines=0-1", "bytes", "bytes=-0", "bytes=--1", ""], 3),
)
def test_a_range_that_is_not_served_gives_the_whole(world: HttpWorld, poid: str, given_range: str) -> None:
    """Several ranges, another unit and nonsense are ignored (RFC 9110 14.2)."""
    answer = world.get(f"/v1/preservation-objects/{poid}/files/small.txt", Range=given_range)

    assert (answer.status_code, answer.data) == (200, b"0123456789")


def test_a_changed_file_is_sent_whole_to_who_resumes(world: HttpWorld, poid: str) -> None:
    """If-Range: the same tag gives the rest, any other or weak one the whole."""
    address = f"/v1/preservation-objects/{poid}/files/small.txt"
    etag = world.get(address).headers["ETag"]

    assert world.get(address, Range="bytes=5-", If_Range=etag).status_code == 206
    for other in ('"other"', f"W/{etag}", "Mon, 23 Nov 2026 05:00:00 GMT", "rubbish"):
        assert world.get(address, Range="bytes=5-", If_Range=other).status_code == 200


def test_who_has_it_already_is_told_so(world: HttpWorld, poid: str) -> None:
    """If-None-Match gives 304 without a body; If-Match with another tag gives 412."""
    address = f"/v1/preservation-objects/{poid}/files/small.txt"
    etag = world.get(address).headers["ETag"]
    known = world.get(address, If_None_Match=etag)

    assert (known.status_code, known.data, known.headers["ETag"]) == (304, b"", etag)
    assert world.get(address, If_None_Match='"other"').status_code == 200
    assert world.get(address, If_Match=etag).status_code == 200
    assert world.get(address, If_Match='"other"').status_code == 412


def test_head_gives_the_headers_only(world: HttpWorld, poid: str) -> None:
    """HEAD answers as GET without the body, and is no dissemination."""
    address = f"/v1/preservation-objects/{poid}/files/big.bin"
    answer = world.client.head(address, headers=world.key("depositor"))

    assert (200, b"", str(len(CONTENT))) == (answer.status_code, answer.data, answer.headers["Content-Length"])
    events = world.get(f"/v1/preservation-objects/{poid}/trace", world.key("auditor")).json["events"]
    assert "dissemination" not in [event["type"] for event in events]


def damage(world: HttpWorld, *stores: str, name: str = "small.txt") -> None:
    """Change one byte of a file in these stores."""
    for store in stores:
        [path] = (world.home / "stores" / store).rglob(f"data/{name}")
        path.chmod(0o644)
        path.write_bytes(b"X" + path.read_bytes()[1:])


def test_damage_of_one_copy_is_not_seen_by_the_reader(world: HttpWorld, poid: str) -> None:
    """The other copy is served; a header tells, and the trace. A sound file has no such header."""
    address = f"/v1/preservation-objects/{poid}/files/small.txt"
    assert "Copies-Damaged" not in world.get(address).headers
    damage(world, "one")
    answer = world.get(address)

    assert answer.data == b"0123456789"
    assert answer.headers["Copies-Damaged"] == "one"
    ranged = world.get(address, Range="bytes=2-3")
    assert (ranged.data, ranged.headers["Copies-Damaged"]) == (b"23", "one")


def test_damage_of_every_copy_is_an_error_and_never_wrong_bytes(world: HttpWorld, poid: str) -> None:
    """500 with a precise problem before any byte was sent."""
    damage(world, "one", "two")
    answer = world.get(f"/v1/preservation-objects/{poid}/files/small.txt")

    assert (answer.status_code, problem(answer)) == (500, "fixity")


def test_evidence_is_pending_until_it_is_there(world: HttpWorld, poid: str) -> None:
    """404 evidence-pending with Retry-After, then the record; both are no refusal."""
    for address in ("/evidence", "/receipt", "/bundle"):
        answer = world.get(f"/v1/preservation-objects/{poid}{address}")
        assert (answer.status_code, problem(answer)) == (404, "evidence-pending")
        assert answer.headers["Retry-After"] == "5"
        assert (
            world.client.head(f"/v1/preservation-objects/{poid}{address}", headers=world.key("depositor")).status_code
            == 404
        )
    world.preserve()
    record = world.get(f"/v1/preservation-objects/{poid}/evidence")

    assert record.status_code == 200
    assert record.data[0] == 0x30
    assert record.headers["Test-Trust"] == "true"
    assert record.headers["Content-Disposition"].startswith(f'attachment; filename="{poid}-')
    assert world.refusals() == []


def test_every_line_has_its_record(world: HttpWorld) -> None:
    """Under a redundant profile, Link leads to the other record; an unknown line is not found."""
    poid = world.post(file("a", b"x"), Part("profile", b"redundant-1")).json["poid"]
    world.preserve()
    address = f"/v1/preservation-objects/{poid}/evidence"
    first = world.get(address)
    other = first.headers["Link"].partition(">")[0].removeprefix("<")
    second = world.get(other)

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.headers["Evidence-Line"] != second.headers["Evidence-Line"]
    assert first.data != second.data
    assert world.get(f"{address}?line=none").status_code == 404


def test_a_receipt_is_the_archives_own_document(world: HttpWorld, poid: str) -> None:
    """Byte for byte what the archive makes."""
    world.preserve()
    answer = world.get(f"/v1/preservation-objects/{poid}/receipt")

    assert answer.data == world.archive.receipt(poid, actor=OPERATOR)
    assert (poid, 1, True) == tuple(answer.json[name] for name in ("poid", "version", "test_trust"))


def test_a_receipt_is_a_json_web_signature_where_that_is_asked_for(world: HttpWorld, poid: str) -> None:
    """By its media type, compact or flattened; inside is the receipt. Otherwise it is the receipt itself."""
    address = f"/v1/preservation-objects/{poid}/receipt"
    assert problem(world.get(address, Accept="application/jose")) == "evidence-pending"
    world.preserve()
    plain = world.get(address)
    compact = world.get(address, Accept="application/jose")
    flattened = world.get(address, Accept="application/jose+json, text/html;q=0.5")

    assert (plain.mimetype, compact.mimetype) == ("application/json", "application/jose")
    assert flattened.mimetype == "application/jose+json"
    assert compact.headers["Vary"] == "Accept"
    for octets in (compact.data, flattened.data):
        (jws,) = parse_jws(octets)
        assert jws.content() == plain.data
    other = world.key("depositor", "obec-b")
    assert world.get(address, Accept="application/jose", who=other).status_code == 404


@pytest.mark.slow
def test_a_sealed_copy_is_asked_for_by_post(world: HttpWorld) -> None:
    """It begins with the document; what cannot be sealed, and what is asked for wrongly, is refused."""
    source = plain_pdf()
    poid = str(world.post(file("a.pdf", source), file("b.txt", b"text")).json["poid"])
    address = f"/v1/preservation-objects/{poid}/sealed-copies"
    who = world.key("depositor")

    def ask(body: object, who: dict[str, str] = who) -> TestResponse:
        return world.client.post(address, json=body, headers=who)

    copy = ask({"path": "a.pdf", "visible": "en"})
    assert (copy.status_code, copy.mimetype) == (200, "application/pdf"), copy.data
    assert copy.data.startswith(source)
    assert copy.headers["Test-Trust"] == "true"
    assert len(copy.data) == copy.content_length
    assert problem(ask({"path": "b.txt"})) == "not-sealable"
    assert problem(ask({"path": "none.pdf"})) == "unknown-object"
    for wrong in ({}, {"path": ""}, {"path": 1}, {"path": "a.pdf", "visible": "de"}, {"path": "a.pdf", "version": 0}):
        assert problem(ask(wrong)) == "usage"
    assert ask({"path": "a.pdf", "other": 1}).status_code == 400
    assert ask({"path": "a.pdf"}, world.key("depositor", "obec-b")).status_code == 404
    assert not list((world.home / "staging").rglob("*.pdf"))


def test_a_bundle_is_a_zip_with_the_documents(world: HttpWorld, poid: str) -> None:
    """Streamed, complete, labelled as test trust."""
    world.preserve()
    answer = world.get(f"/v1/preservation-objects/{poid}/bundle")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as bundle:
        assert bundle.testzip() is None
        assert bundle.read("data/big.bin") == CONTENT
    assert answer.headers["Test-Trust"] == "true"
    assert answer.headers["Content-Type"] == "application/zip"


def test_a_bundle_is_an_asic_container_where_that_is_asked_for(world: HttpWorld, poid: str) -> None:
    """With its own media type; another format is refused, and nothing is given out before there is evidence."""
    address = f"/v1/preservation-objects/{poid}/bundle?format="
    assert problem(world.get(f"{address}asic-e")) == "evidence-pending"
    world.archive.preserve(actor=OPERATOR)
    answer = world.get(f"{address}asic-e")
    assert answer.mimetype == "application/vnd.etsi.asic-e+zip"
    assert answer.headers["Test-Trust"] == "true"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as container:
        assert container.testzip() is None
        assert container.namelist()[0] == "mimetype"
        assert container.read("data/big.bin") == CONTENT
    assert problem(world.get(f"{address}asic-s")) == "usage"
    assert world.get(f"{address}asic-e", who=world.key("depositor", "obec-b")).status_code == 404


def test_a_bundle_of_damaged_documents_is_never_complete(world: HttpWorld, poid: str) -> None:
    """Damage on every copy is a problem, or a stream that breaks off; never a whole ZIP."""
    world.preserve()
    damage(world, "one", "two")
    with pytest.raises(FixityError):  # the test client hands the broken stream through
        _ = world.get(f"/v1/preservation-objects/{poid}/bundle").data

    assert world.get(f"/v1/preservation-objects/{poid}").status_code == 200


def test_a_trace_tells_the_deposit_and_who_read(world: HttpWorld, poid: str) -> None:
    """Events in order, for auditors."""
    world.get(f"/v1/preservation-objects/{poid}/files/small.txt")
    events = world.get(f"/v1/preservation-objects/{poid}/trace", world.key("auditor")).json["events"]

    assert events[0]["type"] == "ingestion"
    assert "dissemination" in [event["type"] for event in events]


def test_a_verification_is_a_job_with_a_result(world: HttpWorld, poid: str) -> None:
    """202 at once, progress while it waits, verdicts when it is done."""
    world.preserve()
    auditor = world.key("auditor")
    asked = world.client.post("/v1/verifications", json={"poids": [poid]}, headers=auditor)
    location = asked.headers["Location"]

    assert asked.status_code == 202
    assert (asked.json["state"], asked.json["result"], asked.json["poids"]) == ("waiting", None, [poid])
    assert world.get(location, auditor).json["state"] == "waiting"

    world.archive.run_jobs()
    done = world.get(location, auditor).json

    assert done["state"] == "done"
    assert done["progress"]["done"] == 1
    assert done["result"]["verdicts"] == {"PASSED": 1, "FAILED": 0, "INDETERMINATE": 0}
    assert done["result"]["not_passed"] == []


def test_a_verification_of_everything_names_the_damaged(world: HttpWorld, poid: str) -> None:
    """All that the key may see; what does not pass is named."""
    good = world.post(file("good.txt", b"good")).json["poid"]
    world.preserve()
    damage(world, "one", "two")
    auditor = world.key("auditor")
    location = world.client.post("/v1/verifications", json={"all": True}, headers=auditor).headers["Location"]
    world.archive.run_jobs()
    result = world.get(location, auditor).json["result"]

    assert result["verdicts"]["PASSED"] == 1
    assert [entry["poid"] for entry in result["not_passed"]] == [poid]
    assert good != poid


def test_a_job_belongs_to_who_asked(world: HttpWorld, poid: str) -> None:
    """Another organisation's auditor finds nothing, and cannot ask about foreign objects."""
    auditor, stranger = world.key("auditor"), world.key("auditor", "obec-b")
    location = world.client.post("/v1/verifications", json={"poids": [poid]}, headers=auditor).headers["Location"]

    assert world.get(location, stranger).status_code == 404
    assert world.get("/v1/verifications/nonsense", auditor).status_code == 404
    assert world.client.post("/v1/verifications", json={"poids": [poid]}, headers=stranger).status_code == 404


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{}", "application/json", 400),
        (b'{"all": false}', "application/json", 400),
        (b'{"all": 1}', "application/json", 400),
        (b'{"poids": []}', "application/json", 400),
        (b'{"poids": "x"}', "application/json", 400),
        (b'{"poids": [1]}', "application/json", 400),
        (b'{"poids": null}', "application/json", 400),
        (b'{"poids": ["x"], "all": true}', "application/json", 400),
        (b'{"all": true, "all": true}', "application/json", 400),
        (b'{"everything": true}', "application/json", 400),
        (b'{"poids": ["x"]}', "application/json", 404),
        (b'{"all": true}', "text/plain", 415),
        (b'{"all": true' + b" " * 1_100_000 + b"}", "application/json", 413),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "application/json", 400),
    ],
)
def test_a_verification_that_makes_no_sense_is_refused(
    world: HttpWorld, body: bytes, content_type: str, status: int
) -> None:
    """Each malformed request is told so; none becomes a job."""
    headers = {**world.key("auditor"), "Content-Type": content_type}
    answer = world.client.post("/v1/verifications", data=body, headers=headers)

    assert status == answer.status_code
    assert answer.mimetype == "application/problem+json"
    assert list(world.archive.catalogue.jobs()) == []


def test_profiles_and_status_are_shown(world: HttpWorld) -> None:
    """What is promised, to everybody with a key; how it goes, to operators."""
    profiles = world.get("/v1/profiles").json["profiles"]
    status = world.get("/v1/status", world.key("operator"))

    assert {"basic-1", "redundant-1"} <= {profile["id"] for profile in profiles}
    assert status.json["test_trust"] is True
    assert status.json["warnings"]


@pytest.mark.slow
def test_what_was_destroyed_is_gone_over_http(world: HttpWorld, poid: str) -> None:
    """410 with its reason for whatever was in it; shown, listed and traced as destroyed; its evidence is given."""
    world.preserve()
    world.archive.destroy(poid, reason="disposal 2026/17", actor=OPERATOR)
    reader = world.key("auditor")
    for path in ("files/small.txt", "receipt", "bundle"):
        answer = world.client.get(f"/v1/preservation-objects/{poid}/{path}", headers=reader)
        assert (answer.status_code, path) == (410, path)
        assert answer.json["type"] == "urn:trusted-archive:problem:object-destroyed"
    shown = world.client.get(f"/v1/preservation-objects/{poid}", headers=reader)
    assert shown.status_code == 200
    assert shown.json["status"] == "destroyed"
    assert shown.json["destroyed"]["reason"] == "disposal 2026/17"
    listed = world.client.get("/v1/preservation-objects", headers=reader)
    assert [one["status"] for one in listed.json["objects"]] == ["destroyed"]
    assert world.client.get(f"/v1/preservation-objects/{poid}/evidence", headers=reader).status_code == 200
    assert world.client.get(f"/v1/preservation-objects/{poid}/trace", headers=reader).status_code == 200
    elsewhere = world.client.get(f"/v1/preservation-objects/{poid}", headers=world.key("auditor", "obec-b"))
    assert elsewhere.status_code == 404

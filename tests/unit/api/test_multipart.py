"""Multipart bodies: what is taken, what is refused, and that memory stays bounded."""

from __future__ import annotations

import base64
import hashlib
import io
import tracemalloc

import pytest
from gunicorn.http.errors import InvalidChunkSize
from hypothesis import given
from hypothesis import strategies as st

from api.multipart import BLOCK, BodyReader, PartData, PartStart, boundary_of, read_parts
from api.refusals import MalformedUploadError, StalledUploadError, UnsupportedMediaTypeError
from archive_core.errors import ArchiveError, DigestMismatchError, SizeLimitError, TruncatedSubmissionError

BOUNDARY = b"x-y-z"


def parts_of(body: bytes, *, limit: int = 1 << 30, announced: int | None = None) -> list[tuple[PartStart, bytes]]:
    found: list[tuple[PartStart, bytes]] = []
    for part in read_parts(BodyReader(io.BytesIO(body), limit=limit, announced=announced), BOUNDARY):
        if isinstance(part, PartStart):
            found.append((part, b""))
        else:
            found[-1] = (found[-1][0], found[-1][1] + part.data)
    return found


def one(header: str, content: bytes = b"abc") -> bytes:
    return b"--x-y-z\r\n" + header.encode("utf-8") + b"\r\n\r\n" + content + b"\r\n--x-y-z--\r\n"


DISPOSITION = 'Content-Disposition: form-data; name="file"; filename="a"'


@given(content=st.binary(max_size=3 * BLOCK), block=st.integers(1, 200))
def test_content_comes_out_as_it_went_in(content: bytes, block: int) -> None:
    """Whatever the bytes and however they are cut, a part's content is unchanged."""
    if b"--x-y-z" in content:
        return
    body = io.BytesIO(one(DISPOSITION, content))

    class Drip:
        def read(self, size: int, /) -> bytes:
            return body.read(min(size, block * 997))

    data = b"".join(p.data for p in read_parts(BodyReader(Drip(), limit=1 << 30), BOUNDARY) if isinstance(p, PartData))

    assert content == data


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ('filename="složka/č 1.txt"', "složka/č 1.txt"),
        ('filename="a%22b.txt"', "a%22b.txt"),
        (r'filename="a\"b.txt"', 'a"b.txt'),
        (r'filename="C:\docs\a.txt"', r"C:\docs\a.txt"),
        ("filename*=UTF-8''slo%C5%BEka/a.txt", "složka/a.txt"),
        ("filename=plain.txt", "plain.txt"),
        ('filename=""', ""),
        ('filename="../../etc/passwd"', "../../etc/passwd"),
    ],
)
def test_names_are_taken_as_they_stand(written: str, name: str) -> None:
    """No name is decoded, stripped or mended: what may be kept is decided later, on the true name."""
    [(start, _)] = parts_of(one(f'Content-Disposition: form-data; name="file"; {written}'))

    assert name == start.filename


@pytest.mark.parametrize(
    "header",
    [
        "Content-Type: text/plain",
        'Content-Disposition: attachment; name="file"',
        'Content-Disposition: form-data; filename="a"',
        'Content-Disposition: form-data; name="file"; name="other"',
        'Content-Disposition: form-data; name="file"; filename="a" rubbish',
        'Content-Disposition: form-data; name="file"; filename="a',
        "Content-Disposition: form-data; name=\"file\"; filename*=ISO-8859-2''a",
        "Content-Disposition: form-data; name=\"file\"; filename*=UTF-8''%FF",
        f"{DISPOSITION}\r\n{DISPOSITION}",
        f"{DISPOSITION}\r\nX-Long: {'a' * 20000}",
    ],
)
def test_a_part_header_that_is_not_plain_is_refused(header: str) -> None:
    """An unreadable, doubled, unfinished or overlong part header stops the upload."""
    with pytest.raises(MalformedUploadError):
        parts_of(one(header))


def test_a_part_header_that_never_ends_is_refused_in_bounded_memory() -> None:
    """A header of 64 MiB is refused after the first blocks."""
    body = b"--x-y-z\r\nX-Long: " + b"a" * (64 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(MalformedUploadError):
            parts_of(body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 2 << 20


@pytest.mark.parametrize("header", ["Content-Encoding: gzip", "Content-Transfer-Encoding: base64"])
def test_a_coded_part_is_refused(header: str) -> None:
    """Bytes to be kept must be the bytes that came."""
    with pytest.raises(UnsupportedMediaTypeError):
        parts_of(one(f"{DISPOSITION}\r\n{header}"))


def test_every_cut_of_a_body_is_truncated() -> None:
    """A body that ends anywhere before its closing delimiter is refused."""
    whole = one(DISPOSITION, b"some content")
    closing = whole.rindex(b"--x-y-z--") + len(b"--x-y-z--")
    for length in range(closing):
        with pytest.raises(TruncatedSubmissionError):
            parts_of(whole[:length])


def test_a_body_shorter_than_announced_is_truncated() -> None:
    """Content-Length is checked, also when the multipart itself seems complete."""
    whole = one(DISPOSITION)
    with pytest.raises(TruncatedSubmissionError):
        parts_of(whole, announced=len(whole) + 1)


def test_a_body_longer_than_its_limit_is_refused_before_and_while_it_is_read() -> None:
    """An announced excess is refused unread; an unannounced one as soon as it is passed."""
    with pytest.raises(SizeLimitError):
        BodyReader(io.BytesIO(), limit=10, announced=11)

    stream = io.BytesIO(one(DISPOSITION, b"x" * (8 << 20)))
    with pytest.raises(SizeLimitError):
        list(read_parts(BodyReader(stream, limit=100_000), BOUNDARY))

    assert stream.tell() <= 100_000 + BLOCK


def test_bytes_after_the_last_part_are_bounded() -> None:
    """An endless epilogue is refused."""
    with pytest.raises(MalformedUploadError):
        parts_of(one(DISPOSITION) + b"e" * (4 * BLOCK))


@pytest.mark.parametrize(
    ("failure", "refusal"),
    [
        (TimeoutError(), StalledUploadError),
        (InvalidChunkSize(b"zz"), MalformedUploadError),
        (ConnectionResetError(), TruncatedSubmissionError),
    ],
)
def test_a_failing_connection_is_told_precisely(failure: Exception, refusal: type[ArchiveError]) -> None:
    """Stalled, broken coding and lost connection are three different refusals."""

    class Failing:
        def read(self, size: int, /) -> bytes:
            raise failure

    with pytest.raises(refusal):
        list(read_parts(BodyReader(Failing(), limit=100), BOUNDARY))


def test_a_wrong_digest_of_the_body_is_refused() -> None:
    """A claimed Content-Digest of the whole body is compared at its end."""
    body = one(DISPOSITION)
    right = hashlib.sha256(body).hexdigest()
    list(read_parts(BodyReader(io.BytesIO(body), limit=10_000, claims={"sha256": right}), BOUNDARY))

    with pytest.raises(DigestMismatchError):
        list(read_parts(BodyReader(io.BytesIO(body), limit=10_000, claims={"sha256": "0" * 64}), BOUNDARY))


def test_claims_of_a_part_come_with_its_start() -> None:
    """Content-Digest and Repr-Digest of a part are read together."""
    value = base64.b64encode(hashlib.sha512(b"abc").digest()).decode()
    [(start, _)] = parts_of(one(f"{DISPOSITION}\r\nContent-Digest: sha-512=:{value}:"))

    assert {"sha512": hashlib.sha512(b"abc").hexdigest()} == start.claims


@pytest.mark.parametrize(
    ("content_type", "refusal"),
    [
        (None, UnsupportedMediaTypeError),
        ("application/json", UnsupportedMediaTypeError),
        ("multipart/form-data", MalformedUploadError),
        ("multipart/form-data; boundary=" + "a" * 71, MalformedUploadError),
        ('multipart/form-data; boundary="a\nb"', MalformedUploadError),
        ('multipart/form-data; boundary="č"', MalformedUploadError),
        ("multipart/form-data; boundary=a; boundary=b", MalformedUploadError),
    ],
)
def test_a_media_type_without_a_usable_boundary_is_refused(
    content_type: str | None, refusal: type[ArchiveError]
) -> None:
    """RFC 2046 5.1.1 bounds what a boundary may be."""
    with pytest.raises(refusal):
        boundary_of(content_type)


@given(st.binary(max_size=2000))
def test_no_body_makes_anything_but_a_refusal(body: bytes) -> None:
    """Any bytes are parts or an error of ours."""
    try:
        parts_of(b"--x-y-z\r\n" + body)
    except ArchiveError as error:
        refused = error.http_status
    else:
        refused = 400

    assert refused in (400, 413, 415)


class Cut:
    """A body that comes in two blocks."""

    def __init__(self, body: bytes, at: int) -> None:
        self._blocks = [block for block in (body[:at], body[at:]) if block]

    def read(self, size: int, /) -> bytes:
        return self._blocks.pop(0) if self._blocks else b""


LIKE_DELIMITERS = [
    b"line\n",
    b"line\r",
    b"line\r\n",
    b"\n",
    b"\r\n\r\n",
    b"",
    b"\r\n--x-y-",
    b"\r\n--x-y-z.\r\n",
    b"\r\n--x-y-z-\r\n",
    b"\r\n--x-y-z \tx",
    b"\n--x-y-z\n",
    b"\r--x-y-z--\r",
    b"--x-y-z\r\n",
]


@pytest.mark.parametrize("content", LIKE_DELIMITERS)
def test_a_document_is_the_same_wherever_its_upload_is_cut(content: bytes) -> None:
    """Line ends before a delimiter, and lines that only look like one, are content at every cut."""
    body = one(DISPOSITION, content) + b"ignored"
    for at in range(len(body) + 1):
        parts = list(read_parts(BodyReader(Cut(body, at), limit=10_000), BOUNDARY))
        data = [part for part in parts if isinstance(part, PartData)]

        assert content == b"".join(part.data for part in data), at
        assert [part.last for part in data] == [False] * (len(data) - 1) + [True], at


@pytest.mark.parametrize(
    "body",
    [
        b"before\r\n" + one(DISPOSITION),
        one(DISPOSITION).replace(b"--x-y-z\r\n", b"--x-y-z  \t\r\n"),
        one(DISPOSITION).replace(b"; filename", b";\r\n filename"),
    ],
)
def test_what_rfc_2046_allows_around_parts_is_taken(body: bytes) -> None:
    """A preamble, white space after a boundary, and a folded header line."""
    [(start, content)] = parts_of(body)

    assert (start.filename, content) == ("a", b"abc")


@pytest.mark.parametrize(
    "body",
    [
        b"p" * (1 << 20) + b"\r\n" + one(DISPOSITION),
        one(DISPOSITION.replace(";", ";\r", 1)),
        one(DISPOSITION + "\nX: y"),
        one("no colon"),
        one("Bad Name: x"),
        b"--x-y-z\r\n\r\n\r\nabc\r\n--x-y-z--\r\n",
        one(DISPOSITION).replace(b"a", b"\xff", 1),
    ],
)
def test_what_only_some_would_read_is_refused(body: bytes) -> None:
    """An endless preamble, bare line ends in a header, a header that is none, and none at all."""
    with pytest.raises(MalformedUploadError):
        parts_of(body)

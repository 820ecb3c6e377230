"""What goes over the wire to an S3 server: what a request costs, and which checksums go with it."""

import base64
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from storage_backends.s3_bucket import Bucket
from storage_backends.s3_client import LARGE, S3Place

_BEGUN = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
_DONE = b'<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>'

Seen = list[tuple[str, dict[str, str], bytes]]


@pytest.fixture
def wire() -> Iterator[tuple[Bucket, Seen]]:
    """A bucket on a server that takes everything and tells what came: method and address, headers, body."""
    seen: Seen = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Nothing is said."""

        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            seen.append((f"{self.command} {self.path}", {k.lower(): v for k, v in self.headers.items()}, body))
            answer = b"" if self.command == "PUT" else _BEGUN if self.path.endswith("uploads") else _DONE
            self.send_response(200)
            self.send_header("ETag", '"e"')
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_PUT = do_POST = _take  # noqa: N815

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        bucket = Bucket("far", S3Place("bucket", "root", lambda: "AK", lambda: "SK", endpoint=endpoint))
        yield bucket, seen
        bucket.close()
        server.shutdown()


def sha256(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def test_only_for_large_bodies_the_server_is_asked_first(wire: tuple[Bucket, Seen]) -> None:
    """A small document takes one way to the server and back, not two."""
    bucket, seen = wire
    bucket.put("small", b"1" * LARGE)
    bucket.put("large", b"1" * (LARGE + 1))
    assert ["expect" in headers for _, headers, _ in seen] == [False, True]
    assert all(headers["user-agent"].startswith("trusted-archive ") for _, headers, _ in seen)


def test_parts_carry_the_checksums_that_the_server_compares(wire: tuple[Bucket, Seen]) -> None:
    """Also when they become one object."""
    bucket, seen = wire
    bucket.checks_sha256 = True
    upload = bucket.begin("key")
    parts = [bucket.put_part("key", upload, number, data) for number, data in enumerate((b"one", b"two"), 1)]
    bucket.complete("key", upload, parts)

    (_, begun, _), *sent, (_, _, completed) = seen
    assert begun["x-amz-checksum-algorithm"] == "SHA256"
    assert [headers["x-amz-checksum-sha256"] for _, headers, _ in sent] == [sha256(b"one"), sha256(b"two")]
    assert all(sha256(data).encode() in completed for data in (b"one", b"two"))


def test_a_server_that_compares_nothing_is_sent_no_sha256(wire: tuple[Bucket, Seen]) -> None:
    """MD5 goes with every part all the same."""
    bucket, seen = wire
    upload = bucket.begin("key")
    bucket.complete("key", upload, [bucket.put_part("key", upload, 1, b"one")])
    assert not any("sha256" in name for _, headers, _ in seen for name in headers if "content-sha256" not in name)
    assert "content-md5" in seen[1][1]
    assert b"Checksum" not in seen[2][2]

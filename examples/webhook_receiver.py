"""A receiver of webhooks: checks who speaks and when, and takes each message once. Nothing but Python is needed.

    python examples/webhook_receiver.py --secret-file secret --port 8090 --out changes.jsonl

The secret is the one that the settings of the document store name (`[[webhook]]`), `whsec_` and base64:

    python -c "import base64, os; print('whsec_' + base64.b64encode(os.urandom(32)).decode())" > secret

Rules kept here
 * Nothing is done with a body before its signature fits and its timestamp is at most five minutes off.
 * A message is written down, durably, before it is acknowledged; one whose id is known is acknowledged again.
 * What is wrong is answered 400 or 401 and not taken: the sender offers it again.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock

TOLERANCE = 300
"""Seconds by which the sender's clock and ours may differ."""
MAX_BODY = 1024 * 1024


def verify(secret: bytes, headers: dict[str, str], body: bytes, *, now: float) -> str:
    """The id of a message that is genuine and fresh; raises ValueError saying what is wrong."""
    message, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message or not stamp.isdecimal() or abs(now - int(stamp)) > TOLERANCE:
        raise ValueError("no id, or too old")
    signed = f"{message}.{stamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    given = headers.get("webhook-signature", "").split(" ")
    if not any(hmac.compare_digest(expected.encode(), one.encode()) for one in given):
        raise ValueError("the signature does not fit")
    return message


class Book:
    """What was taken: one line for each change, in the order in which it came."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._known = (
            {json.loads(line)["message"] for line in path.read_text("utf-8").splitlines()} if path.exists() else set()
        )

    def take(self, message: str, body: bytes) -> None:
        """Keep a message, unless it is known; durable when this returns."""
        with self._lock:
            if message in self._known:
                return
            lines = [json.dumps({"message": message, **change}) + "\n" for change in json.loads(body)["changes"]]
            with self._path.open("a", encoding="utf-8") as out:
                out.writelines(lines)
                out.flush()
                os.fsync(out.fileno())
            self._known.add(message)


def handler(secret: bytes, book: Book) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = self.headers.get("Content-Length", "")
            if not size.isdecimal() or int(size) > MAX_BODY:
                self._answer(400)
                return
            body = self.rfile.read(int(size))
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                message = verify(secret, headers, body, now=time.time())
            except ValueError as error:
                sys.stderr.write(f"refused: {error}\n")
                self._answer(401)
                return
            book.take(message, body)
            self._answer(204)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """What matters is in the book."""

    return Handler


def main() -> None:
    parser = argparse.ArgumentParser(description="Receives webhooks and writes down what changed.")
    parser.add_argument("--secret-file", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--out", type=Path, default=Path("changes.jsonl"))
    arguments = parser.parse_args()
    secret = base64.b64decode(arguments.secret_file.read_text("ascii").strip().removeprefix("whsec_"), validate=True)
    server = ThreadingHTTPServer(("127.0.0.1", arguments.port), handler(secret, Book(arguments.out)))
    sys.stderr.write(f"listening on http://127.0.0.1:{server.server_port}\n")
    sys.stderr.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()

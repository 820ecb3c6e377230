"""An OpenID provider in a process of its own: keys at an address, tokens for whom the test names.

python -m tests.fakes.oidc_provider PORT

GET /keys gives the JWK set; POST /token with {"claims", "header", "key"} a token signed with a key of that name, which
is made on first use and, with `"publish": false`, not among those at /keys; POST /roll takes every key away.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, Key, RSAKey


class Provider(BaseHTTPRequestHandler):
    keys: dict[str, Key] = {}  # noqa: RUF012 - those of the one provider of this process
    published: set[str] = set()  # noqa: RUF012
    asked = 0

    def do_GET(self) -> None:
        Provider.asked += self.path == "/keys"
        if self.path == "/asked":
            self._answer({"asked": Provider.asked})
            return
        listed = [self.keys[name].as_dict(private=False) for name in sorted(self.published)]
        self._answer({"keys": [*listed, {"kty": "oct", "kid": "shared", "k": "AAAA"}, {"kty": "RSA"}]})

    def do_POST(self) -> None:
        wanted: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        if self.path == "/roll":
            self.keys.clear()
            self.published.clear()
            self._answer({})
            return
        header = {"alg": "RS256", "typ": "at+jwt", "kid": wanted["key"], **wanted.get("header", {})}
        key = self.keys.setdefault(wanted["key"], made(wanted["key"], header["alg"]))
        if wanted.get("publish", True):
            self.published.add(wanted["key"])
        header = {name: value for name, value in header.items() if value is not None}
        payload = json.dumps(wanted["claims"]).encode()
        self._answer({"token": jws.serialize_compact(header, payload, key, algorithms=[header["alg"]])})

    def _answer(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests read no log."""


def made(name: str, algorithm: str) -> Key:
    parameters: Any = {"kid": name, "use": "sig"}
    if algorithm.startswith("ES"):
        return ECKey.generate_key("P-256", parameters=parameters)
    return RSAKey.generate_key(1024 if name == "short" else 2048, parameters=parameters)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Provider)
    sys.stderr.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stderr.flush()
    server.serve_forever()

"""Trust services that others have written: certificates, OCSP and revocation lists of certomancer, time-stamps of
OpenSSL.

The rules this module keeps
 * Nothing that is asked is answered by code of ours, or by a library that the product judges with.
 * Certificates and revocation follow the clock that is given; OpenSSL has only the machine's own.
"""

from __future__ import annotations

import base64
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from certomancer.integrations.animator import Animator, AnimatorArchStore
from certomancer.registry import CertLabel, CertomancerConfig, PKIArchitecture
from cryptography.hazmat.primitives import serialization

from tests.unit.signing import forge

POLICY = "2.999.7"
BEGAN = datetime(2020, 1, 1, tzinfo=UTC)
FOR_EVER = timedelta(days=36_500)
_ALWAYS = {"valid-from": "2020-01-01T00:00:00+0000", "valid-to": "2100-01-01T00:00:00+0000"}
_TSA = """\
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_cert = {folder}/{name}.pem
signer_key = {folder}/{name}.key
certs = {folder}/root.pem
signer_digest = sha384
default_policy = {policy}
digests = sha256, sha384, sha512, sha3-256, sha3-512
accuracy = secs:1
clock_precision_digits = 3
ess_cert_id_alg = sha256
"""


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        """Tests read no log."""


class _Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is not let in, or hangs up, sees it for itself."""


@contextmanager
def serving(app: Callable[..., Any], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve a WSGI application for the length of the block; the port is given."""
    server = make_server("127.0.0.1", 0, app, server_class=_Threaded, handler_class=_Quiet)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Following(Animator):  # type: ignore[misc]
    """Of the instant that the clock shows."""

    def __init__(self, architectures: AnimatorArchStore, now: Callable[[], datetime]) -> None:
        super().__init__(architectures, with_web_ui=False)
        self._shown = now

    def at_time(self, request: Any) -> datetime:
        return self._shown().replace(microsecond=0)


class ForeignPki:
    """Root, authority for seals with an OCSP responder, and units for time-stamps, by certomancer. `key` is that of
    the seal certificate, which is `revoked` from then on. A revocation list is good for the time `lists`, from the
    beginning of 2020. While `away`, nothing is answered."""

    def __init__(
        self, folder: Path, now: Callable[[], datetime], key: Any, revoked: datetime, *, lists: timedelta = FOR_EVER
    ) -> None:
        self.folder = folder
        self.away = False
        self.asked: list[str] = []
        self.url = ""
        self._now = now
        self._revoked = revoked
        self._key = key
        self._lists = f"P{lists.days}D"
        self._app: Callable[..., Any] | None = None
        self.architecture: PKIArchitecture

    @contextmanager
    def listening(self) -> Iterator[ForeignPki]:
        with serving(self._answer) as port:
            self.url = f"http://127.0.0.1:{port}"
            self._make()
            yield self

    def certificate(self, label: str) -> bytes:
        return bytes(self.architecture.get_cert(CertLabel(label)).dump())

    def _answer(self, environ: dict[str, Any], start: Any) -> Any:
        self.asked.append(environ["PATH_INFO"])
        if self.away or self._app is None:
            start("503 Service Unavailable", [("Content-Length", "0")])
            return [b""]
        return self._app(environ, start)

    def _make(self) -> None:
        self.folder.mkdir()
        labels = ("root", "below", "responder", "seal", "first", "second")
        for label in labels:
            made = self._key if label == "seal" else forge.new_key("p384")
            (self.folder / f"{label}.key").write_bytes(_pem(made))
        keys = {label: {"path": f"{label}.key"} for label in labels}
        entities = {label: {"common-name": f"Foreign {label}"} for label in labels}
        settings = {
            "external-url-prefix": self.url,
            "keysets": {"keys": {"path-prefix": str(self.folder), "keys": keys}},
            "pki-architectures": {
                "foreign": {"keyset": "keys", "entities": entities, "certs": self._certificates(), **self._services()}
            },
        }
        config = CertomancerConfig(settings, key_search_dir=str(self.folder))
        self.architecture = config.pki_archs["foreign"]
        for label in labels:
            (self.folder / f"{label}.pem").write_bytes(armoured(self.certificate(label)))
        self._app = _Following(AnimatorArchStore(config.pki_archs), self._now)

    def _services(self) -> dict[str, Any]:
        schedule = {"for-issuer": "root", "signing-key": "root", "simulated-update-schedule": self._lists}
        answers = {"for-issuer": "below", "responder-cert": "responder", "signing-key": "responder"}
        return {
            "services": {
                "ocsp": {"below": answers},
                "crl-repo": {"root": schedule},
                "cert-repo": {"root": {"for-issuer": "root"}},
            }
        }

    def _certificates(self) -> dict[str, Any]:
        listed = _extension("crl_distribution_points", schema="crl-dist-url", params={"crl-repo-names": ["root"]})
        answered = {"ocsp-responder-names": ["below"], "ca-issuer-links": [{"repo": "root", "cert-labels": ["below"]}]}
        places = _extension("authority_information_access", schema="aia-urls", params=answered)
        signs = _usage("digital_signature")
        stamps = [signs, {"id": "extended_key_usage", "critical": True, "value": ["time_stamping"]}, listed]
        answers = [signs, {"id": "extended_key_usage", "value": ["ocsp_signing"]}, {"id": "ocsp_no_check"}]
        revocation = {"revoked-since": self._revoked.replace(microsecond=0).isoformat(), "reason": "key_compromise"}
        return {
            "root": _certificate("root", "root", _CERTIFIES),
            "below": _certificate("below", "root", [*_CERTIFIES, listed]),
            "responder": _certificate("responder", "below", answers),
            "first": _certificate("first", "root", stamps),
            "second": _certificate("second", "root", stamps),
            "seal": {
                **_certificate("seal", "below", [_usage("digital_signature", "non_repudiation"), places]),
                "revocation": revocation,
            },
        }


def _certificate(subject: str, issuer: str, extensions: list[Any]) -> dict[str, Any]:
    return {"subject": subject, "issuer": issuer, "validity": dict(_ALWAYS), "extensions": extensions}


def _extension(name: str, *, critical: bool = False, **smart: Any) -> dict[str, Any]:
    return {"id": name, "critical": critical, "smart-value": smart}


def _usage(*bits: str) -> dict[str, Any]:
    return _extension("key_usage", critical=True, schema="key-usage", params=list(bits))


_CERTIFIES = [
    {"id": "basic_constraints", "critical": True, "value": {"ca": True}},
    _usage("digital_signature", "key_cert_sign", "crl_sign"),
]


class OpensslTsa:
    """`openssl ts` behind HTTPS, with the unit of that name. It wants a password, or a certificate under `clients`."""

    def __init__(
        self, pki: ForeignPki, name: str, *, password: tuple[str, str] | None = None, clients: Path | None = None
    ) -> None:
        self.name = name
        self.asked = 0
        self.refused = 0
        self._folder = pki.folder
        self._password = password
        self._clients = clients
        self._lock = threading.Lock()
        (pki.folder / f"{name}.cnf").write_text(_TSA.format(folder=pki.folder, name=name, policy=POLICY))
        (pki.folder / "serial").write_text("01\n")

    @contextmanager
    def listening(self, server: Path) -> Iterator[str]:
        """`server`: certificate and key (PEM) of the machine."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server)
        if self._clients is not None:
            context.load_verify_locations(self._clients)
            context.verify_mode = ssl.CERT_REQUIRED
        with serving(self._app, context) as port:
            yield f"https://localhost:{port}/tsr/"

    def _app(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        wanted = base64.b64encode(":".join(self._password).encode()).decode() if self._password else None
        if wanted is not None and environ.get("HTTP_AUTHORIZATION") != f"Basic {wanted}":
            self.refused += 1
            start("401 Unauthorized", [("Content-Length", "0"), ("WWW-Authenticate", 'Basic realm="tsa"')])
            return [b""]
        self.asked += 1
        answer = self._answer(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        start("200 OK", [("Content-Type", "application/timestamp-reply"), ("Content-Length", str(len(answer)))])
        return [answer]

    def _answer(self, request: bytes) -> bytes:
        with self._lock, tempfile.TemporaryDirectory() as folder:
            asked, answer = Path(folder) / "asked", Path(folder) / "answer"
            asked.write_bytes(request)
            words = ["openssl", "ts", "-reply", "-config", str(self._folder / f"{self.name}.cnf")]
            subprocess.run([*words, "-queryfile", str(asked), "-out", str(answer)], check=True, capture_output=True)
            return answer.read_bytes()


def armoured(der: bytes) -> bytes:
    text = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n"


def _pem(key: Any) -> bytes:
    return bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )

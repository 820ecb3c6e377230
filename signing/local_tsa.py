"""The time-stamp unit of the local test trust: a small RFC 3161 responder.

Rules kept here
 * A token is Basis-ERS shaped (BSI TR-ESOR-ERS): SignedData version 3, one signer, signed attributes
   in DER (content-type, message-digest, signing-certificate-v2), certificates and a revocation list of
   that moment inside, nothing unsigned. So a record over it verifies offline by itself.
 * genTime comes from the clock, cut to milliseconds, and ascends strictly within one unit, because a
   renewal in the same instant is no renewal (RFC 4998 5.3). A clock that was set back is not hidden:
   only ties within a second are stepped over.
 * Serial numbers are random (159 bits), hence unique across restarts without a stored counter.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from asn1crypto import cms, core, tsp
from asn1crypto import x509 as asn1_x509
from asn1crypto.crl import CertificateList
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from archive_core.digests import Digest, hash_bytes
from archive_core.ports import Clock
from signing import ber
from signing.http_transport import ANSWER_TYPE, REQUEST_TYPE
from signing.local_keys import LocalKey, sign, signature_algorithm
from signing.signature_math import UnsupportedAlgorithmError, digest_name

ACCEPTED_IMPRINTS = ("sha256", "sha384", "sha512", "sha3-256", "sha3-384", "sha3-512")
MAX_REQUEST = 64 * 1024
ACCURACY_SECONDS = 1
DIGEST = "sha512"
"""What a unit digests with inside its tokens, unless it is told otherwise."""

_STEP = timedelta(milliseconds=1)
_TIE = timedelta(seconds=1)


class _RefusedError(Exception):
    """A request that is answered by a rejection; `failure` is a PKIFailureInfo bit."""

    def __init__(self, failure: str, text: str) -> None:
        super().__init__(text)
        self.failure = failure


class LocalTsaResponder:
    """Answers DER TimeStampReq with DER TimeStampResp; safe to call from several threads."""

    def __init__(
        self,
        clock: Clock,
        *,
        key: LocalKey,
        certificate: x509.Certificate,
        chain: Sequence[x509.Certificate],
        policy: str,
        revocation_list: Callable[[datetime], bytes] | None = None,
        digest: str = DIGEST,
    ) -> None:
        self._clock = clock
        self._digest, self._name = digest, digest.replace("-", "_")
        self._key = key
        self._certificate = _asn1(certificate)
        self._inside = [self._certificate, *(_asn1(c) for c in chain)]
        self._policy = policy
        self._revocation_list = revocation_list
        self._lock = threading.Lock()  # one stamp at a time; asn1crypto objects are not for several threads
        self._last: datetime | None = None

    def respond(self, request: bytes) -> bytes:
        """Never raises for a bad request: the answer is then a rejection that says why."""
        try:
            asked = self._understood(request)
            with self._lock:
                token = self._token(*asked).dump()
        except _RefusedError as refusal:
            return _rejection(refusal.failure, str(refusal))
        return ber.tagged(0x30, tsp.PKIStatusInfo({"status": "granted"}).dump() + token)

    def _understood(self, request: bytes) -> tuple[Digest, int | None, bool]:
        try:
            ber.scan(request, max_size=MAX_REQUEST)
            parsed = tsp.TimeStampReq.load(request, strict=True)
            version, nonce = parsed["version"].native, parsed["nonce"].native
            wanted, with_certificates = parsed["req_policy"].native, bool(parsed["cert_req"].native)
            extended = not isinstance(parsed["extensions"], core.Void) and len(parsed["extensions"]) > 0
            algorithm, value = parsed["message_imprint"]["hash_algorithm"], parsed["message_imprint"]["hashed_message"]
            octets = value.native
        except (ValueError, TypeError, KeyError) as error:
            raise _RefusedError("bad_data_format", "the request is not a TimeStampReq") from error
        if version != "v1":
            raise _RefusedError("bad_request", "only version 1 is known")
        if extended:
            raise _RefusedError("unaccepted_extensions", "no extension is known")
        if wanted is not None and wanted != self._policy:
            raise _RefusedError("unaccepted_policy", f"only policy {self._policy} is served")
        return _imprint(algorithm, octets), nonce, with_certificates

    def _token(self, imprint: Digest, nonce: int | None, with_certificates: bool) -> cms.ContentInfo:
        gen_time = self._next_time()
        info = self._info(imprint, nonce, gen_time).dump()
        attributes = self._signed_attributes(info)
        signature = sign(self._key, attributes.dump())
        body = cms.SignedData(
            {
                "version": "v3",
                "digest_algorithms": [{"algorithm": self._name}],
                "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(info)},
                "signer_infos": [self._signer_info(attributes, signature)],
            }
        )
        if with_certificates:
            body["certificates"] = [cms.CertificateChoices("certificate", c) for c in self._inside]
            if self._revocation_list is not None:
                current = CertificateList.load(self._revocation_list(gen_time))
                body["crls"] = [cms.RevocationInfoChoice("crl", current)]
        return cms.ContentInfo({"content_type": "signed_data", "content": body})

    def _info(self, imprint: Digest, nonce: int | None, gen_time: datetime) -> tsp.TSTInfo:
        info = tsp.TSTInfo(
            {
                "version": "v1",
                "policy": self._policy,
                "message_imprint": {
                    "hash_algorithm": {"algorithm": imprint.algorithm.replace("-", "_")},
                    "hashed_message": imprint.value,
                },
                "serial_number": secrets.randbits(159) | 1 << 158,
                "gen_time": gen_time,
                "accuracy": {"seconds": ACCURACY_SECONDS},
                "tsa": asn1_x509.GeneralName("directory_name", self._certificate.subject),
            }
        )
        if nonce is not None:
            info["nonce"] = nonce
        return info

    def _next_time(self) -> datetime:
        now = self._clock.now()
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        if self._last is not None and timedelta(0) <= self._last - now < _TIE:
            now = self._last + _STEP
        self._last = now
        return now

    def _signed_attributes(self, info: bytes) -> cms.CMSAttributes:
        reference = {
            "hash_algorithm": {"algorithm": self._name},
            "cert_hash": hash_bytes(self._digest, self._certificate.dump()),
        }
        return cms.CMSAttributes(
            [
                cms.CMSAttribute({"type": "content_type", "values": ["tst_info"]}),
                cms.CMSAttribute({"type": "message_digest", "values": [hash_bytes(self._digest, info)]}),
                cms.CMSAttribute(
                    {"type": "signing_certificate_v2", "values": [tsp.SigningCertificateV2({"certs": [reference]})]}
                ),
            ]
        )

    def _signer_info(self, attributes: cms.CMSAttributes, signature: bytes) -> cms.SignerInfo:
        identifier = cms.IssuerAndSerialNumber(
            {"issuer": self._certificate.issuer, "serial_number": self._certificate.serial_number}
        )
        return cms.SignerInfo(
            {
                "version": "v1",
                "sid": cms.SignerIdentifier("issuer_and_serial_number", identifier),
                "digest_algorithm": {"algorithm": self._name},
                "signed_attrs": attributes,
                "signature_algorithm": signature_algorithm(self._key),
                "signature": signature,
            }
        )


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))


def _imprint(algorithm: Any, octets: bytes) -> Digest:
    try:
        name = digest_name(algorithm)
    except UnsupportedAlgorithmError as error:
        raise _RefusedError("bad_alg", str(error)) from error
    if name not in ACCEPTED_IMPRINTS:
        raise _RefusedError("bad_alg", f"no time-stamps over {name} digests")
    try:
        return Digest(name, octets)
    except ValueError as error:
        raise _RefusedError("bad_data_format", str(error)) from error


def _rejection(failure: str, text: str) -> bytes:
    status = tsp.PKIStatusInfo({"status": "rejection", "status_string": [text], "fail_info": {failure}})
    return ber.tagged(0x30, status.dump())


StartResponse = Callable[[str, list[tuple[str, str]]], object]


def tsa_wsgi_app(responder: LocalTsaResponder) -> Callable[[dict[str, Any], StartResponse], Iterable[bytes]]:
    """The responder as a WSGI application (RFC 3161 3.4): POST of a TimeStampReq to any path."""

    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        kind = environ.get("CONTENT_TYPE", "").split(";")[0].strip().lower()
        if environ.get("REQUEST_METHOD") != "POST":
            return _plain(start_response, "405 Method Not Allowed", "POST an RFC 3161 request")
        if kind != REQUEST_TYPE:
            return _plain(start_response, "415 Unsupported Media Type", f"send {REQUEST_TYPE}")
        length = environ.get("CONTENT_LENGTH") or ""
        if not length.isdigit() or int(length) > MAX_REQUEST:
            return _plain(start_response, "413 Content Too Large", f"announce a length up to {MAX_REQUEST} bytes")
        answer = responder.respond(environ["wsgi.input"].read(int(length)))
        start_response("200 OK", [("Content-Type", ANSWER_TYPE), ("Content-Length", str(len(answer)))])
        return [answer]

    return app


def _plain(start_response: StartResponse, status: str, text: str) -> Iterable[bytes]:
    body = (text + "\n").encode("ascii")
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]

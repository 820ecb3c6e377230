"""A certification authority for seals that says over HTTP what it has revoked, by list and by OCSP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from tests.fakes.web import Answer, Request, serving
from tests.unit.signing import forge

Wrong = Callable[[Request, Answer], Answer]
"""Makes another answer out of what was asked and what would have been right."""


class SealAuthority:
    """A root and an authority below it. `away` makes it silent, `revoked` is what it has taken back, `wrong` says at
    which paths it answers what else."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        start, end = now() - forge.YEAR, now() + 20 * forge.YEAR
        self.root = forge.authority("Seal root", start=start, end=end)
        self.away = False
        self.wrong: dict[str, Wrong] = {}
        self.asked: list[str] = []
        self.revoked: list[tuple[forge.Identity, datetime, x509.ReasonFlags | None]] = []
        self.url = ""
        self.below = self.root

    @property
    def anchor(self) -> bytes:
        return self.root.certificate.public_bytes(Encoding.PEM)

    @contextmanager
    def listening(self, port: int = 0) -> Iterator[SealAuthority]:
        """Answer for the length of the block, on a free port or, come back, on the one it had."""
        with serving(self._answer, port) as self.url:
            if self.below is not self.root:
                yield self
                return
            self.below = forge.issued(
                "Seal authority",
                self.root,
                start=self._now() - forge.YEAR,
                end=self._now() + 15 * forge.YEAR,
                extensions=[
                    (x509.BasicConstraints(ca=True, path_length=0), True),
                    (forge.key_usage(certificates=True), True),
                    (_points(f"{self.url}/root.crl"), False),
                ],
            )
            yield self

    def identity(
        self,
        key: Any,
        common: str = "Seal",
        *,
        by_ocsp: bool = False,
        start: datetime | None = None,
        years: float = 5,
        place: str = "",
    ) -> forge.Identity:
        """A certificate for a key; it says where to ask whether it was revoked: at `/ocsp` or `/below.crl`, each with
        `place` behind it."""
        start = start or self._now() - timedelta(days=2)
        more: list[tuple[x509.ExtensionType, bool]] = [(forge.key_usage(), True)]
        if by_ocsp:
            place = x509.UniformResourceIdentifier(f"{self.url}/ocsp{place}")
            access = [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)]
            more.append((x509.AuthorityInformationAccess(access), False))
        else:
            more.append((_points(f"{self.url}/below.crl{place}"), False))
        end = start + years * forge.YEAR
        return forge.issued(common, self.below, key=key, start=start, end=end, extensions=more)

    def revoke(self, identity: forge.Identity) -> None:
        self.revoked.append((identity, self._now() - timedelta(hours=1), x509.ReasonFlags.key_compromise))

    def _answer(self, request: Request) -> Answer:
        self.asked.append(request.path)
        if self.away:
            return Answer(b"", status="503 Service Unavailable")
        right = self._right(request)
        wrong = self.wrong.get(request.path)
        return right if wrong is None else wrong(request, right)

    def _right(self, request: Request) -> Answer:
        at = (self._now() - timedelta(seconds=5)).replace(microsecond=0)
        if request.path.startswith("/below.crl"):
            return Answer(forge.crl(self.below, issued_at=at, revoked=self.revoked))
        if request.path == "/root.crl":
            return Answer(forge.crl(self.root, issued_at=at))
        if request.path.startswith("/ocsp"):
            return Answer(self.response(request.body, at), "application/ocsp-response")
        return Answer(b"nothing", status="404 Not Found")

    def response(
        self,
        body: bytes,
        at: datetime,
        *,
        by: forge.Identity | None = None,
        until: datetime | None = None,
        serial: int | None = None,
        nonce: bytes | None = None,
        unknown: bool = False,
    ) -> bytes:
        """An OCSP response of an instant; `by` whom else, `until` when else, about which other number, with a nonce,
        or that nothing is known."""
        asked = ocsp.load_der_ocsp_request(body)
        taken = next((one for one in self.revoked if one[0].certificate.serial_number == asked.serial_number), None)
        known = ocsp.OCSPCertStatus.REVOKED if taken else ocsp.OCSPCertStatus.GOOD
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            issuer_name_hash=asked.issuer_name_hash,
            issuer_key_hash=asked.issuer_key_hash,
            serial_number=asked.serial_number if serial is None else serial,
            algorithm=hashes.SHA1(),
            cert_status=ocsp.OCSPCertStatus.UNKNOWN if unknown else known,
            this_update=at,
            next_update=until or at + timedelta(days=1),
            revocation_time=taken[1] if taken else None,
            revocation_reason=taken[2] if taken else None,
        )
        signer = by or self.below
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
        if by is not None:
            builder = builder.certificates([by.certificate])
        if nonce is not None:
            builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
        return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def _points(url: str) -> x509.CRLDistributionPoints:
    place = x509.UniformResourceIdentifier(url)
    return x509.CRLDistributionPoints([x509.DistributionPoint([place], None, None, None)])

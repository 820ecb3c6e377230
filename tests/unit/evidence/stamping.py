"""A small time-stamp authority and a small token validator for tests of evidence.

The tokens are real RFC 3161 tokens: CMS SignedData over a TSTInfo, signed with a P-256 key. The validator
checks message digest, signature, signer and the TSU certificate's validity at the instant asked for. It is
deliberately written apart from `signing`, and knows nothing about chains or revocation.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from archive_core.digests import DIGEST_OIDS, OID_OF_DIGEST, Digest
from archive_core.findings import SubIndication, Verdict
from archive_core.ports import TokenAssessment, ValidationData

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
FIXED_SCALAR = 0x1D0C0FFEE


@dataclass(frozen=True)
class SmallTsa:
    """Signs whatever imprint it is given, at the time it is told."""

    name: str = "Small TSA"
    scalar: int = FIXED_SCALAR
    valid_from: datetime = START - timedelta(days=1)
    valid_until: datetime = START + timedelta(days=3650)

    @functools.cached_property
    def key(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(self.scalar, ec.SECP256R1())

    @functools.cached_property
    def certificate(self) -> asn1_x509.Certificate:
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, self.name)])
        built = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(self.scalar)
            .not_valid_before(self.valid_from)
            .not_valid_after(self.valid_until)
            .sign(self.key, hashes.SHA256())
        )
        return asn1_x509.Certificate.load(built.public_bytes(serialization.Encoding.DER))

    def stamp(self, algorithm: str, imprint: bytes, at: datetime, *, serial: int = 1) -> bytes:
        """The DER ContentInfo of a token over `imprint`, made `at`."""
        info = tsp.TSTInfo(
            {
                "version": "v1",
                "policy": "1.2.3.4.1",
                "message_imprint": {
                    "hash_algorithm": algos.DigestAlgorithm({"algorithm": OID_OF_DIGEST.get(algorithm, algorithm)}),
                    "hashed_message": imprint,
                },
                "serial_number": serial,
                "gen_time": core.GeneralizedTime(at),
            }
        ).dump()
        attributes = cms.CMSAttributes(
            [
                cms.CMSAttribute({"type": "content_type", "values": ["tst_info"]}),
                cms.CMSAttribute({"type": "message_digest", "values": [hashlib.sha256(info).digest()]}),
            ]
        )
        signer = cms.SignerInfo(
            {
                "version": "v1",
                "sid": cms.SignerIdentifier(
                    "issuer_and_serial_number",
                    {"issuer": self.certificate.issuer, "serial_number": self.certificate.serial_number},
                ),
                "digest_algorithm": {"algorithm": "sha256"},
                "signed_attrs": attributes,
                "signature_algorithm": {"algorithm": "sha256_ecdsa"},
                "signature": self.key.sign(attributes.dump(), ec.ECDSA(hashes.SHA256())),
            }
        )
        signed = cms.SignedData(
            {
                "version": "v3",
                "digest_algorithms": [{"algorithm": "sha256"}],
                "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(info)},
                "certificates": [self.certificate],
                "signer_infos": [signer],
            }
        )
        return bytes(cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump())


@dataclass
class SmallValidator:
    """PASSED for tokens of the given authorities, INDETERMINATE for others, FAILED for forged ones."""

    trusted: tuple[SmallTsa, ...] = (SmallTsa(),)
    asked: list[tuple[str, datetime]] = field(default_factory=list)
    data: list[ValidationData | None] = field(default_factory=list)
    revoked_at: Mapping[str, datetime] = field(default_factory=dict)

    def assess(self, token: bytes, *, at: datetime, data: ValidationData | None = None) -> TokenAssessment:
        self.asked.append((hashlib.sha512(token).hexdigest(), at))
        self.data.append(data)
        try:
            signed = cms.ContentInfo.load(token, strict=True)["content"]
            info = signed["encap_content_info"]["content"].parsed
            encoded = signed["encap_content_info"]["content"].contents
            gen_time, hashed = info["gen_time"].native, info["message_imprint"]["hashed_message"].native
            dotted = info["message_imprint"]["hash_algorithm"]["algorithm"].dotted
            imprint = Digest(DIGEST_OIDS[dotted], hashed) if dotted in DIGEST_OIDS else None
            (signer,) = signed["signer_infos"]
            digests = [a["values"][0].native for a in signer["signed_attrs"] if a["type"].native == "message_digest"]
            (certificate,) = (c.chosen for c in signed["certificates"])
            public = serialization.load_der_public_key(certificate.public_key.dump())
            assert isinstance(public, ec.EllipticCurvePublicKey)
            public.verify(signer["signature"].native, signer["signed_attrs"].untag().dump(), ec.ECDSA(hashes.SHA256()))
            if digests != [hashlib.sha256(encoded).digest()]:
                raise InvalidSignature
        except (ValueError, TypeError, KeyError, InvalidSignature, UnsupportedAlgorithm, AssertionError) as error:
            return TokenAssessment(Verdict.FAILED, SubIndication.SIG_CRYPTO_FAILURE, f"forged: {error!r}")
        return self._trust(
            certificate.public_key.dump(), TokenAssessment(Verdict.PASSED, None, "good", gen_time, imprint), at
        )

    def _trust(self, public_key: bytes, good: TokenAssessment, at: datetime) -> TokenAssessment:
        by = next((tsa for tsa in self.trusted if tsa.certificate.public_key.dump() == public_key), None)
        problem: SubIndication | None = None
        if by is None:
            problem = SubIndication.NO_CERTIFICATE_CHAIN_FOUND
        elif at > by.valid_until:
            problem = SubIndication.OUT_OF_BOUNDS_NO_POE
        elif at >= self.revoked_at.get(by.name, at + timedelta(1)):
            problem = SubIndication.REVOKED_NO_POE
        if problem is None:
            return good
        return TokenAssessment(
            Verdict.INDETERMINATE, problem, "no trust", good.gen_time, good.imprint, signer=by.name if by else ""
        )


@dataclass(frozen=True)
class Suitability:
    good: bool
    reason: str = "by decree of the test"


@dataclass(frozen=True)
class SmallPolicy:
    """Every digest algorithm is good until the instant given for it."""

    until: Mapping[str, datetime] = field(default_factory=dict)

    def digest(self, name: str, *, at: datetime) -> Suitability:
        return Suitability(name not in self.until or at < self.until[name])

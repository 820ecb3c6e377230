"""Which certificate a signature says it was made with: ESSCertID and ESSCertIDv2 (RFC 5035, RFC 5816).

Rules kept here
 * The first reference of an attribute names the signer's own certificate (RFC 5035 5.4).
 * Where both attributes are present, both must fit.
 * ESSCertID alone (SHA-1) is accepted with a finding; no attribute at all is malformed.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from asn1crypto import core, tsp, x509

from archive_core.digests import hash_bytes
from archive_core.findings import Finding
from signing.certificates import same_name
from signing.judgement import malformed, reading
from signing.signature_math import digest_name

_OID_ESS_V1 = "1.2.840.113549.1.9.16.2.12"
_OID_ESS_V2 = "1.2.840.113549.1.9.16.2.47"


@dataclass(frozen=True)
class SignerReference:
    digest: str
    value: bytes
    issuer_serial: core.Sequence | None

    def fits(self, certificate: x509.Certificate) -> bool:
        if not hmac.compare_digest(self.value, hash_bytes(self.digest, certificate.dump())):
            return False
        if self.issuer_serial is None:
            return True
        names = [name.chosen for name in self.issuer_serial["issuer"] if name.name == "directory_name"]
        if self.issuer_serial["serial_number"].native != certificate.serial_number:
            return False
        return any(same_name(certificate.issuer, name) for name in names)


def signer_references(attributes: Mapping[str, tuple[bytes, ...]]) -> tuple[list[SignerReference], tuple[Finding, ...]]:
    """The first reference of each ESS attribute present: it names the signer's own certificate."""
    if _OID_ESS_V1 not in attributes and _OID_ESS_V2 not in attributes:
        raise malformed("the signed attribute signing-certificate(-v2) is missing (RFC 3161 2.4.2, RFC 5816 2.2.1)")
    references: list[SignerReference] = []
    findings: tuple[Finding, ...] = ()
    with reading("the signing-certificate attribute"):
        if _OID_ESS_V2 in attributes:
            first = _first_reference(
                tsp.SigningCertificateV2, single_value(attributes, _OID_ESS_V2, "signing-certificate-v2")
            )
            digest = digest_name(first["hash_algorithm"])
            references.append(SignerReference(digest, first["cert_hash"].native, _issuer_serial(first)))
        if _OID_ESS_V1 in attributes:
            first = _first_reference(
                tsp.SigningCertificate, single_value(attributes, _OID_ESS_V1, "signing-certificate")
            )
            references.append(SignerReference("sha1", first["cert_hash"].native, _issuer_serial(first)))
            if _OID_ESS_V2 not in attributes:
                findings = (
                    Finding(
                        "ESS_CERT_ID_V1", "the signer's certificate is named by SHA-1 only", clause="RFC 5816 2.2.1"
                    ),
                )
    return references, findings


def _first_reference(kind: type[core.Sequence], value: bytes) -> core.Sequence:
    parsed = kind.load(value, strict=True)
    _ = parsed.native
    if not len(parsed["certs"]):
        raise malformed("the signing-certificate attribute names no certificate (RFC 5035 5.4)")
    return parsed["certs"][0]


def _issuer_serial(reference: core.Sequence) -> core.Sequence | None:
    value = reference["issuer_serial"]
    return None if isinstance(value, core.Void) else value


def single_value(attributes: Mapping[str, tuple[bytes, ...]], oid: str, what: str) -> bytes:
    """The only value of a signed attribute; raises `Judgement`."""
    values = attributes.get(oid, ())
    if len(values) != 1:
        raise malformed(f"the signed attribute {what} is {'missing' if not values else 'not single-valued'}")
    return values[0]

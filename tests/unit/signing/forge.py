"""A small certification authority and a token maker that can break one rule at a time.

Independent of `signing.local_trust` and `signing.local_tsa`, so that those are judged as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko_certvalidator import asn1_types  # noqa: F401 - teaches asn1crypto the ML-DSA names

from archive_core.digests import OID_OF_DIGEST, Digest, hash_bytes

NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
YEAR = timedelta(days=365)
IMPRINT = Digest.of("sha512", b"what is stamped")
DER = serialization.Encoding.DER

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
    "sha3-256": hashes.SHA3_256(),
    "sha3-512": hashes.SHA3_512(),
}


@dataclass(frozen=True)
class Identity:
    """A key with its certificate and the certificates above it, nearest first."""

    key: Any
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(DER)

    @property
    def asn1(self) -> asn1_x509.Certificate:
        return asn1_x509.Certificate.load(self.der)


def new_key(kind: str = "p256") -> Any:
    curves = {
        "p256": ec.SECP256R1(),
        "p384": ec.SECP384R1(),
        "p521": ec.SECP521R1(),
        "brainpoolP256r1": ec.BrainpoolP256R1(),
        "brainpoolP384r1": ec.BrainpoolP384R1(),
        "brainpoolP512r1": ec.BrainpoolP512R1(),
    }
    if kind in curves:
        return ec.generate_private_key(curves[kind])
    others: dict[str, Callable[[], Any]] = {
        "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
        "rsa3072": lambda: rsa.generate_private_key(65537, 3072),
        "dsa2048": lambda: dsa.generate_private_key(2048),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "ed448": ed448.Ed448PrivateKey.generate,
        "mldsa44": mldsa.MLDSA44PrivateKey.generate,
        "mldsa65": mldsa.MLDSA65PrivateKey.generate,
        "mldsa87": mldsa.MLDSA87PrivateKey.generate,
    }
    return others[kind]()


def name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def authority(common: str = "Forge root", above: Identity | None = None, **options: Any) -> Identity:
    """A root, or a certification authority below another one."""
    extensions = [
        (x509.BasicConstraints(ca=True, path_length=None), True),
        (key_usage(certificates=True), True),
    ]
    return issued(common, above, extensions=extensions, **options)


def time_stamp_unit(
    above: Identity,
    common: str = "Forge TSU",
    *,
    usages: Sequence[x509.ObjectIdentifier] | None = (ExtendedKeyUsageOID.TIME_STAMPING,),
    critical: bool = True,
    usage: x509.KeyUsage | None = None,
    more: Iterable[tuple[x509.ExtensionType, bool]] = (),
    **options: Any,
) -> Identity:
    extensions: list[tuple[x509.ExtensionType, bool]] = [(usage or key_usage(), True), *more]
    if usages is not None:
        extensions.append((x509.ExtendedKeyUsage(usages), critical))
    return issued(common, above, extensions=extensions, **options)


def issued(
    common: str,
    above: Identity | None,
    *,
    key: Any = None,
    start: datetime = NOW - YEAR,
    end: datetime = NOW + 10 * YEAR,
    extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
    serial: int | None = None,
) -> Identity:
    key = key or new_key()
    issuer = above.certificate.subject if above else name(common)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(common))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    signing = above.key if above else key
    certificate = builder.sign(signing, _certificate_hash(signing))
    chain = (above.certificate, *above.chain) if above else ()
    return Identity(key, certificate, chain)


def _certificate_hash(key: Any) -> Any:
    without = (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey, mldsa.MLDSA44PrivateKey, mldsa.MLDSA65PrivateKey)
    return None if isinstance(key, (*without, mldsa.MLDSA87PrivateKey)) else hashes.SHA256()


def key_usage(*, certificates: bool = False, signatures: bool | None = None) -> x509.KeyUsage:
    signatures = not certificates if signatures is None else signatures
    return x509.KeyUsage(
        digital_signature=signatures,
        content_commitment=False,
        key_encipherment=not signatures and not certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def crl(
    issuer: Identity,
    *,
    issued_at: datetime = NOW,
    next_update: datetime | None = None,
    revoked: Iterable[tuple[Identity, datetime, x509.ReasonFlags | None]] = (),
    key: Any = None,
    extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(issued_at)
        .next_update(next_update or issued_at + timedelta(days=7))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    for identity, when, reason in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(identity.certificate.serial_number).revocation_date(when)
        if reason is not None:
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    signing = key or issuer.key
    return builder.sign(signing, _certificate_hash(signing)).public_bytes(DER)


def ocsp(
    subject: Identity,
    issuer: Identity,
    *,
    issued_at: datetime = NOW,
    next_update: datetime | None = None,
    revoked_at: datetime | None = None,
    responder: Identity | None = None,
) -> bytes:
    from cryptography.x509 import ocsp as pyca_ocsp

    status = pyca_ocsp.OCSPCertStatus.GOOD if revoked_at is None else pyca_ocsp.OCSPCertStatus.REVOKED
    by = responder or issuer
    builder = (
        pyca_ocsp.OCSPResponseBuilder()
        .add_response(
            subject.certificate,
            issuer.certificate,
            hashes.SHA1(),
            status,
            issued_at,
            next_update,
            revoked_at,
            x509.ReasonFlags.key_compromise if revoked_at else None,
        )
        .responder_id(pyca_ocsp.OCSPResponderEncoding.NAME, by.certificate)
    )
    if responder is not None:
        builder = builder.certificates([responder.certificate])
    return builder.sign(by.key, hashes.SHA256()).public_bytes(DER)


# -- tokens -----------------------------------------------------------------------------------

Edit = Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Recipe:
    """How a token is made; every step can be edited. An edit takes and returns the value."""

    signer: Identity
    imprint: Digest = IMPRINT
    gen_time: datetime = NOW
    nonce: int | None = None
    policy: str = "2.999.1"
    digest: str = "sha512"
    padding: str = "pkcs1"
    certificates: tuple[x509.Certificate, ...] | None = None
    crls: tuple[bytes, ...] = ()
    ocsps: tuple[bytes, ...] = ()
    ess: str = "v2"
    content_type: str = "tst_info"
    edit_info: Edit = _same
    edit_content: Edit = _same
    edit_attributes: Edit = _same
    edit_signature: Edit = _same
    edit_signer: Edit = _same
    edit_signed_data: Edit = _same

    def but(self, **changes: Any) -> Recipe:
        return replace(self, **changes)

    def token(self) -> bytes:
        info = self.edit_info(self._info())
        content = self.edit_content(info.dump())
        attributes = self.edit_attributes(self._attributes(content))
        to_sign = cms.CMSAttributes(attributes).dump()
        algorithm, value = sign(self.signer.key, to_sign, self.digest, self.padding)
        identifier = cms.IssuerAndSerialNumber(
            {"issuer": self.signer.asn1.issuer, "serial_number": self.signer.certificate.serial_number}
        )
        signer = cms.SignerInfo(
            {
                "version": "v1",
                "sid": cms.SignerIdentifier("issuer_and_serial_number", identifier),
                "digest_algorithm": {"algorithm": OID_OF_DIGEST[self.digest]},
                "signed_attrs": cms.CMSAttributes(attributes),
                "signature_algorithm": algorithm,
                "signature": self.edit_signature(value),
            }
        )
        signed = cms.SignedData(
            {
                "version": "v3",
                "digest_algorithms": [{"algorithm": OID_OF_DIGEST[self.digest]}],
                "encap_content_info": {
                    "content_type": self.content_type,
                    "content": core.ParsableOctetString(content),
                },
                "certificates": [cms.CertificateChoices("certificate", c) for c in self._certificates()],
                "signer_infos": [self.edit_signer(signer)],
            }
        )
        self._add_revocation_values(signed)
        return bytes(cms.ContentInfo({"content_type": "signed_data", "content": self.edit_signed_data(signed)}).dump())

    def _info(self) -> tsp.TSTInfo:
        info = tsp.TSTInfo(
            {
                "version": "v1",
                "policy": self.policy,
                "message_imprint": {
                    "hash_algorithm": {"algorithm": OID_OF_DIGEST[self.imprint.algorithm]},
                    "hashed_message": self.imprint.value,
                },
                "serial_number": 7,
                "gen_time": self.gen_time,
                "accuracy": {"seconds": 1},
            }
        )
        if self.nonce is not None:
            info["nonce"] = self.nonce
        return info

    def _attributes(self, content: bytes) -> list[cms.CMSAttribute]:
        found = [
            cms.CMSAttribute({"type": "content_type", "values": [self.content_type]}),
            cms.CMSAttribute({"type": "message_digest", "values": [hash_bytes(self.digest, content)]}),
        ]
        if self.ess in ("v2", "both"):
            found.append(ess_v2(self.signer))
        if self.ess in ("v1", "both"):
            reference = {"cert_hash": hash_bytes("sha1", self.signer.der)}
            value = tsp.SigningCertificate({"certs": [reference]})
            found.append(cms.CMSAttribute({"type": "signing_certificate", "values": [value]}))
        return found

    def _certificates(self) -> list[asn1_x509.Certificate]:
        inside = self.certificates
        if inside is None:
            inside = (self.signer.certificate, *self.signer.chain)
        return [asn1_x509.Certificate.load(c.public_bytes(DER)) for c in inside]

    def _add_revocation_values(self, signed: cms.SignedData) -> None:
        from asn1crypto.crl import CertificateList
        from asn1crypto.ocsp import OCSPResponse

        values = [cms.RevocationInfoChoice("crl", CertificateList.load(der)) for der in self.crls]
        for der in self.ocsps:
            other = {"other_rev_info_format": "ocsp_response", "other_rev_info": OCSPResponse.load(der)}
            values.append(cms.RevocationInfoChoice("other", cms.OtherRevocationInfoFormat(other)))
        if values:
            signed["crls"] = values


def ess_v2(identity: Identity, digest: str = "sha256", value: bytes | None = None) -> cms.CMSAttribute:
    reference = {
        "hash_algorithm": {"algorithm": OID_OF_DIGEST[digest]},
        "cert_hash": value if value is not None else hash_bytes(digest, identity.der),
    }
    parsed = tsp.SigningCertificateV2({"certs": [reference]})
    return cms.CMSAttribute({"type": "signing_certificate_v2", "values": [parsed]})


def without_attribute(kind: str) -> Edit:
    return lambda attributes: [a for a in attributes if a["type"].native != kind]


def replaced_attribute(attribute: cms.CMSAttribute) -> Edit:
    kind = attribute["type"].native
    return lambda attributes: [attribute if a["type"].native == kind else a for a in attributes]


def sign(key: Any, octets: bytes, digest: str, scheme: str = "pkcs1") -> tuple[dict[str, Any], bytes]:
    """(SignedDigestAlgorithm value, signature)"""
    hash_algorithm = _HASHES[digest]
    if isinstance(key, rsa.RSAPrivateKey) and scheme == "pss":
        size = hash_algorithm.digest_size
        pss = padding.PSS(padding.MGF1(hash_algorithm), size)
        parameters = algos.RSASSAPSSParams(
            {
                "hash_algorithm": {"algorithm": OID_OF_DIGEST[digest]},
                "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": OID_OF_DIGEST[digest]}},
                "salt_length": size,
            }
        )
        return {"algorithm": "rsassa_pss", "parameters": parameters}, key.sign(octets, pss, hash_algorithm)
    if isinstance(key, rsa.RSAPrivateKey):
        return {"algorithm": "rsassa_pkcs1v15"}, key.sign(octets, padding.PKCS1v15(), hash_algorithm)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        oid = f"{digest.replace('-', '_')}_ecdsa"
        return {"algorithm": oid}, key.sign(octets, ec.ECDSA(hash_algorithm))
    if isinstance(key, dsa.DSAPrivateKey):
        return {"algorithm": f"{digest}_dsa"}, key.sign(octets, hash_algorithm)
    kinds = {
        ed25519.Ed25519PrivateKey: "ed25519",
        ed448.Ed448PrivateKey: "ed448",
        mldsa.MLDSA44PrivateKey: "mldsa44",
        mldsa.MLDSA65PrivateKey: "mldsa65",
        mldsa.MLDSA87PrivateKey: "mldsa87",
    }
    algorithm = next(named for kind, named in kinds.items() if isinstance(key, kind))
    return {"algorithm": algorithm}, key.sign(octets)

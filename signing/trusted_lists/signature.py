"""The signature on a trusted list (ETSI TS 119 612 5.7.1, annex B): whose it is, and that it is over the whole list.

Rules kept here
 * One ds:Signature, a child of the root, over the whole document with nothing but itself taken away.
 * Where signers are named, it must be one of their certificates, valid when the list was issued: no other
   certificate inside is believed and no chain is built. Where none are named, whoever hands the list over vouches
   for it, and the signature must still fit.
 * Digests that are easily forged (SHA-1, RIPEMD-160) count for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from asn1crypto import x509

from signing.certificates import load_certificate, name_of
from signing.examination.xades_mathematics import check_xml_signature
from signing.examination.xades_properties import material_of, properties_of
from signing.trusted_lists.reading import parse_list
from signing.trusted_lists.values import TrustedListRefusedError
from signing.xml_signatures.canonical import METHODS
from signing.xml_signatures.names import DS, SIGNATURE
from signing.xml_signatures.references import CheckedReference, Resolver
from signing.xml_signatures.signature import MalformedSignatureError, XmlSignature, take_apart

_ENVELOPED = f"{DS}enveloped-signature"
_WEAK = frozenset({"sha1", "ripemd160"})


def verify_list_signature(octets: bytes, signers: Sequence[bytes] | None, *, issued: datetime) -> bytes:
    """The signer's certificate (DER); raises `TrustedListRefusedError`. `signers` are DER certificates, or None when
    whoever hands the list over vouches for it; `issued` is what the list says of its own issue."""
    root = parse_list(octets).getroot()
    found = list(root.iter(SIGNATURE))
    if len(found) != 1 or found[0].getparent() is not root:
        raise TrustedListRefusedError("the trusted list does not have one signature in its place")
    try:
        signature = take_apart(found[0])
    except MalformedSignatureError as error:
        raise TrustedListRefusedError(f"the trusted list's signature cannot be read: {error}") from error
    named = None if signers is None else [load_certificate(der) for der in signers]
    properties = properties_of(signature)
    material = material_of(signature, properties)
    checked = check_xml_signature(signature, properties, material, Resolver(root, {}), more=named or ())
    mathematics = checked.mathematics
    if mathematics.failure is not None:
        raise TrustedListRefusedError(f"the trusted list's signature is not good: {mathematics.failure.message}")
    certificate = mathematics.certificate
    if certificate is None or mathematics.value_intact is not True:
        raise TrustedListRefusedError("the trusted list's signature is not good")
    _check_whole(signature, checked.direct)
    weak = _WEAK & {mathematics.digest, *(one.algorithm for one in checked.direct)}
    if weak:
        raise TrustedListRefusedError(f"the trusted list's signature rests on {', '.join(sorted(weak))}")
    if named is not None:
        _check_named(certificate, named, issued)
    return bytes(certificate.dump())


def _check_whole(signature: XmlSignature, direct: Sequence[CheckedReference]) -> None:
    """One reference is over the whole document but for the signature; anything else could leave parts out."""
    for one in direct:
        steps = [step.get("Algorithm", "") for step in one.element.iter(f"{{{DS}}}Transform")]
        plain = all(step == _ENVELOPED or step in METHODS for step in steps) and _ENVELOPED in steps
        root = signature.node.getroottree().getroot()
        if one.intact and plain and (one.whole_document or one.node is root):
            return
    raise TrustedListRefusedError("the signature does not cover the whole trusted list")


def _check_named(certificate: x509.Certificate, named: Sequence[x509.Certificate], issued: datetime) -> None:
    if certificate.dump() not in [one.dump() for one in named]:
        raise TrustedListRefusedError(f"the trusted list is signed by {name_of(certificate)!r}, who was not named")
    if not certificate.not_valid_before <= issued <= certificate.not_valid_after:
        raise TrustedListRefusedError("the certificate of the list's signer was not valid when the list was issued")

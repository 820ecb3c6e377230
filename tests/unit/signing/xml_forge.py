"""XML signatures made on the spot, with lxml's own canonicalisation (exclusive), so that ours meets another's."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa, utils
from lxml import etree

from archive_core.digests import Digest
from tests.unit.signing.forge import NOW, Identity, Recipe

DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = f"{DS}enveloped-signature"
PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"
DIGESTS = {
    "sha1": f"{DS}sha1",
    "sha256": "http://www.w3.org/2001/04/xmlenc#sha256",
    "sha384": "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "sha512": "http://www.w3.org/2001/04/xmlenc#sha512",
    "sha3-256": "http://www.w3.org/2007/05/xmldsig-more#sha3-256",
    "sha3-512": "http://www.w3.org/2007/05/xmldsig-more#sha3-512",
}
_HASHES = {
    "sha1": hashes.SHA1(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
    "sha3-256": hashes.SHA3_256(),
    "sha3-512": hashes.SHA3_512(),
}
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"


def hashed(digest: str, octets: bytes) -> bytes:
    return hashlib.new(digest.replace("-", "_"), octets).digest()


def canonical(node: etree._Element) -> bytes:
    return etree.tostring(node, method="c14n", exclusive=True, with_comments=False, with_tail=False)


@dataclass(frozen=True)
class Wanted:
    """A reference to be signed: `octets` is what is digested; `steps` are the transforms' identifiers."""

    uri: str | None
    octets: bytes
    steps: Sequence[str] = ()
    type: str = ""


@dataclass(frozen=True)
class XmlRecipe:
    """How a signature is made. `mode` is enveloped, enveloping or detached."""

    signer: Identity
    mode: str = "enveloped"
    digest: str = "sha256"
    method: str = ""
    outside: Mapping[str, bytes] = field(default_factory=dict)
    properties: bool = True
    names_signer: bool = True
    named: Identity | None = None
    key_info: Sequence[Identity] | None = None
    time: datetime = NOW
    more: Sequence[Wanted] = ()

    def but(self, **changes: Any) -> XmlRecipe:
        return replace(self, **changes)

    def sign(self, root: etree._Element) -> etree._Element:
        """Sign `root` in place (enveloped) or build a signature of its own; gives the document's root element."""
        signature = etree.Element(f"{{{DS}}}Signature", nsmap={"ds": DS, "xades": XADES}, Id="sig")
        info = etree.SubElement(signature, f"{{{DS}}}SignedInfo")
        etree.SubElement(info, f"{{{DS}}}CanonicalizationMethod", Algorithm=EXCLUSIVE)
        etree.SubElement(
            info, f"{{{DS}}}SignatureMethod", Algorithm=self.method or method_for(self.signer, self.digest)
        )
        value = etree.SubElement(signature, f"{{{DS}}}SignatureValue", Id="value")
        self._key_info(signature)
        wanted = list(self._data(root, signature))
        if self.mode == "enveloped":
            root.append(signature)
        if self.properties:
            signed = self._properties(signature)
            wanted.append(Wanted("#signed", canonical(signed), (EXCLUSIVE,), PROPERTIES))
        for one in (*wanted, *self.more):
            self._reference(info, one)
        value.text = base64.b64encode(signature_value(self.signer, self.digest, canonical(info), self.method)).decode()
        return root if self.mode == "enveloped" else signature

    def _data(self, root: etree._Element, signature: etree._Element) -> list[Wanted]:
        if self.mode == "enveloped":
            return [Wanted("", canonical(root), (ENVELOPED, EXCLUSIVE))]
        if self.mode == "enveloping":
            holder = etree.SubElement(signature, f"{{{DS}}}Object", Id="object")
            holder.append(root)
            return [Wanted("#object", canonical(holder), (EXCLUSIVE,))]
        return [Wanted(name, octets) for name, octets in self.outside.items()]

    def _key_info(self, signature: etree._Element) -> None:
        data = etree.SubElement(etree.SubElement(signature, f"{{{DS}}}KeyInfo"), f"{{{DS}}}X509Data")
        for one in [self.signer] if self.key_info is None else self.key_info:
            etree.SubElement(data, f"{{{DS}}}X509Certificate").text = base64.b64encode(one.der).decode()

    def _properties(self, signature: etree._Element) -> etree._Element:
        holder = etree.SubElement(signature, f"{{{DS}}}Object")
        qualifying = etree.SubElement(holder, f"{{{XADES}}}QualifyingProperties", Target="#sig")
        signed = etree.SubElement(qualifying, f"{{{XADES}}}SignedProperties", Id="signed")
        group = etree.SubElement(signed, f"{{{XADES}}}SignedSignatureProperties")
        etree.SubElement(group, f"{{{XADES}}}SigningTime").text = f"{self.time:%Y-%m-%dT%H:%M:%SZ}"
        if self.names_signer:
            cert = etree.SubElement(etree.SubElement(group, f"{{{XADES}}}SigningCertificateV2"), f"{{{XADES}}}Cert")
            digest = etree.SubElement(cert, f"{{{XADES}}}CertDigest")
            etree.SubElement(digest, f"{{{DS}}}DigestMethod", Algorithm=DIGESTS["sha512"])
            octets = hashed("sha512", (self.named or self.signer).der)
            etree.SubElement(digest, f"{{{DS}}}DigestValue").text = base64.b64encode(octets).decode()
        return signed

    def _reference(self, info: etree._Element, one: Wanted) -> None:
        attributes = {} if one.uri is None else {"URI": one.uri}
        if one.type:
            attributes["Type"] = one.type
        reference = etree.SubElement(info, f"{{{DS}}}Reference", attributes)
        if one.steps:
            steps = etree.SubElement(reference, f"{{{DS}}}Transforms")
            for step in one.steps:
                etree.SubElement(steps, f"{{{DS}}}Transform", Algorithm=step)
        etree.SubElement(reference, f"{{{DS}}}DigestMethod", Algorithm=DIGESTS[self.digest])
        octets = hashed(self.digest, one.octets)
        etree.SubElement(reference, f"{{{DS}}}DigestValue").text = base64.b64encode(octets).decode()

    def document(self, source: bytes = b"<letter><text>Good day</text></letter>") -> bytes:
        return etree.tostring(self.sign(etree.fromstring(source)), xml_declaration=True, encoding="UTF-8")


def method_for(signer: Identity, digest: str) -> str:
    key = signer.key
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519"
    if isinstance(key, ed448.Ed448PrivateKey):
        return "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed448"
    if isinstance(key, ec.EllipticCurvePrivateKey):
        space = "http://www.w3.org/2021/04/xmldsig-more#" if digest.startswith("sha3-") else _MORE
        return f"{space}ecdsa-{digest}"
    return f"{DS}rsa-sha1" if digest == "sha1" else f"{_MORE}rsa-{digest}"


def signature_value(signer: Identity, digest: str, octets: bytes, method: str = "") -> bytes:
    key, algorithm = signer.key, _HASHES[digest]
    if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        return key.sign(octets)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = utils.decode_dss_signature(key.sign(octets, ec.ECDSA(algorithm)))
        size = (key.curve.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    assert isinstance(key, rsa.RSAPrivateKey)
    if method.endswith("MGF1"):
        return key.sign(octets, padding.PSS(padding.MGF1(algorithm), algorithm.digest_size), algorithm)
    return key.sign(octets, padding.PKCS1v15(), algorithm)


def unsigned_properties(root: etree._Element) -> etree._Element:
    """UnsignedSignatureProperties of the first signature, made when it is not there."""
    qualifying = next(root.iter(f"{{{XADES}}}QualifyingProperties"))
    found = qualifying.find(f"{{{XADES}}}UnsignedProperties/{{{XADES}}}UnsignedSignatureProperties")
    if found is not None:
        return found
    outer = etree.SubElement(qualifying, f"{{{XADES}}}UnsignedProperties")
    return etree.SubElement(outer, f"{{{XADES}}}UnsignedSignatureProperties")


def stamp(root: etree._Element, unit: Identity, *, at: datetime = NOW, **edits: Any) -> None:
    """Put a SignatureTimeStamp over the signature value as it stands."""
    octets = canonical(next(root.iter(f"{{{DS}}}SignatureValue")))
    recipe = Recipe(unit, imprint=Digest("sha256", hashed("sha256", octets)), gen_time=at).but(**edits)
    holder = etree.SubElement(unsigned_properties(root), f"{{{XADES}}}SignatureTimeStamp")
    etree.SubElement(holder, f"{{{DS}}}CanonicalizationMethod", Algorithm=EXCLUSIVE)
    etree.SubElement(holder, f"{{{XADES}}}EncapsulatedTimeStamp").text = base64.b64encode(recipe.token()).decode()

"""Validation material: what is there, what was used for whom, what is missing (EN 319 102-1 5.2.5, 5.2.6).

Rules kept here
 * Nothing is fetched; where material could be had (AIA, CRL distribution points) is told, as stated in the
   certificate itself and limited in number and length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from asn1crypto import crl as asn1_crl
from asn1crypto import x509

from archive_core.ports import ValidationData
from signing.certificates import load_certificate, name_of, same_name
from signing.examination.trust import ExaminationTrust
from signing.examination.values import Material, MaterialKind, MissingMaterial
from signing.judgement import PARSER_ERRORS
from signing.revocation import is_exempt, ocsp_serial_numbers

_DEEPEST = 12
_MOST_SOURCES = 6
_LONGEST_SOURCE = 500


def merged(*sources: ValidationData | None) -> ValidationData:
    """All of it, each item once, in order."""
    given = [source for source in sources if source is not None]
    return ValidationData(
        tuple(dict.fromkeys(der for source in given for der in source.certificates)),
        tuple(dict.fromkeys(der for source in given for der in source.crls)),
        tuple(dict.fromkeys(der for source in given for der in source.ocsps)),
    )


def listed(data: ValidationData, origin: str) -> tuple[Material, ...]:
    """Each item by its SHA-256, with the name of the certificate's subject."""
    found = [Material(MaterialKind.CERTIFICATE, _sha256(der), origin, _name(der)) for der in data.certificates]
    found += [Material(MaterialKind.CRL, _sha256(der), origin) for der in data.crls]
    found += [Material(MaterialKind.OCSP, _sha256(der), origin) for der in data.ocsps]
    return tuple(found)


def _sha256(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()


def _name(der: bytes) -> str:
    try:
        return name_of(load_certificate(der))[:_LONGEST_SOURCE]
    except PARSER_ERRORS:
        return "unreadable"


def chain_of(
    certificate: x509.Certificate, material: ValidationData, trust: ExaminationTrust
) -> tuple[x509.Certificate, ...]:
    """The signer's certificate and its issuers as far as they are there, by name; no signature is checked here."""
    inside = readable(material.certificates)
    chain = [certificate]
    while len(chain) < _DEEPEST and not same_name(chain[-1].issuer, chain[-1].subject):
        above = chain[-1].issuer
        known = [*(one for one in inside if same_name(one.subject, above)), *trust.named(above)]
        issuer = next((one for one in known if one not in chain), None)
        if issuer is None:
            break
        chain.append(issuer)
    return tuple(chain)


def readable(ders: Iterable[bytes]) -> list[x509.Certificate]:
    """Those of the certificates that can be read, each once."""
    found = []
    for der in dict.fromkeys(ders):
        try:
            found.append(load_certificate(der))
        except PARSER_ERRORS:
            continue  # told where the path is built
    return found


def missing_material(
    chain: Sequence[x509.Certificate], material: ValidationData, trust: ExaminationTrust
) -> tuple[MissingMaterial, ...]:
    """Issuers that are not there, and certificates below an anchor about which there is no revocation data."""
    found: list[MissingMaterial] = []
    top = chain[-1]
    if not same_name(top.issuer, top.subject) and not trust.is_anchor(top):
        sources = _issuer_sources(top)
        found.append(MissingMaterial(MaterialKind.CERTIFICATE, top.issuer.human_friendly, _sha256(top.dump()), sources))
    crl_issuers, serials = _revocation_index(merged(material, trust.extra))
    for certificate in chain:
        if trust.is_anchor(certificate) or same_name(certificate.issuer, certificate.subject):
            break
        has_crl = any(same_name(certificate.issuer, name) for name in crl_issuers)
        if has_crl or certificate.serial_number in serials or is_exempt(certificate):
            continue
        kind = MaterialKind.OCSP if certificate.ocsp_urls else MaterialKind.CRL
        found.append(
            MissingMaterial(kind, name_of(certificate), _sha256(certificate.dump()), _revocation_sources(certificate))
        )
    return tuple(found)


def _revocation_index(data: ValidationData) -> tuple[list[x509.Name], set[int]]:
    issuers: list[x509.Name] = []
    serials: set[int] = set()
    for der in data.crls:
        try:
            issuers.append(asn1_crl.CertificateList.load(der).issuer)
        except PARSER_ERRORS:
            continue  # told where revocation is judged
    for der in data.ocsps:
        serials |= ocsp_serial_numbers(der)
    return issuers, serials


def _issuer_sources(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        access = certificate.authority_information_access_value or ()
        urls = [
            str(one["access_location"].native)
            for one in access
            if one["access_method"].native == "ca_issuers"
            and one["access_location"].name == "uniform_resource_identifier"
        ]
    except PARSER_ERRORS:
        return ()
    return _told(urls)


def _revocation_sources(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        urls = [str(url) for url in certificate.ocsp_urls]
        urls += [str(point.url) for point in certificate.crl_distribution_points if point.url]
    except PARSER_ERRORS:
        return ()
    return _told(urls)


def _told(urls: Iterable[str]) -> tuple[str, ...]:
    return tuple(url for url in dict.fromkeys(urls) if len(url) <= _LONGEST_SOURCE)[:_MOST_SOURCES]

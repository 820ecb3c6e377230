"""The signature on a published list of algorithms (RFC 5698 3.1: XML signature, enveloped).

Rules kept here
 * A list is signed by one of the certificates that the settings name, or it is not signed for us: no certificate
   inside the list is believed, no chain is built, nothing is fetched.
 * What was signed is looked at, not what surrounds it: the list that is read from the signed octets must be the very
   list that is used.
 * The signer's certificate must be valid on the day on which the list says that it was issued.
 * Only the present signature methods: no SHA-1, no shared secrets.
"""

from __future__ import annotations

from collections.abc import Sequence

from archive_core.errors import SettingsError
from policies.dssc_xml import read_xml
from policies.errors import PolicyError


def verify_list_signature(source: bytes, signers: Sequence[bytes]) -> None:
    """Check that one of `signers` (DER certificates) signed the list; raises `SettingsError` when none did.

    The caller has read `source` before (`policies.tables`), which refuses what is not safe to parse.
    """
    from cryptography import x509  # these load only where a list is signed
    from lxml import etree
    from signxml.exceptions import SignXMLException
    from signxml.verifier import SignatureConfiguration, XMLVerifier

    issued = read_xml(source).issued  # bounded, and without a document type declaration
    if not signers:
        raise SettingsError("the list of algorithms is signed, but the settings name no signer to expect")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    why = ""
    for der in signers:
        try:
            result = XMLVerifier().verify(
                etree.fromstring(source, parser),
                x509_cert=x509.load_der_x509_certificate(der),
                expect_config=SignatureConfiguration(location="./", verification_time=issued),
            )
        except (SignXMLException, ValueError, TypeError, etree.LxmlError) as error:
            why = str(error) or type(error).__name__
            continue
        assert not isinstance(result, list)  # one reference is expected
        _verify_seen(result.signed_data, source)
        return
    raise SettingsError(f"the list of algorithms is not signed by any of the named signers: {why}")


def _verify_seen(signed: bytes, source: bytes) -> None:
    try:
        same = read_xml(signed) == read_xml(source)
    except PolicyError as error:
        raise SettingsError(f"the signature on the list of algorithms is over something else: {error}") from error
    if not same:
        raise SettingsError(
            "the signature on the list of algorithms is over another list than the one that stands there"
        )

"""A small list of algorithms in the shape in which ETSI publishes its own, and how to vary it."""

from __future__ import annotations

LIST = """<?xml version="1.0" encoding="UTF-8"?>
<d:SecuritySuitabilityPolicy xmlns:d="urn:ietf:params:xml:ns:dssc" xmlns:e="http://uri.etsi.org/19322/v1.1.1#"
    version="2" lang="en" id="i0">
  <d:PolicyName><d:Name>Suites</d:Name><d:ObjectIdentifier>2.1.1</d:ObjectIdentifier><d:URI/></d:PolicyName>
  <d:Publisher><d:Name>A Publisher</d:Name><d:Address>Somewhere</d:Address><d:URI/></d:Publisher>
  <d:PolicyIssueDate>2026-02-01T00:00:00.000+01:00</d:PolicyIssueDate>
  <d:Usage>assessment</d:Usage>
  <!-- digests -->
  <d:Algorithm>
    <d:AlgorithmIdentifier><d:Name>SHA224</d:Name><d:ObjectIdentifier>2.16.840.1.101.3.4.2.4</d:ObjectIdentifier>
      <d:URI>http://www.w3.org/2001/04/xmldsig-more#sha224</d:URI></d:AlgorithmIdentifier>
    <d:Evaluation><d:Validity><d:End>2029-01-01+01:00</d:End></d:Validity>
      <e:MoreDetails><e:Recommendation>L</e:Recommendation></e:MoreDetails></d:Evaluation>
  </d:Algorithm>
  <d:Algorithm>
    <d:AlgorithmIdentifier><d:Name>SHA512</d:Name><d:ObjectIdentifier>2.16.840.1.101.3.4.2.3</d:ObjectIdentifier>
    </d:AlgorithmIdentifier>
    <d:Evaluation><d:Validity/><e:MoreDetails><e:Recommendation>R</e:Recommendation></e:MoreDetails></d:Evaluation>
  </d:Algorithm>
  <d:Algorithm>
    <d:AlgorithmIdentifier><d:Name>SHA1</d:Name><d:ObjectIdentifier>1.3.14.3.2.26</d:ObjectIdentifier>
    </d:AlgorithmIdentifier>
    <d:Evaluation><d:Validity><d:End>2012-08-01</d:End></d:Validity></d:Evaluation>
  </d:Algorithm>
  <!-- signatures -->
  <d:Algorithm>
    <d:AlgorithmIdentifier><d:Name>sha512WithRSAEncryption</d:Name>
      <d:ObjectIdentifier>1.2.840.113549.1.1.13</d:ObjectIdentifier></d:AlgorithmIdentifier>
    <d:Evaluation><d:Parameter name="moduluslength"><d:Min>1900</d:Min></d:Parameter>
      <d:Validity><d:End>2026-04-01</d:End></d:Validity></d:Evaluation>
    <d:Evaluation><d:Parameter name="moduluslength"><d:Min>3000</d:Min></d:Parameter>
      <d:Validity><d:End>2034-01-01</d:End></d:Validity></d:Evaluation>
  </d:Algorithm>
  <d:Algorithm>
    <d:AlgorithmIdentifier><d:Name>ECDSA with SHA-512</d:Name>
      <d:ObjectIdentifier>1.2.840.10045.4.3.4</d:ObjectIdentifier></d:AlgorithmIdentifier>
    <d:Evaluation><d:Validity/></d:Evaluation>
  </d:Algorithm>
  <d:Algorithm>
    <d:AlgorithmIdentifier><d:Name>ML-DSA-65</d:Name>
      <d:ObjectIdentifier>2.16.840.1.101.3.4.3.18</d:ObjectIdentifier></d:AlgorithmIdentifier>
    <d:Evaluation><d:Validity><d:Start>2026-02-01</d:Start></d:Validity></d:Evaluation>
  </d:Algorithm>
  <d:Algorithm>
    <d:AlgorithmIdentifier><d:Name>secp384r1</d:Name><d:ObjectIdentifier>1.3.132.0.34</d:ObjectIdentifier>
    </d:AlgorithmIdentifier>
    <d:Evaluation><d:Validity/></d:Evaluation>
  </d:Algorithm>
</d:SecuritySuitabilityPolicy>
"""

JSON_LIST = """{"SecuritySuitabilityPolicy": {
  "PolicyName": {"Name": "Suites", "ObjectIdentifier": "2.1.1"},
  "Publisher": {"Name": "A Publisher"},
  "PolicyIssueDate": "2026-02-01T00:00:00.000+01:00",
  "Algorithm": [
    {"AlgorithmIdentifier": {"Name": "SHA512", "ObjectIdentifier": "2.16.840.1.101.3.4.2.3"},
     "Evaluation": [{"Validity": {}, "Recommendation": "R"}]},
    {"AlgorithmIdentifier": {"Name": "SHA224", "ObjectIdentifier": "2.16.840.1.101.3.4.2.4"},
     "Evaluation": [{"Validity": {"End": "2029-01-01"}, "Recommendation": "L"}]},
    {"AlgorithmIdentifier": {"Name": "sha512WithRSAEncryption", "ObjectIdentifier": "1.2.840.113549.1.1.13"},
     "Evaluation": [{"Validity": {"End": "2026-04-01"}, "Parameter": [{"Min": 1900, "name": "moduluslength"}]},
                    {"Validity": {"End": "2034-01-01"}, "Parameter": [{"Min": 3000, "name": "moduluslength"}]}]}
  ], "version": "2", "lang": "en-GB", "id": "x"}}
"""


def changed(old: str, new: str, source: str = LIST) -> bytes:
    """The list with a passage replaced, which must be there."""
    assert old in source, old
    return source.replace(old, new).encode()

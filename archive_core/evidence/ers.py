"""The ASN.1 module of RFC 4998 (appendix B, 1988 syntax, IMPLICIT tags), for writing.

Rules kept here
 * `ArchiveTimeStampSequence` is a sequence of *chains*, each a sequence of stamps; a module without
   the chain level cannot express any renewal.
 * A field behind an implicit tag has a concrete type, because a decoder that meets `ANY` there
   swallows the field that follows.
 * Tokens and chains that exist already enter as the octets they are, and leave unchanged: asn1crypto
   keeps the octets of a value that was loaded and not touched. Nothing here is dumped with `force`.
 * Reading goes through `record.parse_record`, which is strict and bounded; tests hold the two
   against each other.
"""

# asn1crypto is untyped, so its classes are Any to mypy.
# mypy: disable-error-code="misc"

from __future__ import annotations

from asn1crypto import cms, core


class DigestAlgorithm(core.Sequence):
    """An AlgorithmIdentifier that adds no NULL of its own, as asn1crypto's does (RFC 5754 2)."""

    _fields = [("algorithm", core.ObjectIdentifier), ("parameters", core.Any, {"optional": True})]  # noqa: RUF012


class PartialHashtree(core.SequenceOf):
    _child_spec = core.OctetString


class ReducedHashtree(core.SequenceOf):
    _child_spec = PartialHashtree


class Attribute(core.Sequence):
    _fields = [("type", core.ObjectIdentifier), ("values", core.SetOf, {"spec": core.Any})]  # noqa: RUF012


class Attributes(core.SetOf):
    _child_spec = Attribute


class CryptoInfos(core.SequenceOf):
    _child_spec = Attribute


class EncryptionInfo(core.Sequence):
    _fields = [  # noqa: RUF012
        ("encryption_info_type", core.ObjectIdentifier),
        ("encryption_info_value", core.Any),
    ]


class ArchiveTimeStamp(core.Sequence):
    _fields = [  # noqa: RUF012
        ("digest_algorithm", DigestAlgorithm, {"implicit": 0, "optional": True}),
        ("attributes", Attributes, {"implicit": 1, "optional": True}),
        ("reduced_hashtree", ReducedHashtree, {"implicit": 2, "optional": True}),
        ("time_stamp", cms.ContentInfo),
    ]


class ArchiveTimeStampChain(core.SequenceOf):
    _child_spec = ArchiveTimeStamp


class ArchiveTimeStampSequence(core.SequenceOf):
    _child_spec = ArchiveTimeStampChain


class DigestAlgorithms(core.SequenceOf):
    _child_spec = DigestAlgorithm


class EvidenceRecord(core.Sequence):
    _fields = [  # noqa: RUF012
        ("version", core.Integer),
        ("digest_algorithms", DigestAlgorithms),
        ("crypto_infos", CryptoInfos, {"implicit": 0, "optional": True}),
        ("encryption_info", EncryptionInfo, {"implicit": 1, "optional": True}),
        ("archive_time_stamp_sequence", ArchiveTimeStampSequence),
    ]

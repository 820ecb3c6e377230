"""Where the parts of an evidence record lie, found without the archive's own parser, and how to break them.

The rules this module keeps:

* Records are taken apart with pyasn1-alt-modules and asn1crypto's CMS, never with `archive_core.evidence`.
* A break changes exactly one bit of the record and leaves its length and its structure alone.
"""

import hashlib
from collections.abc import Iterator

from asn1crypto import cms
from pyasn1.codec.der.decoder import decode
from pyasn1.codec.der.encoder import encode
from pyasn1_alt_modules import rfc4998


def _stamps(record: bytes) -> Iterator[rfc4998.ArchiveTimeStamp]:
    decoded, _rest = decode(record, asn1Spec=rfc4998.EvidenceRecord())
    for chain in decoded["archiveTimeStampSequence"]:
        yield from chain


def tokens(record: bytes) -> list[bytes]:
    """The time-stamp tokens (ContentInfo) of a record, oldest first, all chains in one list."""
    return [encode(stamp["timeStamp"]) for stamp in _stamps(record)]


def hash_trees(record: bytes) -> list[list[list[bytes]]]:
    """The reduced hash tree of each stamp, as lists of values; an empty list where there is none."""
    return [
        [[bytes(value) for value in part] for part in stamp["reducedHashtree"]]
        if stamp["reducedHashtree"].isValue
        else []
        for stamp in _stamps(record)
    ]


def root(record: bytes) -> bytes:
    """What the hash tree of a record's only stamp reduces to, by its token's digest algorithm (RFC 4998 4.3)."""
    (tree,), (token,) = hash_trees(record), tokens(record)
    imprint = cms.ContentInfo.load(token)["content"]["encap_content_info"]["content"].parsed["message_imprint"]
    algorithm = imprint["hash_algorithm"]["algorithm"].native
    node = b""
    for values in tree:
        level = sorted([*values, node] if node else values)
        node = level[0] if len(level) == 1 else hashlib.new(algorithm, b"".join(level)).digest()
    return node


def certificates(token: bytes) -> list[bytes]:
    """The certificates (DER) that a token carries."""
    return [choice.chosen.dump() for choice in cms.ContentInfo.load(token)["content"]["certificates"]]


def crls(token: bytes) -> list[bytes]:
    """The CRLs (DER) that a token carries; other revocation information is left out."""
    carried = cms.ContentInfo.load(token)["content"]["crls"]
    return [choice.chosen.dump() for choice in carried or [] if choice.name == "certificate_list"]


def flipped(content: bytes, position: int | None = None) -> bytes:
    """The same bytes with the lowest bit of one of them changed: the one at `position`, or the one in the middle."""
    at = len(content) // 2 if position is None else position
    changed = bytearray(content)
    changed[at] ^= 1
    return bytes(changed)


def flipped_within(whole: bytes, part: bytes) -> bytes:
    """The whole with one bit changed in the last byte of the first place where `part` lies in it."""
    start = whole.find(part)
    if start < 0:
        raise ValueError("the part does not lie in the whole")
    return flipped(whole, start + len(part) - 1)


def flipped_in_token(record: bytes, token: bytes, part: bytes) -> bytes:
    """The record with one bit changed in a part of one of its tokens; the part may lie elsewhere in the record too."""
    start = record.find(token)
    if start < 0:
        raise ValueError("the token does not lie in the record")
    return record[:start] + flipped_within(token, part) + record[start + len(token) :]


def broken_records(record: bytes) -> dict[str, bytes]:
    """The record with one bit changed, for each of its parts that must hold: every value of every hash tree, and the
    message imprint and the signature of every token.
    """
    broken = {}
    for number, tree in enumerate(hash_trees(record), start=1):
        for row, values in enumerate(tree, start=1):
            for column, value in enumerate(values, start=1):
                broken[f"stamp {number}: path, list {row}, value {column}"] = flipped_within(record, value)
    for number, token in enumerate(tokens(record), start=1):
        signed = cms.ContentInfo.load(token)["content"]
        imprint = signed["encap_content_info"]["content"].parsed["message_imprint"]["hashed_message"].contents
        signature = signed["signer_infos"][0]["signature"].contents
        broken[f"stamp {number}: token, imprint"] = flipped_in_token(record, token, imprint)
        broken[f"stamp {number}: token, signature"] = flipped_in_token(record, token, signature)
    return broken

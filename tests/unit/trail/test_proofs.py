"""A trail proof proves the very lines it is about, in the very log it names."""

import json
from dataclasses import replace

import pytest

from archive_core import canonical
from archive_core.errors import EvidenceBrokenError, MalformedDocumentError
from archive_core.trail.merkle import Log, leaf_hash
from archive_core.trail.proofs import ProvenEntry, TrailProof

LINES = [b'{"n":%d}\n' % number for number in range(20)]
LOG = Log(leaf_hash(line[:-1]) for line in LINES)
INDEXES = [2, 3, 11, 16]
PROOF = TrailProof.of(LOG, 17, INDEXES)
MINE = [LINES[index] for index in INDEXES]


def test_the_lines_are_proven_in_the_log_as_it_was() -> None:
    """Also after a way through bytes."""
    TrailProof.parse(PROOF.to_bytes()).verify(MINE)


def test_any_other_line_is_refused() -> None:
    """Changed, swapped, missing, additional, without its end."""
    changed = [MINE[0], MINE[1].replace(b"3", b"4"), *MINE[2:]]
    swapped = [MINE[1], MINE[0], *MINE[2:]]
    for lines in (changed, swapped, MINE[:-1], [*MINE, LINES[5]], [*MINE[:-1], MINE[-1][:-1]], []):
        with pytest.raises(EvidenceBrokenError):
            PROOF.verify(lines)


def test_another_log_is_refused() -> None:
    """Size and head belong to the proof."""
    for other in (replace(PROOF, size=18), replace(PROOF, head=LOG.head(18))):
        with pytest.raises(EvidenceBrokenError):
            other.verify(MINE)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "trusted-archive/trail-proof/2"},
        {"size": -1},
        {"head": "00"},
        {"entries": [{"index": 1, "proof": []}, {"index": 1, "proof": []}]},
        {"entries": [{"index": 2, "proof": []}, {"index": 1, "proof": []}]},
        {"entries": [{"index": 17, "proof": []}]},
        {"entries": [{"index": 1, "proof": ["00" * 63]}]},
        {"entries": [{"index": 1, "proof": ["00" * 64] * 200}]},
        {"entries": [{"index": 1}]},
        {"more": 1},
    ],
)
def test_a_malformed_proof_is_refused(change: dict[str, object]) -> None:
    """Indexes ascend within the log, hashes have their length, proofs are bounded."""
    with pytest.raises(MalformedDocumentError):
        TrailProof.parse(canonical.write({**json.loads(PROOF.to_bytes()), **change}))


def test_proofs_are_made_within_the_log_only() -> None:
    """An entry after the sealed head cannot be proven by it."""
    with pytest.raises(ValueError, match="entry"):
        TrailProof.of(LOG, 17, [17])
    assert TrailProof.of(LOG, 17, []).entries == ()
    assert ProvenEntry(2, LOG.inclusion_proof(2, 17)) == PROOF.entries[0]

"""The page that a comparison becomes."""
# ruff: noqa: E501 - rows of tables in Markdown are one line each

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.comparison import Tally
    from benchmarks.comparison_rivals import Rival

_HEAD = """\
# What you would take instead

Made by `python -m benchmarks.comparison`; do not edit. The same documents, the same faults, two copies each; every program by
its own commands as its manual says. What is good at what it is made for is not worse for not being an archive: restic and
borg encrypt, deduplicate and keep many generations of files that change, rclone talks to everything.

A fault hits one copy. *Found*: the program's own full check of all bytes fails, or has not come to an end after 25 s (restic
tries for a quarter of an hour to read what is not there). *Repaired*: afterwards all documents come
from that copy alone to the byte, and the check is good again.
"""

_NOTES = """\
An insider is somebody with all rights and passwords, who dates back what he puts in. restic and borg keep the few documents
of these runs in one or two files, so that damages of both copies meet there; in large repositories most documents would come
back, by hand."""

_TAIL = """\
## What the table cannot show

| | trusted-archive | restic, borg | rclone with digests |
| --- | --- | --- | --- |
| proof, to somebody who does not trust you, of what a document was and since when | sealed, time-stamped evidence record and receipt, checked without us, renewed for decades | none: whoever has the password can make any past | none: whoever can write can make new digests |
| an acknowledgement that both copies are durable and read back | before it answers | no: two commands, read back by a later check | compared once, after copying |
| the format in fifty years | plain files, OCFL 1.1, JSON | a program that knows the repository | plain files |
| delete one document, and prove the rest | tombstone; siblings' proofs stay good | rewrite of snapshots | delete the file and its line |
| encryption at rest | no: the file system's or the bucket's | yes | `crypt` |
| deduplication | no | yes | no |
| object lock | set, extended, attacked daily to see whether it holds | the bucket's, if somebody sets it | the bucket's, if somebody sets it |

In the columns with a bucket one copy lies in a directory and one in a bucket of a real Ceph 16 with object lock in
compliance mode, and the faults hit the bucket's copy, as somebody does who may write: the damaged bytes are put over the
good ones, or those are deleted. The lock keeps what was there as an older version; it keeps nobody from putting
another one over it. So a reader meets the damage all the same, and only somebody who knows that there is something to look for
finds the old version. Faults below the server are Ceph's to find.
"""


def page(
    rivals: Mapping[str, Rival],
    tallies: Mapping[str, Tally],
    faults: Sequence[str],
    options: argparse.Namespace,
    facts: Mapping[str, str],
) -> str:
    """The whole page, in Markdown."""
    names = list(rivals)
    lines = [_HEAD, "## Faults", "", _row(["found / repaired of tried", *(f"{n} {rivals[n].version}" for n in names)])]
    lines.append(_row(["---", *("---:" for _ in names)]))
    every = [*faults, *(name for name in tallies[names[0]].tried if name not in faults)]
    for fault in every:
        cells = []
        for name in names:
            tally = tallies[name]
            mended = tally.repaired.get(fault)
            shown = f"{tally.found[fault]} / {'–' if mended is None else mended} of {tally.tried[fault]}"
            cells.append(shown)
        lines.append(_row([fault, *cells]))
    kept = ["yes" if tallies[name].still_there else "no" for name in names]
    lines.append(_row(["what the insider replaced can still be had", *kept]))
    lines += ["", _NOTES, ""]
    lines += [f"- **{name}** repairs with {rivals[name].repairs}." for name in names]
    lines += ["", "## Speed and cost", "", _row(["", *names]), _row(["---", *("---:" for _ in names)])]
    size = options.documents * 30_000 / 1e6
    for what, title in (("store", "two copies made"), ("check", "every byte of both checked")):
        cells = [f"{(2 if what == 'check' else 1) * size / tallies[name].seconds[what]:.1f} MB/s" for name in names]
        lines.append(_row([title, *cells]))
    lines.append(_row(["longest repair", *(f"{tallies[name].seconds['repair']:.1f} s" for name in names)]))
    lines.append(
        _row(["bytes kept per byte and copy", *(f"{tallies[name].seconds['overhead']:.2f}" for name in names)])
    )
    lines += [
        "",
        f"{options.documents} documents of 30,000 random bytes for speed, {options.few} for the faults, {options.trials} "
        f"trials of each with seed {options.seed}; one run, page cache warm, whole commands with their start. Ours is the "
        "deposit with evidence (`deposit`, `preserve`); MB are 10^6 bytes of documents, counted twice for the check.",
        "",
        "; ".join(f"{key}: {value}" for key, value in facts.items()) + ".",
        "",
        _TAIL,
    ]
    return "\n".join(lines).rstrip() + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

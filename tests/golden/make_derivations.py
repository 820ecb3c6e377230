"""Write the golden vectors of a *new* derivation version; those of a published version never change.

    python -m tests.golden.make_derivations VERSION

Refuses to touch a file that exists. Inputs are the stories below; their tokens are signed afresh (ECDSA is not
deterministic), which is why the inputs are kept in the file beside the records that they lead to.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from archive_core.evidence.derivation import derive_record
from archive_core.evidence.record import parse_record
from tests.unit.evidence.story import Story

HERE = Path(__file__).resolve().parent


def stories() -> Iterator[tuple[str, Story]]:
    """Every shape that a record of ours can have."""
    one, three = [b"the only document"], [b"first", b"second", b"third"]
    yield "one document alone", Story(one).stamp()
    yield "one document among 33", Story(one).stamp(others=32, position=17)
    yield "the lone last node carried up", Story(one).stamp(others=4, position=4)
    yield "group of three alone", Story(three).stamp()
    yield "group of three among 6", Story(three).stamp(others=5, position=2)
    yield "sha384", Story(three).stamp("sha384", others=2)
    yield "sha3-512", Story(three).stamp("sha3-512", others=2)
    yield "time-stamp renewal", Story(three).stamp(others=5, position=2).renew_time_stamp(others=2, position=1)
    yield "hash-tree renewal", Story(three).stamp("sha256", others=5).renew_hash_tree("sha512", others=3, position=3)
    both = Story(three).stamp("sha256", others=3).renew_time_stamp(others=1)
    yield "both renewals", both.renew_hash_tree("sha512", others=2, position=1).renew_time_stamp()
    foreign = Story(one).stamp("sha256", others=2).renew_time_stamp()
    continued = Story(one, prefix=foreign.record(), now=foreign.now)
    yield "prefix record continued", continued.renew_hash_tree("sha512", others=6, position=5)


def described(name: str, story: Story, version: int) -> dict[str, object]:
    record = derive_record(story.chains, version=version, prefix=story.prefix)
    return {
        "name": name,
        "documents": [document.hex() for document in story.documents],
        "prefix": base64.b64encode(story.prefix.raw).decode() if story.prefix else None,
        "chains": [
            [
                {
                    "digest_algorithm": stamp.digest_algorithm,
                    "first_list": [value.hex() for value in stamp.first_list],
                    "siblings": [value.hex() for value in stamp.siblings],
                    "token": base64.b64encode(stamp.token).decode(),
                }
                for stamp in chain
            ]
            for chain in story.chains
        ],
        "gen_times": [stamp.token_info.gen_time.isoformat() for stamp in parse_record(record).stamps],
        "record": base64.b64encode(record).decode(),
    }


def main(version: int) -> None:
    cases = [described(name, story, version) for name, story in stories()]
    text = json.dumps({"derivation_version": version, "cases": cases}, indent=1, ensure_ascii=False)
    with (HERE / f"derivation-{version}.json").open("x", encoding="utf-8") as file:
        file.write(text + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""The inside of the process that reads trusted lists and makes one index of them (`api.wiring_examination` starts it).

Rules kept here
 * Limits are set before a list is read. The lists' signatures are verified as ever (`files`), and every list must be
   accepted: an index of fewer would say "not listed" of what is.
 * The answer is the index on standard output; what is wrong is told on standard error, with exit code 1.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from signing.examination.child import limit
from signing.trusted_lists.files import book_of
from signing.trusted_lists.index import index_bytes


def main(arguments: list[str]) -> int:
    """`arguments`: bytes of memory, seconds of processor time. The request (paths) comes on standard input."""
    memory, seconds = (int(word) for word in arguments)
    answer_to = os.dup(1)
    os.dup2(2, 1)
    limit(memory, seconds)
    paths = [Path(one) for one in json.load(sys.stdin)]
    try:
        octets = index_bytes(book_of(paths))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}"[:1000])
        return 1
    with os.fdopen(answer_to, "wb") as stream:
        stream.write(octets)
    return 0

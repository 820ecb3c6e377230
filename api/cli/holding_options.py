"""The options of `hold`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from api.texts import text


def options(parser: argparse.ArgumentParser, poid: Callable[[str], str]) -> None:
    """What `hold` takes; `poid` makes a POID of a word."""
    parser.add_argument("poids", type=poid, nargs="*", metavar="POID", help=text("the preservation objects"))
    parser.add_argument(
        "--name",
        metavar="TEXT",
        help=text("what the hold is called, such as the number of a court file; an object may be under several"),
    )
    parser.add_argument("--reason", metavar="TEXT", help=text("why, for the trail; it can be erased"))
    parser.add_argument("--release", action="store_true", help=text("lift the hold"))
    parser.add_argument("--list", action="store_true", help=text("show what is held since when, by whom and why"))

"""The options of `renewal …`; the commands themselves are in `renewing` and beside it."""

from __future__ import annotations

import argparse

from api.texts import text


def run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timestamps", action="store_true", help=text("time-stamp renewals alone: no document is read")
    )
    parser.add_argument(
        "--hash-tree",
        metavar="ALGORITHM",
        help=text("hash-tree renewals alone, to this digest (sha512, sha384, sha3-512): every document is read"),
    )
    parser.add_argument("--due", action="store_true", help=text("what is due (this is meant when nothing is said)"))
    parser.add_argument("--all", action="store_true", help=text("everything, due or not; this is the confirmation"))
    parser.add_argument(
        "--tsa", metavar="NAME", help=text("the time-stamp authority to take, by its name in the settings")
    )
    parser.add_argument("--dry-run", action="store_true", help=text("say what would be done, and do nothing"))

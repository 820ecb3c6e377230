"""The options of `lists …`; the commands themselves are in `listing_lists`."""

from __future__ import annotations

import argparse
from pathlib import Path

from api.texts import text


def one(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--snapshot", type=int, metavar="N", help=text("this snapshot, not the newest"))


def export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help=text("where the lists are written; made if need be"))
    one(parser)

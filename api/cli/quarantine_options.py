"""The options of `examination` and `quarantine …`; the commands themselves are in `quarantining`."""

from __future__ import annotations

import argparse
from pathlib import Path

from api.texts import text


def examination(parser: argparse.ArgumentParser) -> None:
    _version(parser)
    parser.add_argument("--document", metavar="PATH", help=text("the document whose whole report is wanted"))
    parser.add_argument("--out", type=Path, metavar="FILE", help=text("where that report goes"))
    parser.add_argument("--xml", action="store_true", help=text("that report as XML of ETSI TS 119 102-2, not as JSON"))


def release(parser: argparse.ArgumentParser) -> None:
    _version(parser)
    parser.add_argument("--reason", required=True, metavar="TEXT", help=text("why, for the trail; it can be erased"))


def reject(parser: argparse.ArgumentParser) -> None:
    _version(parser)
    parser.add_argument(
        "--reason",
        required=True,
        metavar="TEXT",
        help=text("why, such as the number of a disposal proceeding; it is kept for ever and must not name people"),
    )
    parser.add_argument("--yes", action="store_true", help=text("do it: what is destroyed cannot be brought back"))


def _version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("poid", metavar="POID", help=text("the preservation object"))
    parser.add_argument("--version", type=int, metavar="N", help=text("this version; the newest one otherwise"))

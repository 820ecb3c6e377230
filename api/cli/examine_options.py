"""The options of `examine`."""

from __future__ import annotations

import argparse
from pathlib import Path

from api.texts import text


def examine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=_path, metavar="FILE", help=text("the file to examine"))
    parser.add_argument(
        "--detached",
        type=_path,
        nargs="+",
        action="append",
        metavar="DATA",
        help=text("the data that a detached signature is over"),
    )
    parser.add_argument(
        "--trust",
        type=_path,
        action="append",
        metavar="CERTS",
        help=text("certificates to trust, in files or folders; nobody is trusted otherwise"),
    )
    parser.add_argument(
        "--trusted-list",
        type=_path,
        action="append",
        metavar="FILE",
        help=text("an ETSI trusted list (XML) whose services are trusted and tell the qualified status"),
    )
    parser.add_argument("--at", metavar="TIME", help=text("judge as of this time; now otherwise"))
    parser.add_argument("--xml", type=_path, metavar="FILE", help=text("write the report as XML (ETSI TS 119 102-2)"))


def _path(word: str) -> Path:
    if not word:
        raise argparse.ArgumentTypeError(text("an empty value is not taken"))
    return Path(word)

"""The options of `backup` and `restore`; the commands themselves are in `backing_up`."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from api.texts import text


def backup(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=text("the new file"))
    parser.add_argument(
        "--passphrase",
        metavar="ADDRESS",
        help=text("where the passphrase is: env:NAME or file:PATH; it is never written on the command line"),
    )
    parser.add_argument(
        "--recipient",
        action="append",
        default=[],
        metavar="age1…",
        help=text("encrypt to this age public key instead; may be repeated"),
    )
    parser.add_argument("--dry-run", action="store_true", help=text("say what would be in it, and write nothing"))


def restore(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        type=Path,
        nargs="?",
        metavar="FILE",
        help=text("the backup; without it a restore that was begun goes on"),
    )
    parser.add_argument(
        "--passphrase",
        metavar="ADDRESS",
        help=text("where the passphrase is: env:NAME or file:PATH; it is never written on the command line"),
    )
    parser.add_argument(
        "--identity", metavar="ADDRESS", help=text("where the age secret key is: env:NAME or file:PATH")
    )
    parser.add_argument(
        "--digest", type=_digest, metavar="SHA-512", help=text("what `backup` said; a backup to recipients needs it")
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="STORE",
        help=text("this store is lost: nothing is asked of it; may be repeated"),
    )
    parser.add_argument(
        "--dry-run", action="store_true", help=text("verify the backup, say what would be done, and do nothing")
    )
    parser.add_argument(
        "--release", action="store_true", help=text("let the restored home be written to, if nothing is missing in it")
    )
    parser.add_argument("--yes", action="store_true", help=text("do it: from then on the backup is out of date"))


def _digest(word: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{128}", word):
        raise argparse.ArgumentTypeError(text("a SHA-512 digest is 128 hexadecimal digits"))
    return word.lower()

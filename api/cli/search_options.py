"""The options of `search`."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from api.cli.access_options import instant_word
from api.texts import text

_SHA512 = re.compile(r"[0-9a-f]{128}", re.ASCII | re.IGNORECASE)


def search(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help=text("all of them; `nov*` stands for all that begin so")
    )
    parser.add_argument("--organisation", metavar="ID", help=text("whose documents; otherwise all"))
    parser.add_argument("--status", choices=("replicated", "evidenced"), help=text("these alone"))
    parser.add_argument(
        "--from", dest="received_from", type=instant_word, metavar="DATE", help=text("deposited then or later")
    )
    parser.add_argument(
        "--until", dest="received_until", type=instant_word, metavar="DATE", help=text("deposited before")
    )
    parser.add_argument("--sha512", type=_digest, metavar="HEX", help=text("with a file of this digest"))
    parser.add_argument("--file", type=Path, metavar="PATH", help=text("with a file of these very bytes"))
    parser.add_argument("--limit", type=int, default=100, metavar="N", help=text("at most so many (default: 100)"))


def _digest(word: str) -> str:
    if not _SHA512.fullmatch(word):
        raise argparse.ArgumentTypeError(text("{word} is no SHA-512 digest", word=ascii(word[:16])))
    return word.lower()

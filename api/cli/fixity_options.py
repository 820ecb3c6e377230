"""The options of `fixity …`; the commands themselves are in `fixing`."""

from __future__ import annotations

import argparse
from pathlib import Path

from api.texts import text


def run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--budget",
        type=_bytes,
        metavar="BYTES/S",
        help=text("read at most so many bytes a second of each store; K, M and G are understood"),
    )
    parser.add_argument("--store", metavar="NAME", help=text("this store alone"))
    parser.add_argument(
        "--anew", action="store_true", help=text("begin anew, also where a run that was interrupted could go on")
    )


def status(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--svg", type=Path, metavar="FILE", help=text("draw the history as SVG"))


def _bytes(word: str) -> int:
    """Bytes a second: `50000000`, `50M`, `50M/s`."""
    plain = word.removesuffix("/s").removesuffix("B").removesuffix("i")
    factor = {"K": 1000, "M": 1000**2, "G": 1000**3}.get(plain[-1:].upper(), 1)
    digits = plain[:-1] if factor > 1 else plain
    if not digits.isdecimal() or not 1 <= int(digits) * factor <= 10**15:
        raise argparse.ArgumentTypeError(text("{word} is not a number of bytes a second", word=ascii(word[:16])))
    return int(digits) * factor

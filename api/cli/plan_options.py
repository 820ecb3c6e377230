"""The options of `renewal plan`, `renewal drill` and `algorithms`."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime
from pathlib import Path

from api.texts import text


def _until(word: str) -> datetime:
    """A year, whole, or a day."""
    try:
        if re.fullmatch(r"[0-9]{4}", word):
            return datetime(int(word) + 1, 1, 1, tzinfo=UTC)
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", word):
            return datetime.strptime(word, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(text("{word} is not a year or a day such as 2060-12-31", word=ascii(word[:16])))


def _amount(word: str) -> float:
    """A number above nothing that people would write."""
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", word) or not 0.1 <= float(word) <= 100_000:
        raise argparse.ArgumentTypeError(text("{word} is not a number from 0.1 to 100000", word=ascii(word[:16])))
    return float(word)


def plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--until", type=_until, metavar="DATE", help=text("a year or a day; otherwise for 35 years"))
    parser.add_argument("--svg", type=Path, metavar="FILE.svg", help=text("draw it as a timeline, too"))
    parser.add_argument(
        "--speed", type=_amount, metavar="MB/S", help=text("the speed of re-reading; it is measured otherwise")
    )
    parser.add_argument(
        "--unit-years",
        type=_amount,
        default=5.0,
        metavar="YEARS",
        help=text("how long certificates of time-stamp units to come are supposed to live (default: 5)"),
    )


def drill(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--break",
        dest="broken",
        required=True,
        metavar="WHAT",
        help=text("what falls: a digest (sha512), a signature scheme (rsa), tsa:NAME or ca:NAME"),
    )
    parser.add_argument("--at", type=_day, required=True, metavar="DATE", help=text("the day on which it falls"))
    parser.add_argument(
        "--read-at-most",
        type=_amount,
        default=2.0,
        metavar="GB",
        help=text("read up to so much content to try a hash-tree renewal; beyond it, estimate (default: 2)"),
    )


def algorithms(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", type=Path, metavar="FILE", help=text("look at a list in a file; it is not used"))
    parser.add_argument("--out", type=Path, metavar="FILE", help=text("write it as a DSSC list (.xml or .json)"))
    parser.add_argument(
        "--end",
        type=_end,
        action="append",
        default=[],
        metavar="NAME=DATE",
        help=text("as if an algorithm ended on that day, and not later; may be repeated"),
    )


def _end(word: str) -> tuple[str, datetime]:
    name, _, day = word.partition("=")
    return name, _day(day)


def _day(word: str) -> datetime:
    if re.fullmatch(r"[0-9]{4}", word):
        return _until(str(int(word) - 1)) if int(word) else _until(word)
    return _until(word)

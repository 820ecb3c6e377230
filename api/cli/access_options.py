"""The options of `keys …` and `organisations …`."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta

from api.texts import text
from policies.access import ROLES, SCOPES

MAX_DAYS = 36_500


def create_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--label", type=some_word, metavar="TEXT", help=text("what the key is for"))
    parser.add_argument(
        "--role", default=ROLES[0], choices=ROLES, help=text("what the key may do (default: depositor)")
    )
    parser.add_argument(
        "--organisation",
        type=some_word,
        metavar="ID",
        help=text("whose documents the key may see; otherwise a depositor's the home's own, any other key all"),
    )
    parser.add_argument(
        "--expires",
        type=instant_word,
        metavar="DATE",
        help=text("the last moment of the key (UTC); otherwise it has none"),
    )
    parser.add_argument(
        "--scope",
        action="append",
        dest="scopes",
        choices=SCOPES,
        help=text("of what its role may do this alone; may be repeated"),
    )
    parser.add_argument(
        "--rate", type=_count, metavar="N", help=text("how many requests a minute are answered; otherwise all")
    )


def one_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key_id", metavar="KEY-ID", help=text("the key, as `keys list` names it"))


def rotate_key(parser: argparse.ArgumentParser) -> None:
    one_key(parser)
    parser.add_argument(
        "--overlap-days",
        type=_days,
        default=timedelta(days=7),
        dest="overlap",
        metavar="N",
        help=text("for how many days the old key goes on being good (default: 7)"),
    )


def one_organisation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("organisation", type=some_word, metavar="ID", help=text("the organisation (IČO)"))


def add_organisation(parser: argparse.ArgumentParser) -> None:
    one_organisation(parser)
    parser.add_argument(
        "--name", type=some_word, required=True, metavar="TEXT", help=text("what the organisation is called")
    )
    parser.add_argument("--foreign", action="store_true", help=text("the identifier is no IČO"))
    _limits(parser)


def change_organisation(parser: argparse.ArgumentParser) -> None:
    one_organisation(parser)
    parser.add_argument("--name", type=some_word, metavar="TEXT", help=text("what the organisation is called"))
    _limits(parser)


def _limits(parser: argparse.ArgumentParser) -> None:
    absent = argparse.SUPPRESS
    parser.add_argument(
        "--quota-objects",
        type=_limit,
        default=absent,
        metavar="N",
        help=text("how many objects it may have (`none`: no limit)"),
    )
    parser.add_argument(
        "--quota-bytes",
        type=_limit,
        default=absent,
        metavar="N",
        help=text("how many bytes all their versions may have (`none`: no limit)"),
    )
    parser.add_argument(
        "--rate",
        type=_limit,
        default=absent,
        metavar="N",
        help=text("how many requests a minute are answered (`none`: all)"),
    )


def some_word(word: str) -> str:
    """A word that is not empty."""
    if not word:
        raise argparse.ArgumentTypeError(text("an empty value is not taken"))
    return word


def _count(word: str) -> int:
    if not word.isascii() or not word.isdecimal() or len(word) > 19:
        raise argparse.ArgumentTypeError(text("{word} is not a whole number", word=ascii(word[:16])))
    return int(word)


def _limit(word: str) -> int | None:
    return None if word == "none" else _count(word)


def _days(word: str) -> timedelta:
    days = _count(word)
    if days > MAX_DAYS:
        raise argparse.ArgumentTypeError(text("{word} is not a whole number", word=ascii(word[:16])))
    return timedelta(days=days)


def instant_word(word: str) -> datetime:
    """A day, at its beginning, or an instant."""
    try:
        found = datetime.fromisoformat(word)
    except ValueError:
        raise argparse.ArgumentTypeError(text("{word} is not a date", word=ascii(word[:32]))) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)

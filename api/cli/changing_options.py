"""The options of `changes` and `webhooks …`."""

from __future__ import annotations

import argparse

from api.texts import text


def changes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", metavar="CURSOR", help=text("go on from there; otherwise from the beginning"))
    parser.add_argument("--limit", type=int, default=100, metavar="N", help=text("at most so many (default: 100)"))


def one_receiver(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("receiver", metavar="NAME", help=text("the receiver, by its name in the settings"))

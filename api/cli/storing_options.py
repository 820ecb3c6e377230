"""The options of `stores …`."""

from __future__ import annotations

import argparse

from api.texts import text


def one(parser: argparse.ArgumentParser) -> None:
    """The store that a command is about."""
    parser.add_argument("store", metavar="STORE", help=text("the store, by its name in the settings"))


def retire(parser: argparse.ArgumentParser) -> None:
    one(parser)
    parser.add_argument("--yes", action="store_true", help=text("do it: the store does not come back under this name"))
    parser.add_argument(
        "--lost", action="store_true", help=text("the store is gone: what only it held is lost with it")
    )


def compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "stores", metavar="STORE", nargs="*", help=text("these stores alone; otherwise all that take part")
    )

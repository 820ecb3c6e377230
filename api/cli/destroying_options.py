"""The options of `destroy`."""

from __future__ import annotations

import argparse

from api.texts import text


def options(parser: argparse.ArgumentParser) -> None:
    """What `destroy` takes besides the POID."""
    parser.add_argument(
        "--reason",
        required=True,
        metavar="TEXT",
        help=text("why, such as the number of a disposal proceeding; it is kept for ever and must not name people"),
    )
    parser.add_argument("--yes", action="store_true", help=text("do it: what is destroyed cannot be brought back"))
    parser.add_argument("--dry-run", action="store_true", help=text("say what would be destroyed, and change nothing"))
    parser.add_argument(
        "--forget-digests",
        action="store_true",
        help=text("keep no digests of it either: then its evidence record cannot be given any more"),
    )

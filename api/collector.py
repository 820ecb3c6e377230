"""How often Python looks for objects that only refer to each other.

Rules kept here
 * What was imported stays: it is not looked through again and again.
 * A deposit makes thousands of short-lived values and few cycles; they are looked for every so many new ones, so what
   waits to be found stays within a few megabytes.
"""

from __future__ import annotations

import gc

NEW_ONES = 20_000
"""Containers made and not yet freed, after which the young ones are looked through (Python's own choice is 700)."""


def look_seldom() -> None:
    """At the start of a process."""
    gc.set_threshold(NEW_ONES, 10, 10)


def leave_alone_what_is_there() -> None:
    """When everything that stays has been made."""
    gc.freeze()

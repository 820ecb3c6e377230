"""The list of algorithms that the settings put in force.

Rules kept here
 * Without a setting it is the newest list that comes with the program, which is as trusted as the program.
 * A list from a file is used if it is good in its form, and signed by a named signer where it is signed or where the
   settings demand it. An unsigned one says so in its title, wherever that is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from api.settings import ArchiveSettings
from api.texts import marked
from archive_core.errors import SettingsError
from policies.algorithms import AlgorithmTable, current_algorithms
from policies.errors import PolicyError
from policies.tables import carries_signature, load_table

UNSIGNED = marked("not signed by anybody")

Verify = Callable[[bytes, Sequence[bytes]], None]
"""Checks that one of the certificates (DER) signed a list; raises `SettingsError`."""


def algorithms_in_force(
    settings: ArchiveSettings, *, certificates: Callable[[Path], Sequence[bytes]], verify: Verify
) -> AlgorithmTable:
    """The table; raises `SettingsError` saying what to change. `certificates` reads a PEM file."""
    wanted = settings.algorithms
    if not wanted.table:
        return current_algorithms()
    path = settings.home / wanted.table
    try:
        source = path.read_bytes()
        table = load_table(source)
        signed = carries_signature(source)
    except OSError as error:
        raise SettingsError(f"cannot read the list of algorithms {path}: {error.strerror}") from error
    except PolicyError as error:
        raise SettingsError(f"{path}: {error}") from error
    if not signed and wanted.require_signature:
        raise SettingsError(
            f"{path} carries no XML signature, and [algorithms] require_signature demands one: get the signed list"
        )
    if not signed:
        return replace(table, title=f"{table.title} ({UNSIGNED})")
    verify(source, [der for name in wanted.signers for der in certificates(settings.home / name)])
    return table

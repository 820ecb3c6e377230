"""`algorithms`: the list of algorithms in force, another one looked at before it is used, ours written for others."""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from api.algorithm_lists import UNSIGNED
from api.cli.answers import GOOD, table
from api.cli.console import Console, path_text, shown
from api.cli.files import write_file
from api.cli.opening import settings_of
from api.texts import marked, text
from api.wiring import build_algorithms
from archive_core.errors import UsageError
from policies.algorithms import AlgorithmRow, AlgorithmTable
from policies.breaking import Broken, broken_table, parse_break
from policies.dssc import list_of
from policies.dssc_json import write_json
from policies.dssc_xml import write_xml
from policies.errors import PolicyError, UnknownPolicyError
from policies.tables import carries_signature, load_table

_WRITERS = {".xml": write_xml, ".json": write_json}
_STATUS = {
    "recommended": marked("recommended"),
    "legacy": marked("legacy"),
    "discontinued": marked("discontinued"),
}
_HEADS = (marked("algorithm"), marked("key size"), marked("state"), marked("good before"), marked("source"))


def algorithms(arguments: argparse.Namespace, console: Console) -> int:
    """The list in force, or with `--check` one from a file. `--end` lets algorithms end; `--out` writes a DSSC list."""
    if arguments.check is not None:
        found, signed = _checked(arguments.check)
    else:
        settings = settings_of(arguments)
        found, signed = build_algorithms(settings), bool(settings.algorithms.signers)
    for name, day in arguments.end:
        found = _ended(found, name, day)
    document: dict[str, Any] = {
        "id": found.id,
        "issued": f"{found.issued:%Y-%m-%d}",
        "title": found.title,
        "carries_signature": signed,
        "digests": [_row_json(row) for row in found.digests],
        "signatures": [_row_json(row) for row in found.signatures],
    }
    lines = [f"{found.id}: {shown(found.title)}", *table(_HEADS, [_row(row) for row in _rows(found)])]
    if arguments.check is not None and not signed:
        lines.append(text(UNSIGNED))
    if arguments.out is not None:
        _write(arguments.out, found)
        document["out"] = path_text(arguments.out)
        lines.append(shown(path_text(arguments.out)))
    console.result(document, lines)
    return GOOD


def _checked(path: Path) -> tuple[AlgorithmTable, bool]:
    try:
        source = path.read_bytes()
        return load_table(source), carries_signature(source)
    except OSError as error:
        raise UsageError(f"cannot read {path_text(path)}: {error.strerror}") from error
    except PolicyError as error:
        raise UsageError(f"{path_text(path)}: {error}") from error


def _ended(found: AlgorithmTable, name: str, day: datetime) -> AlgorithmTable:
    try:
        broken = parse_break(name, day, found)
    except UnknownPolicyError as error:
        raise UsageError(str(error)) from error
    if broken.what not in (Broken.DIGEST, Broken.SIGNATURE):
        raise UsageError(text("only an algorithm can end in a list of algorithms"))
    return replace(broken_table(found, broken), title=f"{found.title}; {name} ends {day:%Y-%m-%d}")


def _write(path: Path, found: AlgorithmTable) -> None:
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        raise UsageError(text("name a file that ends in .xml or .json"))
    write_file(path, writer(list_of(found)))


def _rows(found: AlgorithmTable) -> list[AlgorithmRow]:
    return [*found.digests, *found.signatures]


def _row(row: AlgorithmRow) -> list[str]:
    return [
        row.name,
        "" if row.bits else _sizes(row),
        text(_STATUS[row.status]),
        f"{row.until:%Y-%m-%d}" if row.until else "-",
        shown(row.source),
    ]


def _sizes(row: AlgorithmRow) -> str:
    if row.min_bits == row.max_bits:
        return str(row.min_bits or "")
    return f"{row.min_bits or ''}-{row.max_bits or ''}"


def _row_json(row: AlgorithmRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "oids": list(row.oids),
        "bits": row.bits or None,
        "min_bits": row.min_bits,
        "max_bits": row.max_bits,
        "status": row.status,
        "since": f"{row.since:%Y-%m-%d}" if row.since else None,
        "until": f"{row.until:%Y-%m-%d}" if row.until else None,
        "source": row.source,
    }

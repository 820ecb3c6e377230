"""The texts that the command line says, read from its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from policies.renewal_values import REASONS
from tests.vectors import REPOSITORY

SPOKEN = ("text", "marked")
"""Functions whose first argument is a text for people."""

SOURCES = (
    "api/cli",
    "api/doctor.py",
    "api/texts.py",
    "api/algorithm_lists.py",
    "api/plan_texts.py",
    "api/drill_texts.py",
    "api/timeline_svg.py",
)


def sources() -> list[Path]:
    """Every module whose texts are translated."""
    found: list[Path] = []
    for name in SOURCES:
        place = REPOSITORY / name
        found += sorted(place.rglob("*.py")) if place.is_dir() else [place]
    return found


def keys() -> set[str]:
    """Every English text that the sources hold, and the reasons that policies give."""
    said = {key for path in sources() for key in keys_in(path.read_text(encoding="utf-8"))}
    return said | set(REASONS.values())


def keys_in(source: str) -> Iterator[str]:
    """The constant texts that a source says or marks."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in SPOKEN
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            yield str(node.args[0].value)

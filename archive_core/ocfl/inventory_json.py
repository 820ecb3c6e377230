"""Bytes to JSON, bounded: the first step of reading an inventory (OCFL 1.1, 3.5; RFC 8259).

Size, nesting and the number of lists, objects and values are limited before or while anything is
built, so that no bytes in a store can take more than seconds and some hundred megabytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from archive_core.ocfl.vocabulary import shown

MAX_INVENTORY_BYTES = 64 * 1024 * 1024
_MAX_CONTAINERS = 2_000_000
_MAX_VALUES = 8_000_000
_MAX_TOLD = 20


def parse_inventory_json(raw: bytes) -> tuple[dict[str, Any] | None, list[str]]:
    """The JSON object in these bytes, or None, and what is wrong with it as JSON (E033)."""
    if len(raw) > MAX_INVENTORY_BYTES or raw.count(b"[") + raw.count(b"{") > _MAX_CONTAINERS:
        return None, ["the inventory is larger than this program reads"]
    if raw.count(b",") > _MAX_VALUES:
        return None, ["the inventory has more values than this program reads"]
    repeated: list[str] = []
    try:
        document = json.loads(raw.decode("utf-8"), object_pairs_hook=_pairs(repeated), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return None, [f"the inventory is not JSON in UTF-8: {shown(error)}"]
    faults = [f"the key {shown(key)} appears twice in one JSON object" for key in repeated[:_MAX_TOLD]]
    if not isinstance(document, dict):
        return None, [*faults, "the inventory is not a JSON object"]
    return document, faults


def _pairs(repeated: list[str]) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    def hook(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in pairs:
            if key in result:
                repeated.append(key)
            result[key] = value
        return result

    return hook


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")

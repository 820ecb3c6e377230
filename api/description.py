"""The OpenAPI 3.1 description: `openapi.yaml` beside this module, and what `ts119512/interface.yaml` adds to it."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import yaml

SOURCE = Path(__file__).with_name("openapi.yaml")
PROTOCOL = Path(__file__).with_name("ts119512") / "interface.yaml"


@functools.cache
def description() -> dict[str, Any]:
    """The description as a value, read once; it is not to be changed."""
    value: dict[str, Any] = yaml.safe_load(SOURCE.read_text("utf-8"))
    return _joined(value, yaml.safe_load(PROTOCOL.read_text("utf-8")))


def _joined(value: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """A description with the members of another one; nothing is said twice."""
    for name, added in more.items():
        known = value.get(name)
        if isinstance(known, dict) and isinstance(added, dict):
            _joined(known, added)
        elif isinstance(known, list) and isinstance(added, list):
            known.extend(added)
        elif known is None:
            value[name] = added
        else:
            raise ValueError(f"two parts of the description say {name}")
    return value


@functools.cache
def description_json() -> bytes:
    return json.dumps(description(), ensure_ascii=False).encode("utf-8")

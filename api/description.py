"""The OpenAPI 3.1 description, from `openapi.yaml` beside this module."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import yaml

SOURCE = Path(__file__).with_name("openapi.yaml")


def description() -> dict[str, Any]:
    """The description as a value."""
    value: dict[str, Any] = yaml.safe_load(SOURCE.read_text("utf-8"))
    return value


@functools.cache
def description_json() -> bytes:
    return json.dumps(description(), ensure_ascii=False).encode("utf-8")

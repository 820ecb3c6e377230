"""The tests of whole worlds, once more on PostgreSQL."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest


def taken_over(module: ModuleType) -> dict[str, Any]:
    """The tests of a module, its fixtures and its marks."""
    kept = {
        name: value
        for name, value in vars(module).items()
        if name == "pytestmark" or name.startswith("test_") or isinstance(value, pytest.FixtureDef | _FIXTURE)
    }
    assert any(name.startswith("test_") for name in kept)
    return kept


_FIXTURE = type(pytest.fixture(lambda: None))

"""Which of many cases the quick suite tries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def quick_first(cases: Iterable[Any], quick: int = 1) -> list[Any]:
    """The cases for `parametrize` or a fixture: the first `quick` as they are, the others slow. CI tries all."""
    listed = list(cases)
    assert 0 < quick < len(listed)
    return [
        case if number < quick else pytest.param(case, marks=pytest.mark.slow) for number, case in enumerate(listed)
    ]

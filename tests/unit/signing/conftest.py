"""One root, one time-stamp unit and one revocation list for all tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from archive_core.ports import ValidationData
from policies.algorithms import current_algorithms
from signing.timestamp_validation import TokenValidator
from tests.unit.signing import forge


@dataclass(frozen=True)
class World:
    root: forge.Identity
    unit: forge.Identity
    crl: bytes

    @property
    def recipe(self) -> forge.Recipe:
        """A token that passes."""
        return forge.Recipe(self.unit, crls=(self.crl,))

    @property
    def validator(self) -> TokenValidator:
        return TokenValidator([self.root.der], algorithms=current_algorithms())

    @property
    def data(self) -> ValidationData:
        return ValidationData(certificates=(self.root.der,), crls=(self.crl,))


@pytest.fixture(scope="session")
def world() -> World:
    root = forge.authority()
    return World(root, forge.time_stamp_unit(root), forge.crl(root))

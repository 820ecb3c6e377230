"""Addresses that an examination would ask, as plain values: whoever may reach out reads them without any library."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archive_core.ports import ValidationData

MAX_ASKS = 40
"""Addresses that are asked for one document."""
MAX_URL = 500
_MAX_REQUEST = 4096
_MAX_COLLECTED = 400
_MAX_PROBLEMS = 100


@dataclass(frozen=True)
class Ask:
    """An address, and what is posted to it (an OCSP request); empty for what is got."""

    url: str
    request: bytes = b""


Answers = Mapping[Ask, bytes | str]
"""What an address gave, or why it gave nothing."""


@dataclass(frozen=True)
class Collected:
    """What was found, what is still to be asked, and what could not be had."""

    material: ValidationData = field(default_factory=ValidationData)
    asks: tuple[Ask, ...] = ()
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "asks": [[ask.url, base64_text(ask.request)] for ask in self.asks],
            "certificates": [base64_text(der) for der in self.material.certificates],
            "crls": [base64_text(der) for der in self.material.crls],
            "ocsps": [base64_text(der) for der in self.material.ocsps],
            "problems": [text[:300] for text in self.problems[:_MAX_PROBLEMS]],
        }

    @classmethod
    def from_json(cls, value: Any) -> Collected:
        """Raises ValueError, KeyError or TypeError for anything that is not such a document."""
        asks = tuple(Ask(_string(url, MAX_URL), _octets(posted)) for url, posted in value["asks"])
        if len(asks) > MAX_ASKS or any(len(ask.request) > _MAX_REQUEST for ask in asks):
            raise ValueError("more is asked than may be")
        material = ValidationData(
            *(tuple(_octets(one) for one in value[name]) for name in ("certificates", "crls", "ocsps"))
        )
        if sum(map(len, (material.certificates, material.crls, material.ocsps))) > _MAX_COLLECTED:
            raise ValueError("more was collected than may be")
        return cls(material, asks, tuple(_string(one, 300) for one in value["problems"]))


def base64_text(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")


def _octets(text: Any) -> bytes:
    return base64.b64decode(_string(text, 64 * 1024 * 1024), validate=True)


def _string(value: Any, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise ValueError("not a text")
    return value

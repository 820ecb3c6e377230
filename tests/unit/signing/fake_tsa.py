"""A time-stamp authority that answers rightly, or lies in one respect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from asn1crypto import tsp

from archive_core.digests import DIGEST_OIDS, Digest
from signing import ber
from tests.unit.signing.forge import Identity, Recipe


@dataclass
class FakeTsa:
    """`edit` changes the recipe of the token; `status` and `wrap` change the answer around it."""

    unit: Identity
    crls: tuple[bytes, ...] = ()
    edit: Callable[[Recipe], Recipe] = lambda recipe: recipe
    status: int = 0
    wrap: Callable[[bytes], bytes] | None = None
    seen: list[Any] = field(default_factory=list)

    def __call__(self, request: bytes) -> bytes:
        asked = tsp.TimeStampReq.load(request, strict=True)
        self.seen.append(asked)
        token = self.edit(self._recipe(asked)).token()
        if self.wrap is not None:
            return self.wrap(token)
        return response(self.status, token)

    def _recipe(self, asked: Any) -> Recipe:
        imprint = asked["message_imprint"]
        name = DIGEST_OIDS[imprint["hash_algorithm"]["algorithm"].dotted]
        return Recipe(
            self.unit,
            imprint=Digest(name, imprint["hashed_message"].native),
            nonce=asked["nonce"].native,
            policy=asked["req_policy"].native or "2.999.1",
            certificates=None if asked["cert_req"].native else (),
            crls=self.crls,
        )


def response(status: int, token: bytes | None, text: str = "") -> bytes:
    info: dict[str, Any] = {"status": status}
    if text:
        info["status_string"] = [text]
    return ber.tagged(0x30, tsp.PKIStatusInfo(info).dump() + (token or b""))

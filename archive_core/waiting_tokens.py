"""Answers of time-stamp authorities that no store holds yet: kept in the catalogue, so that nobody pays twice.

Rules kept here
 * A token is noted in one commit as soon as it has come, and forgotten when the stores have it or it is of no use.
 * A note is believed only for the root that it is over: a number may have been used again for another tree.
"""

from __future__ import annotations

import base64

from archive_core import canonical, reading
from archive_core.catalogue.catalogue import Catalogue
from archive_core.digests import Digest
from archive_core.errors import MalformedDocumentError, MalformedEvidenceError
from archive_core.evidence.token import parse_token
from archive_core.ports import TimestampAuthority, TimestampToken

MAX_TOKEN = 8 * 1024**2
"""Bytes of a token that is kept."""


class WaitingTokens:
    """Notes by name, such as `renewal-token:7`."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def keep(self, name: str, token: TimestampToken) -> None:
        note = {"tsa": token.tsa, "token": base64.b64encode(token.der).decode("ascii")}
        self._catalogue.meta_set(name, canonical.write(note).decode("ascii"))

    def tsa(self, name: str) -> str | None:
        """Who gave the token that waits under a name, if one does."""
        note = self._note(name)
        return note[0] if note else None

    def token(self, name: str, root: Digest, authority: TimestampAuthority) -> TimestampToken | None:
        """The token that waits under a name, if it is over this root and of this authority."""
        note = self._note(name)
        if note is None or note[0] != authority.name:
            return None
        try:
            info = parse_token(note[1])
        except MalformedEvidenceError:
            return None
        if (info.imprint_algorithm, info.imprint) != (root.algorithm, root.value):
            return None
        return TimestampToken(note[1], root, info.gen_time, authority.name, authority.test_trust)

    def forget(self, name: str) -> None:
        if self._catalogue.meta_get(name):
            self._catalogue.meta_set(name, "")

    def _note(self, name: str) -> tuple[str, bytes] | None:
        noted = self._catalogue.meta_get(name)
        if not noted:
            return None
        try:
            value = reading.members(canonical.read_canonical(noted.encode("utf-8")), ("tsa", "token"), "the note")
            return reading.text(value["tsa"], "tsa"), reading.base64_bytes(value["token"], "token", most=MAX_TOKEN)
        except MalformedDocumentError:
            return None

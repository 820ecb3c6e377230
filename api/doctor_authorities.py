"""What `doctor` asks of time-stamp authorities.

Rules kept here
 * A real time-stamp is asked for and judged as evidence would be; nothing else shows that an authority is of use.
 * Time-stamps may cost money: one for each authority, and more only for somebody who asks for it. How many were
   obtained is told.
 * An authority takes an algorithm when its time-stamp over it passes, and not when it merely answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from api.wiring import Signing
from archive_core.clock import SystemClock
from archive_core.digests import Digest
from archive_core.errors import ArchiveError
from archive_core.findings import Verdict
from archive_core.ports import TimestampAuthority

NEEDED = "sha512"
"""What every line's first renewal, and most lines, are built with."""

IMPRINTS = (NEEDED, "sha384", "sha3-512", "sha3-384", "sha256")
"""What is tried for somebody who asks which imprint algorithms an authority takes."""

_PROBE = b"trusted-archive doctor"


@dataclass(frozen=True, slots=True)
class Probe:
    """What came of one authority: algorithms taken, those refused with the reason, time-stamps obtained."""

    name: str
    test_trust: bool
    taken: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]
    obtained: int
    signed_by: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        return NEEDED in self.taken

    @property
    def message(self) -> str:
        kind = " (TEST TRUST)" if self.test_trust else ""
        said = f"{self.name}{kind}: good time-stamps over {', '.join(self.taken) or 'nothing'}"
        if self.refused:
            said += f"; not over {', '.join(f'{name} ({why})' for name, why in self.refused)}"
        if self.signed_by:
            said += f"; signed by {', '.join(self.signed_by)}"
        return f"{said}; time-stamps used: {self.obtained}"


def probe(signing: Signing, authority: TimestampAuthority, algorithms: Sequence[str]) -> Probe:
    """Ask for one time-stamp over each of the algorithms."""
    taken: list[str] = []
    refused: list[tuple[str, str]] = []
    signatures: dict[str, None] = {}
    obtained = 0
    for algorithm in algorithms:
        imprint = Digest.of(algorithm, _PROBE)
        try:
            token = authority.timestamp(imprint)
            obtained += 1
            data = authority.validation_data(token.der)
        except ArchiveError as error:
            refused.append((algorithm, str(error)))
            continue
        judged = signing.validator.assess(token.der, at=SystemClock().now(), data=data)
        if judged.verdict is Verdict.PASSED and judged.imprint == imprint:
            taken.append(algorithm)
            signatures |= dict.fromkeys(f"{scheme} ({bits})" for scheme, bits in judged.signatures)
        else:
            refused.append((algorithm, f"{judged.verdict} {judged.message}"))
    return Probe(authority.name, authority.test_trust, tuple(taken), tuple(refused), obtained, tuple(signatures))

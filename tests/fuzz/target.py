"""What is fuzzed: a function over bytes, the errors it may raise, and where its inputs start.

The rules kept here
 * `run` gives True when the input was taken and False when it was refused with a documented error.
   Any other exception, and any claim that does not hold (AssertionError), is a defect.
 * A target without an accepted seed is an error: it would only ever look at the first refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Seeds = Callable[[], Mapping[str, bytes]]


@dataclass(frozen=True)
class Target:
    """One parser. `kind` says which mutations fit: bytes, text, json, der or zip.

    `max_size` bounds the inputs in bytes, `seconds` the CPU time and `memory` the growth of resident
    memory in bytes that one input may cost.
    """

    name: str
    run: Callable[[bytes], bool]
    seeds: Seeds
    kind: str = "bytes"
    max_size: int = 64 * 1024
    seconds: float = 1.0
    memory: int = 256 * 1024 * 1024
    tokens: tuple[bytes, ...] = ()


_TARGETS: dict[str, Target] = {}


def target(
    name: str,
    seeds: Seeds,
    *,
    refusals: tuple[type[Exception], ...] = (),
    kind: str = "bytes",
    max_size: int = 64 * 1024,
    tokens: tuple[bytes, ...] = (),
) -> Callable[[Callable[[bytes], bool | None]], Callable[[bytes], bool | None]]:
    """Register a function as a target; `refusals` are the documented errors.

    The function returns False where it looked at something that was refused without an exception.
    """

    def register(function: Callable[[bytes], bool | None]) -> Callable[[bytes], bool | None]:
        def run(data: bytes) -> bool:
            try:
                return function(data) is not False
            except refusals:
                return False

        assert name not in _TARGETS, name
        _TARGETS[name] = Target(name, run, seeds, kind, max_size, tokens=tokens)
        return function

    return register


def targets() -> Mapping[str, Target]:
    """Every target by name; importing the modules registers them."""
    from tests.fuzz import (  # noqa: F401 - here, so that atheris can instrument them first
        targets_access,
        targets_backups,
        targets_containers,
        targets_documents,
        targets_evidence,
        targets_examination,
        targets_http,
        targets_policies,
        targets_protocol,
        targets_renewals,
        targets_signatures,
        targets_storage,
    )

    return dict(sorted(_TARGETS.items()))

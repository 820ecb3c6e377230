"""Changes to inputs: blind ones for bytes, and ones that keep JSON, DER or text whole.

The rules kept here
 * The same generator state and the same inputs give the same mutant, so a seed reproduces a run.
 * A mutant is never larger than asked for.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from tests.fuzz import der_tree

_NUMBERS = (0, 1, -1, 2, 9, 10, 127, 128, 255, 256, 65535, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 10**30, 1.5, -0.0)
_TEXTS = (
    "",
    "\0",
    "..",
    "a/../b",
    "/",
    "Ž",
    "e\u0301",
    "\u00e9",
    "\ud800",
    "\u2028",
    "v1",
    "v01",
    "2026-02-30T00:00:00Z",
    "0" * 128,
    "f" * 64,
    "sha512",
    "sha3-512",
    "md5",
    "9" * 400,
)
_BYTES = (
    b"",
    b"\0",
    b"\xff",
    b"\r\n",
    b"\n",
    b'"',
    b"\\",
    b"/",
    b"..",
    b"%",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\0\0",
)


MEMBER_MARK = b"\n\0member\0\n"
"""Between the name of a member and its content, in inputs of the kind `member`."""


class Mutator:
    """Mutants of inputs of one kind."""

    def __init__(self, kind: str, generator: random.Random, tokens: Sequence[bytes] = ()) -> None:
        self._random = generator
        self._tokens = (*_BYTES, *tokens)
        kinds = {"json": self._json, "der": self._der, "member": self._member}
        self._structured: Callable[[bytes, bytes], bytes] | None = kinds.get(kind)

    def mutant(self, data: bytes, other: bytes, max_size: int) -> bytes:
        """`data` changed once or a few times; `other` is where foreign parts come from."""
        for _ in range(self._random.choice((1, 1, 1, 2, 3, 8))):
            if self._structured is not None and self._random.random() < 0.7:
                data = self._structured(data, other)
            else:
                data = self._blind(data, other, max_size)
        return data[:max_size]

    def _member(self, data: bytes, other: bytes) -> bytes:
        """The name kept, the content changed as what it looks like."""
        name, mark, content = data.partition(MEMBER_MARK)
        foreign = other.partition(MEMBER_MARK)[2]
        look = self._json if content[:1] in b"{[" else self._der if content[:1] == b"\x30" else None
        if look is None or self._random.random() < 0.4:
            return name + mark + self._blind(content, foreign, 1 << 16)
        return name + mark + look(content, foreign)

    # -- bytes ----------------------------------------------------------------------------------

    def _blind(self, data: bytes, other: bytes, max_size: int) -> bytes:
        draw = self._random
        place, end = sorted((draw.randint(0, len(data)), draw.randint(0, len(data))))
        if draw.random() < 0.5:
            end = min(len(data), place + draw.randint(0, 16))
        match draw.randrange(9):
            case 0 if data:
                place = draw.randrange(len(data))
                return data[:place] + bytes([data[place] ^ (1 << draw.randrange(8))]) + data[place + 1 :]
            case 1:
                return data[:place] + bytes([draw.randrange(256)]) + data[place + 1 :]
            case 2:
                return data[:place] + data[end:]
            case 3:
                return data[:place] + draw.choice(self._tokens) + data[place:]
            case 4:
                return data[:place] + draw.choice(self._tokens) + data[end:]
            case 5:
                times = draw.choice((1, 2, 3, 10, 1000)) if end > place else 1
                times = min(times, 1 + max_size // max(1, end - place))
                return data[:place] + data[place:end] * times + data[end:]
            case 6 if other:
                begin = draw.randrange(len(other))
                return data[:place] + other[begin : begin + draw.randint(1, 64)] + data[end:]
            case 7 if len(data) >= 4:
                place = draw.randrange(len(data) - 3)
                width = draw.choice((1, 2, 4))
                number = draw.choice((0, 1, 2 ** (8 * width) - 1, 2 ** (8 * width - 1), draw.randrange(256**width)))
                order: Any = draw.choice(("little", "big"))
                return data[:place] + number.to_bytes(width, order) + data[place + width :]
            case _:
                return data[:end]

    # -- JSON -----------------------------------------------------------------------------------

    def _json(self, data: bytes, other: bytes) -> bytes:
        """Change one value of a document, or of one line of JSON lines, and write it canonically."""
        lines = data.splitlines() or [b"{}"]
        index = self._random.randrange(len(lines))
        try:
            value = json.loads(lines[index])
            foreign = json.loads(other.splitlines()[0])
        except (ValueError, RecursionError, IndexError):
            return self._blind(data, other, len(data) + 64)
        value = self._changed(value, foreign)
        if len(lines) > 1 and self._random.random() < 0.2:
            self._random.shuffle(lines)
        try:
            lines[index] = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode(
                errors="surrogatepass"
            )
        except (ValueError, RecursionError):
            return data
        return b"\n".join(lines) + b"\n"

    def _changed(self, value: Any, foreign: Any) -> Any:
        draw = self._random
        if isinstance(value, dict) and value and draw.random() < 0.9:
            key = draw.choice(sorted(value))
            match draw.randrange(8):
                case 0:
                    return {k: v for k, v in value.items() if k != key}
                case 1:
                    return {**value, draw.choice(_TEXTS): value[key]}
                case _:
                    return {**value, key: self._changed(value[key], self._part_of(foreign, key))}
        if isinstance(value, list) and value and draw.random() < 0.9:
            index = draw.randrange(len(value))
            match draw.randrange(7):
                case 0:
                    return value[:index] + value[index + 1 :]
                case 1:
                    return value[:index] + [value[index]] * draw.choice((2, 3, 50)) + value[index:]
                case 2:
                    return draw.sample(value, len(value))
                case _:
                    return [*value[:index], self._changed(value[index], foreign), *value[index + 1 :]]
        return self._scalar(value, foreign)

    @staticmethod
    def _part_of(foreign: Any, key: str) -> Any:
        return foreign.get(key, foreign) if isinstance(foreign, dict) else foreign

    def _scalar(self, value: Any, foreign: Any) -> Any:
        draw = self._random
        if isinstance(value, int) and not isinstance(value, bool) and draw.random() < 0.5:
            return value + draw.choice((-1, 1, 1, 2, 100))
        if isinstance(value, str) and value and draw.random() < 0.5:
            place = draw.randrange(len(value))
            return value[:place] + draw.choice((*_TEXTS, "0", "a", "F", " ", "/")) + value[place + draw.randrange(2) :]
        return draw.choice(
            (None, True, False, [], {}, [value], {"a": value}, foreign, draw.choice(_NUMBERS), draw.choice(_TEXTS))
        )

    # -- DER ------------------------------------------------------------------------------------

    def _der(self, data: bytes, other: bytes) -> bytes:
        tree = der_tree.parse(data)
        if not tree:
            return self._blind(data, other, len(data) + 64)
        der_tree.change(tree, der_tree.parse(other), self._random, lambda content: self._blind(content, other, 4096))
        return der_tree.encode(tree)

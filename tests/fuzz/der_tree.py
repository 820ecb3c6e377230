"""DER as a tree that can be changed and written again with lengths that fit.

Octet strings that hold DER themselves (a TSTInfo, an extension) are opened too, so that changes
reach the inside of a token.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass, field

MAX_DEPTH = 60


@dataclass
class Node:
    """One element: `children` when it was opened, else `content`."""

    tag: bytes
    content: bytes = b""
    children: list[Node] = field(default_factory=list)
    opened: bool = False


def parse(data: bytes, depth: int = 0) -> list[Node]:
    """The elements that fill the data, or nothing when they do not."""
    nodes: list[Node] = []
    position = 0
    while position < len(data):
        read = _header(data, position)
        if read is None or depth > MAX_DEPTH:
            return []
        tag, start, end = read
        content = data[start:end]
        inner = parse(content, depth + 1) if tag[0] & 0x20 or tag == b"\x04" else []
        nodes.append(Node(tag, content, inner, bool(inner)))
        position = end
    return nodes


def _header(data: bytes, position: int) -> tuple[bytes, int, int] | None:
    start = position + 2
    if start > len(data) or data[position] & 0x1F == 0x1F:
        return None
    length = data[position + 1]
    if length & 0x80:
        octets = length & 0x7F
        if not 0 < octets <= 4 or start + octets > len(data):
            return None
        length = int.from_bytes(data[start : start + octets])
        start += octets
    return None if start + length > len(data) else (data[position : position + 1], start, start + length)


def encode(nodes: list[Node]) -> bytes:
    parts = []
    for node in nodes:
        content = encode(node.children) if node.opened else node.content
        length = len(content)
        octets = b"" if length < 0x80 else length.to_bytes((length.bit_length() + 7) // 8)
        parts.append(node.tag + (bytes([0x80 | len(octets)]) + octets if octets else bytes([length])) + content)
    return b"".join(parts)


def change(nodes: list[Node], foreign: list[Node], draw: random.Random, blind: Callable[[bytes], bytes]) -> None:
    """Change one element somewhere in the tree, in place."""
    places = list(_places(nodes))
    where, index = draw.choice(places)
    node = where[index]
    others = list(_places(foreign)) or places
    match draw.randrange(10):
        case 0:
            del where[index]
        case 1:
            where[index:index] = [copy.deepcopy(node) for _ in range(draw.choice((1, 2, 40)))]
        case 2:
            where.insert(draw.randint(0, len(where)), where.pop(index))
        case 3:
            other, place = draw.choice(others)
            where[index] = copy.deepcopy(other[place])  # never into itself
        case 4:
            where[index] = Node(b"\x30", children=[node], opened=True)
        case 5:
            where[index] = Node(
                bytes([draw.choice((0x02, 0x04, 0x05, 0x06, 0x0C, 0x17, 0x18, 0x30, 0x31, 0xA0, 0xA1))]), node.content
            )
        case 6:
            where[index] = Node(node.tag, b"")
        case 7:
            size = draw.choice((1, 2, 9, 40, 5000))
            where[index] = Node(node.tag, draw.choice((b"\xff", b"\x00", b"\x7f", b"9", b"\x81")) * size)
        case _:
            content = encode(node.children) if node.opened else node.content
            where[index] = Node(node.tag, blind(content))


def _places(nodes: list[Node]) -> list[tuple[list[Node], int]]:
    found = []
    waiting = [nodes]
    while waiting:
        here = waiting.pop()
        for index, node in enumerate(here):
            found.append((here, index))
            if node.opened:
                waiting.append(node.children)
    return found

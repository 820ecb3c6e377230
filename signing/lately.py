"""What a thread has read lately and need not read again.

The rules this module keeps
 * A value belongs to the octets that it was read from, and to one thread: asn1crypto goes on parsing what it is asked
   for, which no two threads may do at once.
 * Memory is bounded: so many values, none of them from more than so many octets.
 * What could not be read is not remembered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import local
from typing import Generic, TypeVar

Value = TypeVar("Value")

MOST_OCTETS = 64 * 1024
"""What is larger is read each time."""


class Lately(local, Generic[Value]):
    """Reads octets by `read`, and what it has read lately not again; at most `most` values for each thread."""

    def __init__(self, read: Callable[[bytes], Value], most: int) -> None:
        self._read = read
        self._most = most
        self._known: OrderedDict[bytes, Value] = OrderedDict()

    def __call__(self, octets: bytes) -> Value:
        """The value of the octets; raises what `read` raises."""
        if octets in self._known:
            self._known.move_to_end(octets)
            return self._known[octets]
        value = self._read(octets)
        if len(octets) <= MOST_OCTETS:
            self._known[octets] = value
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return value

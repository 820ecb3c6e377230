"""Sockets that do not wait for ever."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from api.patience import PatientSocket


@pytest.fixture
def pair() -> Iterator[tuple[PatientSocket, socket.socket]]:
    ours, theirs = socket.socketpair()
    patient = PatientSocket.taking_over(ours, patience=0.4, slowest=1000)
    yield patient, theirs
    patient.close()
    theirs.close()


def test_what_came_is_received(pair: tuple[PatientSocket, socket.socket]) -> None:
    """A client that sends is served, and its end is seen."""
    ours, theirs = pair
    theirs.sendall(b"abc")
    received = ours.recv(10)
    theirs.close()

    assert received == b"abc"
    assert ours.recv(10) == b""


def test_a_silent_client_is_given_up(pair: tuple[PatientSocket, socket.socket]) -> None:
    """Nothing for as long as patience lasts ends the wait."""
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        pair[0].recv(10)

    assert 0.3 < time.monotonic() - began < 2


def test_a_dripping_client_is_given_up(pair: tuple[PatientSocket, socket.socket]) -> None:
    """A byte now and then does not start the patience anew."""
    ours, theirs = pair
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.1):
            theirs.send(b"x")

    dripping = threading.Thread(target=drip)
    dripping.start()
    began = time.monotonic()
    try:
        with pytest.raises(TimeoutError):
            receive_for_ever(ours)
    finally:
        stop.set()
        dripping.join()

    assert time.monotonic() - began < 2


def receive_for_ever(connection: PatientSocket) -> None:
    while True:
        connection.recv(10)


def test_our_own_work_does_not_count(pair: tuple[PatientSocket, socket.socket]) -> None:
    """Time between two reads is ours, not the client's."""
    ours, theirs = pair
    theirs.sendall(b"abcdef")
    ours.recv(1)
    time.sleep(0.6)

    assert ours.recv(1) == b"b"


def test_a_new_request_has_new_patience(pair: tuple[PatientSocket, socket.socket]) -> None:
    """A kept-alive connection is not punished for its first request."""
    ours, theirs = pair
    with pytest.raises(TimeoutError):
        ours.recv(10)
    ours.begin_request()
    theirs.sendall(b"abc")

    assert ours.recv(10) == b"abc"


def test_blocking_never_means_for_ever(pair: tuple[PatientSocket, socket.socket]) -> None:
    """gunicorn's setblocking(True) keeps the patience."""
    pair[0].setblocking(True)

    assert pair[0].gettimeout() == 0.4


def test_a_client_that_does_not_read_is_given_up(pair: tuple[PatientSocket, socket.socket]) -> None:
    """Sending waits no longer than receiving."""
    with pytest.raises(TimeoutError):
        pair[0].sendall(b"x" * (64 << 20))


def test_a_large_answer_reaches_a_reader(pair: tuple[PatientSocket, socket.socket]) -> None:
    """The pieces of a large answer arrive whole and in order."""
    ours, theirs = pair
    sent = bytes(range(256)) * 20_000
    received = bytearray()

    def read() -> None:
        while len(received) < len(sent):
            received.extend(theirs.recv(65536))

    reader = threading.Thread(target=read)
    reader.start()
    ours.sendall(sent)
    reader.join(5)

    assert sent == bytes(received)

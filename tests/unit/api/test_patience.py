"""Sockets that do not wait for ever."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from api.patience import MOST_HEAD, Head, PatientSocket


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


# -- heads --------------------------------------------------------------------------------------


def waiting(pair: tuple[PatientSocket, socket.socket]) -> tuple[PatientSocket, socket.socket]:
    pair[0].setblocking(False)
    return pair


def test_a_head_is_gathered_piece_by_piece_without_waiting(pair: tuple[PatientSocket, socket.socket]) -> None:
    """Its end is found wherever it is cut, and all of it is received afterwards, in order, also what came behind it."""
    ours, theirs = waiting(pair)
    said = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nmore"
    assert ours.gather() is Head.PART
    assert not ours.has_begun
    for place in range(len(said) - 5):
        theirs.send(said[place : place + 1])
        assert ours.gather() is Head.PART
    assert ours.has_begun
    theirs.send(said[-5:])
    assert ours.gather() is Head.WHOLE
    ours.setblocking(True)
    assert ours.recv(3) + ours.recv(1000) == said
    theirs.send(b"!")
    assert ours.recv(10) == b"!"


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_who_ends_before_the_head_does_is_gone(pair: tuple[PatientSocket, socket.socket], said: bytes) -> None:
    """Also who was cut off by a reset."""
    ours, theirs = waiting(pair)
    theirs.sendall(said)
    theirs.shutdown(socket.SHUT_WR)
    found = [ours.gather(), ours.gather()]

    assert found[-1] is Head.GONE


def test_a_head_without_end_is_not_gathered_for_ever(pair: tuple[PatientSocket, socket.socket]) -> None:
    """Memory is bounded, whoever sends."""
    ours, theirs = waiting(pair)
    theirs.settimeout(0.2)
    found = Head.PART
    sent = 0
    while found is Head.PART:
        sent += theirs.send(b"x" * 4096)
        found = ours.gather()

    assert found is Head.TOO_LONG
    assert sent <= MOST_HEAD + 4096


def test_what_is_put_back_comes_first(pair: tuple[PatientSocket, socket.socket]) -> None:
    """A request that came with the one before it is read before what comes later."""
    ours, theirs = waiting(pair)
    theirs.sendall(b" two")
    assert ours.gather() is Head.PART
    ours.put_back(b"one")
    assert ours.recv(20) == b"one two"
    ours.put_back(b"GET / HTTP/1.1\r\n\r\n")
    assert ours.head() is Head.WHOLE


def test_a_body_is_asked_for_when_it_is_wanted(pair: tuple[PatientSocket, socket.socket]) -> None:
    """100 Continue goes out before the first read, once, and never after an answer."""
    ours, theirs = pair
    ours.begin_request()
    ours.owes_continue = True
    theirs.sendall(b"body")
    assert ours.recv(2) + ours.recv(2) == b"body"
    assert theirs.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    ours.begin_request()
    ours.owes_continue = True
    ours.sendall(b"HTTP/1.1 413 No")
    assert ours.body_declined
    with pytest.raises(TimeoutError):
        ours.recv(1)
    assert theirs.recv(100) == b"HTTP/1.1 413 No"
    ours.begin_request()
    assert not ours.body_declined


def test_who_has_spoken_is_known_without_taking_it(pair: tuple[PatientSocket, socket.socket]) -> None:
    """So that nobody is closed whose request lies there."""
    ours, theirs = waiting(pair)
    assert not ours.is_speaking()
    theirs.sendall(b"x")
    assert ours.is_speaking()
    assert ours.throw_away(10) == 1
    assert ours.throw_away(10) is None
    theirs.close()
    assert ours.throw_away(10) == 0

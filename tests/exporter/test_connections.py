"""Clients that dawdle lose their place; whoever asks at once is answered."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from exporter.connections import Connections


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """Ours and the client's end of four connections."""
    with ExitStack() as ends:
        made = [socket.socketpair() for _ in range(4)]
        for pair in made:
            for end in pair:
                ends.enter_context(end)
                end.settimeout(5)
        yield made


def is_over(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False


Pairs = list[tuple[socket.socket, socket.socket]]


def test_the_one_that_dawdles_longest_makes_room(pairs: Pairs) -> None:
    connections = Connections(most=3)
    assert all(connections.open(ours) for ours, _ in pairs)
    assert [is_over(client) for _, client in pairs] == [True, False, False, False]
    assert len(connections) == 3


def test_one_that_waits_for_its_answer_keeps_its_place(pairs: Pairs) -> None:
    connections = Connections(most=3)
    for ours, _ in pairs[:3]:
        connections.open(ours)
    connections.our_turn(pairs[0][0])
    connections.open(pairs[3][0])
    assert [is_over(client) for _, client in pairs] == [False, True, False, False]


def test_with_all_places_waited_for_there_is_none(pairs: Pairs) -> None:
    connections = Connections(most=3)
    for ours, _ in pairs[:3]:
        connections.open(ours)
        connections.our_turn(ours)
    assert not connections.open(pairs[3][0])
    connections.their_turn(pairs[1][0])
    assert connections.open(pairs[3][0])
    assert [is_over(client) for _, client in pairs] == [False, True, False, False]


def test_a_closed_one_leaves_its_place(pairs: Pairs) -> None:
    connections = Connections(most=1)
    connections.open(pairs[0][0])
    connections.our_turn(pairs[0][0])
    connections.close(pairs[0][0])
    assert connections.open(pairs[1][0])


def test_a_turn_has_an_end(pairs: Pairs) -> None:
    connections = Connections(turn_seconds=0.5)
    for ours, _ in pairs:
        connections.open(ours)
    for ours, _ in pairs[:2]:
        connections.our_turn(ours)
    time.sleep(0.55)
    connections.their_turn(pairs[1][0])
    connections.give_up_overdue()
    assert [is_over(client) for _, client in pairs] == [False, False, True, True]

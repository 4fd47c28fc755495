"""The child's side of an isolated source."""

from __future__ import annotations

import socket

import msgspec
import pytest

from collector.child import Answer, Channel, send


@pytest.mark.parametrize("value", ["ev\udcffil", 1 << 70, object()])
def test_an_answer_that_cannot_be_told_is_a_failed_reading(value: object) -> None:
    ours, theirs = socket.socketpair()
    child, parent = Channel(ours), Channel(theirs)
    assert not send(child, Answer([("t", [value])], {}, {"told": "yes"}, [], None))
    answer = msgspec.msgpack.decode(parent.receive(1.0), type=Answer)
    assert (answer.rows, answer.memory) == ([], {})
    assert answer.error
    assert answer.error[0] == "bug"
    for end in (child, parent):
        end.close()


def test_a_failed_reading_is_told_as_it_is() -> None:
    ours, theirs = socket.socketpair()
    child, parent = Channel(ours), Channel(theirs)
    assert not send(child, Answer([], {}, {}, [], ("read", "it failed")))
    assert send(child, Answer([], {}, {}, [], None))
    assert msgspec.msgpack.decode(parent.receive(1.0), type=Answer).error == ("read", "it failed")
    for end in (child, parent):
        end.close()

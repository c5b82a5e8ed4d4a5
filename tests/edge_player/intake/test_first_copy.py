"""What comes over several connections passes once, as if it had come over the best of them."""

from __future__ import annotations

import random
import sys

import pytest

from edge_player.intake.first_copy import FirstCopy
from edge_player.intake.inbox import InboxKind, InboxMessage


def packet(
    number: int, connection: int, *, tier: int = 0, retained: bool = False, kind: InboxKind = InboxKind.TOKENS
) -> InboxMessage:
    return InboxMessage(kind, b"packet %d" % number, float(number), tier, retained, connection)


def test_the_first_copy_passes_whichever_way_it_came_and_the_later_one_is_counted() -> None:
    copies = FirstCopy(2)
    assert copies.admit(packet(0, 0))
    assert not copies.admit(packet(0, 1))
    assert copies.admit(packet(1, 1))
    assert not copies.admit(packet(1, 0))
    assert (copies.stats.copies_dropped, copies.stats.spare_packets_first) == (2, 1)


def test_of_three_copies_two_are_dropped() -> None:
    copies = FirstCopy(3)
    assert [copies.admit(packet(0, connection)) for connection in (2, 0, 1)] == [True, False, False]
    assert (copies.stats.copies_dropped, copies.stats.spare_packets_first) == (2, 1)


@pytest.mark.parametrize("other", [{"tier": 1}, {"retained": True}, {"number": 1}])
def test_what_differs_in_anything_is_no_copy(other: dict[str, int]) -> None:
    copies = FirstCopy(2)
    assert copies.admit(packet(0, 0))
    assert copies.admit(packet(**{"number": 0, "connection": 1} | other))  # type: ignore[arg-type]
    assert copies.stats.copies_dropped == 0


@pytest.mark.parametrize("order", [(0, 0, 1, 1), (0, 1, 0, 1), (0, 1, 1, 0), (1, 1, 0, 0)])
def test_a_duplicate_of_the_sender_is_seen_once_as_over_one_connection(order: tuple[int, ...]) -> None:
    copies = FirstCopy(2)
    assert sum(copies.admit(packet(0, connection)) for connection in order) == 2
    assert copies.stats.copies_dropped == 2


def test_with_one_connection_duplicates_are_not_ours_and_nothing_is_remembered() -> None:
    copies = FirstCopy(1)
    assert all(copies.admit(packet(0, 0)) for _ in range(3))
    assert (copies.stats.copies_dropped, len(copies._seen)) == (0, 0)


def test_control_messages_always_pass() -> None:
    copies = FirstCopy(2)
    assert all(copies.admit(packet(0, 0, kind=InboxKind.EVENT)) for _ in range(2))
    assert copies.stats.copies_dropped == 0


def test_a_connection_that_stood_still_for_long_hands_over_copies_only() -> None:
    copies = FirstCopy(2)
    assert all(copies.admit(packet(number, 1)) for number in range(4000))
    assert not any(copies.admit(packet(number, 0)) for number in range(4000))
    assert copies.stats.spare_packets_first == copies.stats.copies_dropped == 4000


def test_the_memory_is_bounded_in_packets_and_in_bytes_and_forgets_the_oldest() -> None:
    copies = FirstCopy(2, memory_packets=3)
    assert all(copies.admit(packet(number, 0)) for number in range(5))
    assert [copies.admit(packet(number, 1)) for number in (4, 2, 1)] == [False, False, True]
    large = InboxMessage(InboxKind.TOKENS, bytes(100_000), 0.0)
    assert copies.admit(large)
    assert len(copies._seen) == 3
    assert sum(sys.getsizeof(key) for key in copies._seen) < 300


@pytest.mark.parametrize("seed", range(5))
def test_what_passes_is_what_the_best_connection_brought_of_each_packet(seed: int) -> None:
    dice, copies = random.Random(seed), FirstCopy(3)
    came: dict[tuple[int, int], int] = {}
    passed: dict[int, int] = {}
    for _ in range(600):
        number, connection = dice.randrange(40), dice.randrange(3)
        came[number, connection] = came.get((number, connection), 0) + 1
        passed[number] = passed.get(number, 0) + copies.admit(packet(number, connection))
    best = {number: max(came.get((number, c), 0) for c in range(3)) for number in passed}
    assert passed == best
    assert copies.stats.copies_dropped == 600 - sum(best.values())

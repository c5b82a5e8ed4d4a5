"""Several addresses of one broker, tried in turn, and what became of each. No I/O, no lock."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from protocol.transport.addresses import BrokerAddress
from protocol.transport.backoff import REFUSALS, Backoff, EndReason
from protocol.transport.version_choice import VersionChoice


@dataclass(slots=True)
class _Place:
    """An address, how it failed last since we were connected, and until when it is left alone."""

    address: BrokerAddress
    version: VersionChoice = field(default_factory=VersionChoice)
    reason: EndReason | None = None
    text: str = ""
    not_before: float = 0.0


class Rotation:
    """Which address is next, and when: a round through all of them without a pause, starting with the last good one.

    After a round without success, and after a connection was lost, `backoff` says how long to wait. An address that
    refused us is left alone for so long as a refusal takes, while the others are tried as ever.
    """

    def __init__(
        self, addresses: Sequence[BrokerAddress], backoff: Backoff, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._places = [_Place(address) for address in addresses]
        self._backoff = backoff
        self._clock = clock
        self._good = 0
        self._at = 0
        self._tried: set[int] = set()

    @property
    def address(self) -> BrokerAddress:
        """In use, or tried next."""
        return self._places[self._at].address

    @property
    def version(self) -> VersionChoice:
        """Of MQTT, for this address."""
        return self._places[self._at].version

    @property
    def suspects_twin(self) -> bool:
        """See Backoff."""
        return self._backoff.suspects_twin

    def connected(self) -> None:
        """The current address took us."""
        self._good = self._at
        for place in self._places:
            place.reason, place.text = None, ""

    def ended(self, reason: EndReason, text: str, *, accepted: bool, lived_s: float = 0.0) -> float:
        """The attempt, or the connection that it led to, is over; chooses the next address.

        Returns the seconds to wait before it is tried.
        """
        place = self._places[self._at]
        if place.version.after(reason, accepted=accepted):
            if reason is not EndReason.VERSION_REFUSED:
                place.reason, place.text = reason, text
            return 0.0  # the same address once more, in the other version
        place.reason, place.text = reason, text
        if reason in REFUSALS:
            place.not_before = self._clock() + self._backoff.next_delay(reason)
        elif accepted:
            return self._new_round(self._backoff.next_delay(reason, lived_s=lived_s))
        self._tried.add(self._at)
        if (follower := self._first_free(self._clock())) is not None:
            self._at = follower
            return 0.0
        reachable = any(other.not_before <= self._clock() for other in self._places)
        return self._new_round(self._backoff.next_delay(EndReason.UNREACHABLE) if reachable else 0.0)

    def is_new(self, reason: EndReason) -> bool:
        """Is this the current address's first end of this kind since we were connected?"""
        return self._places[self._at].reason is not reason

    def refusals(self) -> frozenset[EndReason]:
        """How we were refused, once every address has; empty while there is hope for one of them."""
        reasons = {place.reason for place in self._places}
        return frozenset(reason for reason in reasons if reason is not None) if reasons <= REFUSALS else frozenset()

    def explain(self) -> str:
        """What is wrong with each address; the address itself is named where there are several."""
        failed = [place for place in self._places if place.reason is not None]
        if len(self._places) == 1:
            return "; ".join(place.text for place in failed)
        return "; ".join(f"{place.address.url}: {place.text}" for place in failed)

    def _new_round(self, delay_s: float) -> float:
        self._tried.clear()
        now = self._clock()
        start = self._first_free(now + delay_s)
        if start is None:  # all of them refused us: the first that may be asked again
            start = min(range(len(self._places)), key=lambda index: self._places[index].not_before)
            delay_s = self._places[start].not_before - now
        self._at = start
        return delay_s

    def _first_free(self, at: float) -> int | None:
        """The next address, from the last good one on, that was not tried in this round and may be asked `at`."""
        count = len(self._places)
        for index in ((self._good + step) % count for step in range(count)):
            if index not in self._tried and self._places[index].not_before <= at:
                return index
        return None

"""From a link to the numbers of a stream: the choice among all candidates, and what to say where there is none."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from gateway.errors import PlanError
from gateway.plan.candidate import LINK_SHARE, Candidate, weigh
from gateway.plan.hop import MAX_LAYERS
from gateway.plan.wish import Wish
from protocol.limits import MAX_FRAMES_PER_PACKET

__all__ = ["Nearest", "UnmetPlanError", "count", "make_plan"]


@dataclass(frozen=True, slots=True)
class Nearest:
    """A plan that can be had, and what had to be given up for it."""

    given_up: str
    plan: Candidate

    def __str__(self) -> str:
        plan, shape = self.plan, self.plan.shape
        return (
            f"{self.given_up} ({count(shape.layers, 'layer')}, {count(shape.frames, 'frame')} a packet, "
            f"QoS {shape.qos}, {plan.bits_per_s / 1000:.2f} kbit/s, {plan.delays.total:.1f} s from mouth to ear)"
        )


class UnmetPlanError(PlanError):
    """No stream goes over this link as wished. `.nearest`: the nearest that does, None where none would at all."""

    def __init__(self, failing: str, nearest: Nearest | None, needed_bps: float | None) -> None:
        self.failing, self.nearest, self.needed_bps = failing, nearest, needed_bps
        advice = "no other layers, packets and delay would do" if nearest is None else f"nearest: {nearest}"
        needed = "" if needed_bps is None else f"; as wished it takes a link of {needed_bps / 1000:.3g} kbit/s"
        super().__init__(f"This plan cannot be met: {failing}; {advice}{needed}.")


def make_plan(wish: Wish) -> Candidate:
    """The best candidate: most layers, then packets as long as costs little delay. UnmetPlanError where there is none.

    Packets of a third of the delay that the link forces anyway save most of the headers. Longer ones are taken where
    the link is too slow for that; with an mtu, shorter ones, where a packet then fits into one datagram.
    """
    plan = _first_that_does(wish)
    if plan is None:
        raise _unmet(wish)
    return plan


def _first_that_does(wish: Wish, *, soonest: bool = False) -> Candidate | None:
    """With as many layers as go; `soonest`: the one with the least delay."""
    for layers in _layers(wish):
        good = [one for one in _candidates(wish, layers) if one.fits and one.is_soon_enough]
        if good and soonest:
            return min(good, key=lambda one: one.delays.total)
        if good:
            return _choose(good, whole=wish.mtu is not None)
    return None


def count(number: int, noun: str) -> str:
    """`1 layer`, `4 layers`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _choose(good: list[Candidate], *, whole: bool) -> Candidate:
    """From the shortest packets to the longest."""
    if whole:
        good = [one for one in good if one.datagrams == 1] or good
    cheap = [one for one in good if one.delays.packing <= (one.delays.total - one.delays.packing) / 2]
    return cheap[-1] if cheap else good[0]


def _layers(wish: Wish) -> Iterator[int]:
    yield from (range(MAX_LAYERS, 0, -1) if wish.layers is None else (wish.layers,))


def _candidates(wish: Wish, layers: int) -> list[Candidate]:
    lengths = range(1, MAX_FRAMES_PER_PACKET + 1) if wish.frames is None else (wish.frames,)
    return [weigh(wish, layers, frames) for frames in lengths]


def _unmet(wish: Wish) -> UnmetPlanError:
    candidates = [one for layers in _layers(wish) for one in _candidates(wish, layers)]
    fitting = [one for one in candidates if one.fits]
    if fitting:
        soonest = min(fitting, key=lambda one: one.delays.total)
        limit = "a player can keep" if wish.max_delay_s is None else f"{wish.max_delay_s:g} s"
        failing = f"the delay from mouth to ear is at least {soonest.delays.total:.1f} s, more than {limit}"
        return UnmetPlanError(failing, _nearest(wish), None)
    thinnest = min(candidates, key=lambda one: one.bits_per_s)
    shape = thinnest.shape
    failing = (
        f"{count(shape.layers, 'layer')} in packets of {count(shape.frames, 'frame')} take "
        f"{thinnest.bits_per_s / 1000:.2f} kbit/s both ways at QoS {shape.qos}, and a link of "
        f"{wish.link_bps / 1000:g} kbit/s has {LINK_SHARE * wish.link_bps / 1000:.2f} for it"
    )
    return UnmetPlanError(failing, _nearest(wish), thinnest.link_share / LINK_SHARE * wish.link_bps)


def _nearest(wish: Wish) -> Nearest | None:
    """With the first wish that helps when it is given up: the mildest come first, then two at once, then all."""
    steps: list[tuple[str, dict[str, int | None]]] = []
    if wish.frames is not None:
        steps.append(("packets of another length", {"frames": None}))
    if wish.layers is not None and wish.layers > 1:
        steps.append(("fewer layers", {"layers": None}))
    if wish.max_delay_s is not None:
        steps.append(("a longer delay", {"max_delay_s": None}))
    if wish.assumed_qos == 1:
        steps.append(("QoS 0", {"qos": 0}))
    for number in range(1, len(steps) + 1):
        for given_up in combinations(steps, number):
            loosened = dataclasses.replace(wish, **{key: value for _, step in given_up for key, value in step.items()})  # type: ignore[arg-type]
            plan = _first_that_does(loosened, soonest=wish.max_delay_s is not None)
            if plan is not None:
                return Nearest(" and ".join(name for name, _ in given_up), plan)
    return None

"""The rows of the fault matrix."""

from __future__ import annotations

from typing import Final

from tests.faults.clocks import BEFORE_FIRST_SYNC_S, ClockError, ClockOwner
from tests.faults.faults import Action, ClockStep, FullDisk, ProcessFault, Target, UnpluggedCard
from tests.faults.impairment import Impairment, Spell
from tests.faults.mischief import Mischief
from tests.faults.rows import Hop, Link, Row, Way

HOUR_S: Final = 3600.0


def _impaired(name: str, link: Link, wrong: Impairment, heard_min: float) -> Row:
    return Row(name, link, spells=(Spell(0.0, 20.0, wrong),), heard_min=heard_min)


def _blackout(seconds: float, hop: Hop, *, way: Way = "mqtt", name: str = "") -> Row:
    return Row(
        name or f"blackout-{seconds:g}-{hop}",
        "wan",
        hop=hop,
        spells=(Spell(0.0, seconds, Impairment(dark=True)),),
        way=way,
        fault_s=seconds,
        after_s=12.0,
    )


def _process(name: str, action: Action, target: Target, lasting_s: float) -> Row:
    return Row(name, "wan", faults=(ProcessFault(action, target, lasting_s),), fault_s=lasting_s, after_s=12.0)


def _steps(owner: ClockOwner) -> Row:
    """An hour forward, then an hour back to before the truth. What is played is as it would have been; only the age of
    it can not be told by a clock that is wrong."""
    steps = (ClockStep(owner, 4.0, HOUR_S), ClockStep(owner, 12.0, -HOUR_S))
    return Row(f"clock-steps-{owner}", "wan", faults=steps, heard_min=0.99, lost_max=0, age_is_limited=False)


def _no_clock(owner: ClockOwner) -> Row:
    """1970 until the network has told it the time."""
    return Row(
        f"no-clock-{owner}",
        "wan",
        clocks=(ClockError(owner, offset_s=BEFORE_FIRST_SYNC_S),),
        faults=(ClockStep(owner, 10.0, 0.0),),
        heard_min=0.99,
        lost_max=0,
        age_is_limited=False,
    )


def _drift(name: str, ppm: float) -> Row:
    """Ten times the 200 ppm of two bad crystals, so that the 160 ms of a lan are used up in a minute and a half."""
    return Row(
        name,
        "lan",
        clocks=(ClockError("gateway", drift_ppm=ppm),),
        fault_s=90.0,
        adapt=True,
        heard_min=0.99,
        age_is_limited=False,
    )


ROWS: Final = (
    _impaired("loss-1", "wan", Impairment(loss=0.01), 0.99),
    _impaired("loss-5", "wan", Impairment(loss=0.05), 0.95),
    _impaired("loss-20", "wan", Impairment(loss=0.2), 0.80),
    Row(
        "loss-20-delay-1500",
        "wan",
        spells=(Spell(0.0, 60.0, Impairment(loss=0.2)),),
        connections=2,
        fault_s=60.0,
        delay_ms=1500,
        heard_min=0.99,
    ),
    _impaired("delay-100", "wan", Impairment(delay_ms=100, jitter_ms=50), 0.99),
    _impaired("delay-300", "wan", Impairment(delay_ms=300, jitter_ms=100), 0.95),
    _impaired("loss-5-delay-100", "wan", Impairment(loss=0.05, delay_ms=100, jitter_ms=50), 0.90),
    _impaired("rate-8-narrow", "narrow", Impairment(rate_kbps=8), 0.99),
    _impaired("rate-8-wan", "wan", Impairment(rate_kbps=8), 0.95),
    # Five frames a packet need 5 kbit/s up and do not fit; ten need 3.6, and the gateway takes ten.
    Row(
        "rate-4.5-gateway",
        "wan",
        hop="gateway",
        spells=(Spell(0.0, 30.0, Impairment(rate_kbps=5)),),
        fault_s=30.0,
        heard_min=0.9,
    ),
    _impaired("rate-16-wan", "wan", Impairment(rate_kbps=16), 0.99),
    _impaired("rate-32-lan", "lan", Impairment(rate_kbps=32), 0.99),
    *(_blackout(seconds, hop) for hop in ("player", "gateway") for seconds in (2, 5, 10, 30)),
    _blackout(5, "player", way="tls", name="blackout-5-tls"),
    _blackout(5, "player", way="websocket", name="blackout-5-websocket"),
    Row(
        "loss-5-tls",
        "wan",
        spells=(Spell(0.0, 20.0, Impairment(loss=0.05, delay_ms=100, jitter_ms=50)),),
        way="tls",
        heard_min=0.90,
    ),
    _process("broker-kill", "kill", "broker", 3.0),
    _process("broker-stop", "stop", "broker", 20.0),
    _process("broker-restart", "restart", "broker", 0.0),
    _process("gateway-kill", "kill", "gateway", 3.0),
    Row(
        "gateway-kill-clock-back",
        "wan",
        faults=(ProcessFault("kill", "gateway", 3.0), ClockStep("gateway", 1.0, -HOUR_S)),
        fault_s=3.0,
        after_s=12.0,
        age_is_limited=False,
    ),
    _process("player-stop", "stop", "player", 20.0),
    # At QoS 0 a link that is too slow fills TCP's queues with sound that grows old, until the player has seen it for
    # 3 s and reconnects to the live edge, and again. What is promised here is that nobody else notices.
    Row("slow-player", "lan", spells=(Spell(0.0, 20.0, Impairment(rate_kbps=8)),), beside=True, age_is_limited=False),
    # A broker of 3.1.1 with stock queues keeps for a player what a slow link did not take: minutes of it. The player
    # hears what is up to its limit of lag and 3 s more, and then reconnects to the live edge.
    Row(
        "old-broker",
        "wan",
        spells=(Spell(0.0, 40.0, Impairment(rate_kbps=3)),),
        way="mqtt 3.1.1",
        fault_s=40.0,
        after_s=14.0,
        beside=True,
        connects_min=2,
        queued_s=4.0,
    ),
    _steps("player"),
    _steps("gateway"),
    _no_clock("player"),
    _no_clock("gateway"),
    _drift("drift-fast", 2000.0),
    _drift("drift-slow", -2000.0),
    Row("duplicates", "wan", mischief=Mischief(twice=0.3), heard_min=0.99, lost_max=0),
    Row("reordered", "wan", mischief=Mischief(swapped=0.3), heard_min=0.99, lost_max=0),
    Row("gaps", "wan", mischief=Mischief(missing=0.1), heard_min=0.75),
    Row("index-wraps", "wan", mischief=Mischief(frames_until_wrap=150), heard_min=0.99, lost_max=0),
    Row(
        "bad-repeater",
        "lan",
        mischief=Mischief(twice=0.1, swapped=0.1, missing=0.05, frames_until_wrap=150),
        heard_min=0.80,
    ),
    Row("disk-full", "wan", faults=(FullDisk(10.0),), fault_s=10.0, heard_min=0.99, lost_max=0, beside=True),
    Row("card-unplugged", "wan", faults=(UnpluggedCard(5.0),), fault_s=5.0, after_s=12.0),
)

LONG_ROWS: Final = (
    Row(
        "narrow-600",
        "narrow",
        spells=(Spell(0.0, 600.0, Impairment(rate_kbps=8, delay_ms=300)),),
        fault_s=600.0,
        heard_min=1.0,
        lost_max=0,
    ),
    Row(
        "drift-200",
        "lan",
        clocks=(ClockError("gateway", drift_ppm=200.0),),
        fault_s=1200.0,
        adapt=True,
        heard_min=0.99,
        age_is_limited=False,
    ),
)
"""Ten and twenty minutes: asked for by name, or all with `--long`."""

SHORT_ROWS: Final = (
    Row(
        "short-loss-delay",
        "wan",
        spells=(Spell(0.0, 4.0, Impairment(loss=0.05, delay_ms=100, jitter_ms=50)),),
        fault_s=4.0,
        after_s=6.0,
        slack=2.0,
    ),
    Row(
        "short-blackout",
        "wan",
        spells=(Spell(0.0, 2.0, Impairment(dark=True)),),
        fault_s=2.0,
        after_s=8.0,
        slack=2.0,
    ),
    Row("short-broker-kill", "wan", faults=(ProcessFault("kill", "broker", 2.0),), fault_s=2.0, after_s=8.0, slack=2.0),
    Row(
        "short-bad-repeater",
        "wan",
        mischief=Mischief(twice=0.2, swapped=0.2, frames_until_wrap=100),
        clocks=(ClockError("player", offset_s=BEFORE_FIRST_SYNC_S),),
        faults=(ClockStep("player", 2.0, HOUR_S),),
        fault_s=4.0,
        after_s=6.0,
        age_is_limited=False,
        slack=2.0,
    ),
)
"""For the suite."""


def find_row(name: str) -> Row:
    """By its name; KeyError where there is none."""
    return {row.name: row for row in (*ROWS, *LONG_ROWS, *SHORT_ROWS)}[name]

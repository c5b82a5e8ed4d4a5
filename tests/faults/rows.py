"""The rows of the fault matrix, as values: what goes wrong, for how long, and what must hold all the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from edge_player.config import PlayoutConfig
from protocol.link import LINK_PROFILES, LinkProfile
from tests.faults.impairment import Impairment, Spell

Hop = Literal["player", "gateway"]
Target = Literal["broker", "gateway", "player"]
Action = Literal["kill", "stop", "restart"]

FRESH_WITHIN_S: Final = 4.0
"""After a repair sound is back within this and the playout delay."""


@dataclass(frozen=True, slots=True)
class ProcessFault:
    """kill: SIGKILL, and started again `lasting_s` later. stop: SIGSTOP, and SIGCONT `lasting_s` later. restart: as
    kill, by SIGTERM. A broker that starts again knows nothing of before. ValueError for what the nemesis does not play:
    a player that starts again would count from 0, and recovery could not be read.
    """

    action: Action
    target: Target
    lasting_s: float = 0.0

    def __post_init__(self) -> None:
        if (self.action == "restart" and self.target != "broker") or (
            self.action == "kill" and self.target == "player"
        ):
            raise ValueError(f"{self.action} of the {self.target} is not played by the nemesis")


@dataclass(frozen=True, slots=True)
class Row:
    """hop: which end sits behind the emulated link; the other one is beside the broker. link: profile of the gateway.

    spells, faults: what goes wrong from second 0 on; all of it is over after `fault_s`. after_s: how long recovery is
    watched. heard_min: share of the time of the faults in which the player's sound is true. beside: a second player,
    beside the broker, must hear everything and nothing that is too old. age_is_limited: whether the latter holds for
    the player behind the link. slack: factor on the times allowed, for a machine that is busy.
    """

    name: str
    link: Literal["lan", "wan", "narrow"]
    hop: Hop = "player"
    spells: tuple[Spell, ...] = ()
    faults: tuple[ProcessFault, ...] = ()
    fault_s: float = 20.0
    after_s: float = 10.0
    heard_min: float = 0.0
    beside: bool = False
    age_is_limited: bool = True
    slack: float = 1.0

    @property
    def profile(self) -> LinkProfile:
        """The link profile by its name."""
        return LINK_PROFILES[self.link]

    @property
    def needs_packets(self) -> bool:
        """Whether single IP packets are lost or overtake others, which a TCP proxy can not do."""
        return any(spell.impairment.loss or spell.impairment.jitter_ms for spell in self.spells)

    @property
    def fresh_within_s(self) -> float:
        """How long after the repair true sound may take."""
        return self.slack * (FRESH_WITHIN_S + self.profile.playout_delay_ms / 1000)

    @property
    def age_limit_ms(self) -> float:
        """Older than this nothing is played, from the microphone to the sink.

        What is older than the profile's max_age_ms is not sent, and a player falls behind by its slack at most.
        """
        return self.slack * (self.profile.max_age_ms + PlayoutConfig().slack_ms)

    def faults_on(self, target: Target) -> bool:
        """Whether a process fault hits that process."""
        return any(fault.target == target for fault in self.faults)


def _impaired(name: str, link: Literal["lan", "wan", "narrow"], wrong: Impairment, heard_min: float) -> Row:
    return Row(name, link, spells=(Spell(0.0, 20.0, wrong),), heard_min=heard_min)


def _blackout(seconds: float, hop: Hop) -> Row:
    return Row(
        f"blackout-{seconds:g}-{hop}",
        "wan",
        hop=hop,
        spells=(Spell(0.0, seconds, Impairment(dark=True)),),
        fault_s=seconds,
        after_s=12.0,
    )


def _process(name: str, action: Action, target: Target, lasting_s: float) -> Row:
    return Row(name, "wan", faults=(ProcessFault(action, target, lasting_s),), fault_s=lasting_s, after_s=12.0)


ROWS: Final = (
    _impaired("loss-1", "wan", Impairment(loss=0.01), 0.99),
    _impaired("loss-5", "wan", Impairment(loss=0.05), 0.95),
    _impaired("loss-20", "wan", Impairment(loss=0.2), 0.80),
    _impaired("delay-100", "wan", Impairment(delay_ms=100, jitter_ms=50), 0.99),
    _impaired("delay-300", "wan", Impairment(delay_ms=300, jitter_ms=100), 0.95),
    _impaired("loss-5-delay-100", "wan", Impairment(loss=0.05, delay_ms=100, jitter_ms=50), 0.90),
    _impaired("rate-8-narrow", "narrow", Impairment(rate_kbps=8), 0.99),
    _impaired("rate-8-wan", "wan", Impairment(rate_kbps=8), 0.95),
    _impaired("rate-16-wan", "wan", Impairment(rate_kbps=16), 0.99),
    _impaired("rate-32-lan", "lan", Impairment(rate_kbps=32), 0.99),
    *(_blackout(seconds, hop) for hop in ("player", "gateway") for seconds in (2, 5, 10, 30)),
    _process("broker-kill", "kill", "broker", 3.0),
    _process("broker-stop", "stop", "broker", 20.0),
    _process("broker-restart", "restart", "broker", 0.0),
    _process("gateway-kill", "kill", "gateway", 3.0),
    _process("player-stop", "stop", "player", 20.0),
    # At QoS 0 a link that is too slow fills TCP's queues with sound that grows old, until the player has seen it for
    # 3 s and reconnects to the live edge, and again. What is promised here is that nobody else notices.
    Row("slow-player", "lan", spells=(Spell(0.0, 20.0, Impairment(rate_kbps=8)),), beside=True, age_is_limited=False),
)

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
)


def find_row(name: str) -> Row:
    """By its name; KeyError where there is none."""
    return {row.name: row for row in (*ROWS, *SHORT_ROWS)}[name]

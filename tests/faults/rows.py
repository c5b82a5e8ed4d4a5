"""A row of the fault matrix, as a value: what goes wrong, for how long, and what must hold all the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from edge_player.config import PlayoutConfig
from protocol.link import LINK_PROFILES, LinkProfile
from tests.faults.clocks import ClockError, ClockOwner
from tests.faults.faults import ClockStep, Fault, FullDisk, ProcessFault, Target, UnpluggedCard
from tests.faults.impairment import Spell
from tests.faults.mischief import Mischief

Hop = Literal["player", "gateway"]
Link = Literal["lan", "wan", "narrow"]
Way = Literal["mqtt", "mqtt 3.1.1", "tls", "websocket"]

FRESH_WITHIN_S: Final = 4.0
"""After a repair sound is back within this and the playout delay."""


@dataclass(frozen=True, slots=True)
class Row:
    """hop: which end sits behind the emulated link; the other one is beside the broker. link: profile of the gateway.

    spells, faults: what goes wrong from second 0 on; all of it is over after `fault_s`. clocks: what is wrong with
    clocks from the start. mischief: what a repeater between the two ends does to packets. way: over which the far end
    reaches the broker; "mqtt 3.1.1" is a broker that refuses 5 and has stock queues. after_s: how long recovery is
    watched. delay_ms: playout delay, instead of what the profile says. adapt: the player stretches sound to follow the
    link. queued_s: what the link may hold back in queues of its own, and is played late for it. connects_min: how often
    the player must have connected, where it is to give up a connection that seems to be well. connections: over which
    each player hears at once.

    heard_min: share of the time of the faults in which the player's sound is true. lost_max: frames that may be
    concealed or skipped in the whole run; None for any number. beside: a second player, beside the broker, must hear
    everything and nothing that is too old. age_is_limited: whether the latter holds for the player behind the link.
    slack: factor on the times allowed, for a machine that is busy.
    """

    name: str
    link: Link
    hop: Hop = "player"
    spells: tuple[Spell, ...] = ()
    faults: tuple[Fault, ...] = ()
    clocks: tuple[ClockError, ...] = ()
    mischief: Mischief | None = None
    way: Way = "mqtt"
    connections: int = 1
    fault_s: float = 20.0
    after_s: float = 10.0
    delay_ms: int | None = None
    adapt: bool = False
    heard_min: float = 0.0
    lost_max: int | None = None
    beside: bool = False
    age_is_limited: bool = True
    queued_s: float = 0.0
    connects_min: int = 1
    slack: float = 1.0

    @property
    def profile(self) -> LinkProfile:
        """The link profile by its name."""
        return LINK_PROFILES[self.link]

    @property
    def playout_delay_s(self) -> float:
        """What the player keeps between arrival and sound."""
        return (self.profile.playout_delay_ms if self.delay_ms is None else self.delay_ms) / 1000

    @property
    def needs_packets(self) -> bool:
        """Whether single IP packets are lost or overtake others, which a TCP proxy can not do."""
        return any(spell.impairment.loss or spell.impairment.jitter_ms for spell in self.spells)

    @property
    def needs_disk(self) -> bool:
        """Whether a disk fills up, which needs a file system of our own."""
        return any(isinstance(fault, FullDisk) for fault in self.faults)

    @property
    def needs_card(self) -> bool:
        """Whether a sound card is pulled out."""
        return any(isinstance(fault, UnpluggedCard) for fault in self.faults)

    @property
    def fresh_within_s(self) -> float:
        """How long after the repair true sound may take."""
        return self.slack * (FRESH_WITHIN_S + self.playout_delay_s)

    @property
    def age_limit_ms(self) -> float:
        """Older than this nothing is played, from the microphone to the sink.

        What is older than the profile's max_age_ms is not sent, and a player falls behind by its slack at most.
        """
        return self.slack * (self.profile.max_age_ms + PlayoutConfig().slack_ms + 1000 * self.queued_s)

    def faults_on(self, target: Target) -> bool:
        """Whether a process fault hits that process."""
        return any(isinstance(fault, ProcessFault) and fault.target == target for fault in self.faults)

    def clock_of(self, owner: ClockOwner) -> ClockError | None:
        """What is wrong with that end's clock at the start; None where it is the machine's all the time."""
        steps = any(isinstance(fault, ClockStep) and fault.owner == owner for fault in self.faults)
        return next((error for error in self.clocks if error.owner == owner), ClockError(owner) if steps else None)

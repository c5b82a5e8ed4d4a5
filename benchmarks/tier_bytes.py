"""Bytes between a broker and one player of a stream in tiers, headers included, by how many of them it takes.

Real Mosquitto, the gateway's own publisher, real time. The counts are the kernel's (TCP_INFO of the player's socket):
payload bytes and segments, pure acknowledgements and MQTT pings included.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Literal

import numpy as np

from benchmarks.harness import Cell, describe_machine, parse_options, pin_to_core, report
from gateway.config import StreamConfig
from gateway.demo.broker import start_broker
from gateway.tiers import TieredPublisher, cut_tiers, open_publisher, send_window
from protocol.packet import TokenPacket
from protocol.topics import Topics
from protocol.transport import BrokerConfig, Connection, WireCounters

LAYERS, CODEBOOK_SIZE, FRAME_S = 16, 2048, 0.08
FIRST_FRAME: Final = 1_080_000
"""A day into the stream: an index is one byte at the start and five later."""
SETTLE_S = 5.0
"""Connect, subscribe, and the first packets: over before anything is counted."""

Link = Literal["wan", "narrow"]
LINKS: Final[tuple[Link, ...]] = ("wan", "narrow")
STREAMS: Final[tuple[tuple[tuple[int, ...], int], ...]] = (
    ((16,), 1), ((4, 12), 1), ((4, 12), 0), ((4, 4, 8), 1), ((4, 4, 8), 0), ((1, 3, 4, 8), 1),
)  # fmt: skip
"""Layers on each tier, and the QoS of the upper ones; the base goes at 1."""


@dataclasses.dataclass(slots=True)
class Flow:
    """One stream: a publisher of its tiers, the broker, one subscriber to the first `taken` of them."""

    config: StreamConfig
    taken: int
    publisher: TieredPublisher
    player: Connection
    next_at: float = 0.0
    sent: int = 0

    @property
    def frames(self) -> int:
        """In a packet."""
        return self.config.profile.frames_per_packet

    def send(self) -> None:
        """The next packet of each tier."""
        codes = np.random.default_rng(self.sent).integers(0, CODEBOOK_SIZE, (LAYERS, self.frames), dtype=np.uint16)
        self.publisher.publish(TokenPacket(epoch=5, first_frame=FIRST_FRAME + self.sent * self.frames, codes=codes))
        self.sent += 1
        self.next_at += self.frames * FRAME_S

    def read(self) -> WireCounters:
        """Of the player's connection, so far."""
        counters = self.player.wire()
        if counters is None:
            raise SystemExit("The kernel does not count for us (TCP_INFO): this benchmark needs Linux")
        return counters


def main() -> int:
    summary = (__doc__ or "").splitlines()[0]
    options = parse_options("tier_bytes", summary, seconds=60.0, seconds_help="seconds counted")
    pin_to_core(options.core)
    machine = describe_machine(["paho-mqtt"])
    with tempfile.TemporaryDirectory() as directory, start_broker(Path(directory), prefer="mosquitto") as broker:
        rows = _measure(broker.url, options.seconds)
        broker_name = broker.name
    report(
        options,
        title=f"A stream in tiers, broker to one player and back, {options.seconds:g} s, kernel counters",
        rows=rows,
        machine=machine | {"broker": broker_name},
        notes=["52 bytes of IPv4 and TCP headers a segment; pings included, clock reports not."],
    )
    return 0


def _measure(url: str, seconds: float) -> list[dict[str, Cell]]:
    """All flows at the same time, each with connections of its own."""
    cases = [
        (StreamConfig(link=link, tiers=tiers, upper_qos=upper_qos), taken)
        for link in LINKS
        for tiers, upper_qos in STREAMS
        for taken in range(1, len(tiers) + 1)
    ]
    with ExitStack() as stack:
        flows = [stack.enter_context(_flow(*case, url, number)) for number, case in enumerate(cases)]
        _run(flows, SETTLE_S)
        before = [flow.read() for flow in flows]
        begun = time.monotonic()
        _run(flows, seconds)
        elapsed = time.monotonic() - begun
        return [_row(flow, flow.read() - earlier, elapsed) for flow, earlier in zip(flows, before, strict=True)]


@contextmanager
def _flow(config: StreamConfig, taken: int, url: str, number: int) -> Iterator[Flow]:
    broker = BrokerConfig(url=url, keepalive_s=config.profile.keepalive_s)
    config = dataclasses.replace(config, name=f"cas{number:02d}")  # as long as "lobby"
    tiers = cut_tiers(config, codec="nano", num_layers=LAYERS)
    with (
        Connection(
            dataclasses.replace(broker, client_id=f"bench-gateway-{number}"),
            window=send_window(config, config.profile, tiers),
        ) as gateway,
        Connection(dataclasses.replace(broker, client_id=f"bench-player-{number}")) as player,
    ):
        publisher = open_publisher(gateway, config, config.profile, Topics(), tiers, codebook_size=CODEBOOK_SIZE)
        for topic in publisher.topics[:taken]:
            player.subscribe(topic, 1, lambda _message: None)
        for connection in (gateway, player):
            connection.wait_connected(10.0)
        yield Flow(config, taken, publisher, player)


def _run(flows: Sequence[Flow], seconds: float) -> None:
    """Send in real time: a packet is due when its last frame is."""
    begun = time.monotonic()
    for flow in flows:
        flow.next_at = max(flow.next_at, begun)
    while (flow := min(flows, key=lambda candidate: candidate.next_at)).next_at < begun + seconds:
        time.sleep(max(0.0, flow.next_at - time.monotonic()))
        flow.send()
    time.sleep(max(0.0, begun + seconds - time.monotonic()))


def _row(flow: Flow, moved: WireCounters, seconds: float) -> dict[str, Cell]:
    sizes = flow.config.tiers or ()
    return {
        "link": flow.config.link,
        "tiers": ",".join(str(size) for size in sizes),
        "upper_qos": flow.config.upper_qos if len(sizes) > 1 else None,
        "layers_taken": sum(sizes[: flow.taken]),
        "down_kbps": 8e-3 * moved.ip_bytes_in / seconds,
        "up_kbps": 8e-3 * moved.ip_bytes_out / seconds,
        "player_kbps": 8e-3 * (moved.ip_bytes_in + moved.ip_bytes_out) / seconds,
    }


if __name__ == "__main__":
    raise SystemExit(main())

"""The layers of a stream in tiers: how they are cut, and the publisher that sends each tier on its own topic."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from gateway.config import StreamConfig
from gateway.errors import GatewayError
from gateway.publisher import Publisher
from protocol.entropy import CodesCoder, EntropyTables
from protocol.link import LinkProfile
from protocol.manifest import Tier
from protocol.packet import TokenPacket
from protocol.service import ConfigError
from protocol.topics import Topics
from protocol.transport import PublishingConnection

__all__ = ["TieredPublisher", "cut_tiers", "open_publisher", "send_window"]

UPPER_AGE_SHARE = 0.5
"""Of the playout delay: an upper tier's packet that waits longer would come when its frames have played, or nearly so,
and only keep the next one from coming in time."""


def cut_tiers(config: StreamConfig, *, codec: str, num_layers: int) -> tuple[Tier, ...]:
    """The tiers in layer order, tier 0 first; one of all layers that are sent unless told otherwise.

    codec, num_layers: of the encoder. Raises GatewayError where it has fewer layers than are asked for, ConfigError
    (78) where the tiers do not come to the layers that are sent.
    """
    layers = config.layers or num_layers
    if layers > num_layers:
        raise GatewayError(f"{codec} has {num_layers} layers, asked to send {layers}.")
    sizes = config.tiers or (layers,)
    if sum(sizes) != layers:
        shown = ",".join(str(size) for size in sizes)
        raise ConfigError(
            f"stream.tiers is {shown}, which comes to {sum(sizes)} layers, expected {layers}, as many as are sent of "
            f"the {num_layers} of {codec}: change --tiers, or --layers"
        )
    return tuple(Tier(sum(sizes[:number]), size) for number, size in enumerate(sizes))


def send_window(config: StreamConfig, profile: LinkProfile, tiers: Sequence[Tier]) -> int:
    """QoS 1 packets in flight. The link profile counts whole frames: with one window for all tiers that are
    acknowledged, a second one would halve what a long round trip lets through."""
    return profile.window * max(1, sum(config.qos_of(number) for number in range(len(tiers))))


def open_publisher(
    connection: PublishingConnection,
    config: StreamConfig,
    profile: LinkProfile,
    topics: Topics,
    tiers: Sequence[Tier],
    *,
    codebook_size: int,
    tables: EntropyTables | None = None,
) -> TieredPublisher:
    """A publisher of every tier, as the settings want them sent. `tables`: what its codes are entropy-coded by."""
    upper_age_s = UPPER_AGE_SHARE * profile.playout_delay_ms / 1000
    return TieredPublisher(
        tiers,
        [
            Publisher(
                connection,
                topic=topics.tokens(config.name, number),
                qos=config.qos_of(number),
                codebook_size=codebook_size,
                coder=_coder(tables, tier),
                tier=number,
                max_age_s=upper_age_s if number else None,
            )
            for number, tier in enumerate(tiers)
        ],
    )


def _coder(tables: EntropyTables | None, tier: Tier) -> CodesCoder | None:
    return None if tables is None else CodesCoder(tables, first_layer=tier.first_layer, num_layers=tier.num_layers)


class TieredPublisher:
    """Cuts each packet by tier: as many packets of the same frames, each readable alone, the base tier's first."""

    def __init__(self, tiers: Sequence[Tier], publishers: Sequence[Publisher]) -> None:
        """`publishers`: one for each of `tiers`, in their order."""
        self._parts = tuple(zip(tiers, publishers, strict=True))

    @property
    def topics(self) -> tuple[str, ...]:
        """Where the tiers go."""
        return tuple(publisher.topic for _, publisher in self._parts)

    @property
    def payload_bytes(self) -> int:
        """Of all tiers together."""
        return sum(publisher.payload_bytes for _, publisher in self._parts)

    @property
    def bytes_saved(self) -> int:
        """By entropy coding, of all tiers together."""
        return sum(publisher.bytes_saved for _, publisher in self._parts)

    def publish(self, packet: TokenPacket) -> None:
        """Hand a packet, codes [layers that are sent, N], to the connection; never blocks on the network.

        That a pause follows stands in the base tier's packet alone: it is all that decides when a frame is due.
        """
        for tier, publisher in self._parts:
            codes = packet.codes[tier.first_layer : tier.first_layer + tier.num_layers]
            pause_after = 0 if tier.first_layer else packet.pause_after
            publisher.publish(dataclasses.replace(packet, codes=codes, pause_after=pause_after))

"""The only place that joins and takes apart topic strings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from protocol import untrusted
from protocol.errors import Fault, TopicError
from protocol.limits import MAX_TIERS, WIRE_VERSION

_BASE: Final = re.compile(r"[a-z0-9-]{1,32}(/[a-z0-9-]{1,32}){0,3}")
_BASE_RULE: Final = "1 to 4 levels of 1 to 32 characters from a-z, 0-9 and -"


class TopicKind(StrEnum):
    """What a topic carries."""

    MANIFEST = "manifest"
    TOKENS = "tokens"
    CLIP = "clip"
    EVENT = "event"
    GATEWAY_STATUS = "gateway-status"
    EDGE_STATUS = "edge-status"
    EDGE_METRICS = "edge-metrics"
    EDGE_COMMAND = "edge-command"
    EDGE_ACK = "edge-ack"


@dataclass(frozen=True, slots=True)
class ParsedTopic:
    """A topic of ours, taken apart by `Topics.parse`."""

    kind: TopicKind
    id: str
    """The stream, gateway or edge id."""
    item: str | None = None
    """Clip id, command verb or ack id, where the kind has one."""
    tier: int | None = None
    """0 to 3, where the kind is TOKENS."""


def check_id(text: str) -> str:
    """`text`, where it may stand in a topic: [a-z0-9-]{1,32}. Raises TopicError: + # / would lead elsewhere."""
    return untrusted.check_id(text, "id", error=TopicError)


@dataclass(frozen=True, slots=True)
class Topics:
    """All topics under one base. Every method raises TopicError for an id that may not stand in a topic."""

    base: str = "vw"

    def __post_init__(self) -> None:
        untrusted.check_text(self.base, "topic base", _BASE, _BASE_RULE, error=TopicError)

    @property
    def root(self) -> str:
        return f"{self.base}/v{WIRE_VERSION}"

    def manifest(self, stream: str) -> str:
        return f"{self.root}/s/{check_id(stream)}/manifest"

    def tokens(self, stream: str, tier: int = 0) -> str:
        """The topic of one tier; with base `vw` and stream `demo` 15 bytes, which every packet pays."""
        if not 0 <= tier < MAX_TIERS:
            raise TopicError(Fault.RANGE, f"tier: expected 0 to {MAX_TIERS - 1}, got {tier}")
        return f"{self.root}/s/{check_id(stream)}/t{tier}"

    def tokens_filter(self, stream: str) -> str:
        """A filter for all tiers. MQTT has no finer wildcard: it matches the manifest and the events too (`parse`)."""
        return f"{self.root}/s/{check_id(stream)}/+"

    @property
    def manifests_filter(self) -> str:
        """A filter for the manifest of every stream."""
        return f"{self.root}/s/+/manifest"

    @property
    def gateways_filter(self) -> str:
        """A filter for the status of every gateway."""
        return f"{self.root}/gateway/+/status"

    @property
    def edges_filter(self) -> str:
        """A filter for the status of every edge player."""
        return f"{self.root}/edge/+/status"

    def clip(self, stream: str, clip_id: str) -> str:
        return f"{self.root}/s/{check_id(stream)}/clip/{check_id(clip_id)}"

    def clips_filter(self, stream: str) -> str:
        return f"{self.root}/s/{check_id(stream)}/clip/+"

    def event(self, stream: str) -> str:
        return f"{self.root}/s/{check_id(stream)}/event"

    def gateway_status(self, gateway_id: str) -> str:
        return f"{self.root}/gateway/{check_id(gateway_id)}/status"

    def edge_status(self, edge_id: str) -> str:
        return f"{self.root}/edge/{check_id(edge_id)}/status"

    def edge_metrics(self, edge_id: str) -> str:
        return f"{self.root}/edge/{check_id(edge_id)}/metrics"

    def edge_command(self, edge_id: str, verb: str) -> str:
        return f"{self.root}/edge/{check_id(edge_id)}/cmd/{check_id(verb)}"

    def edge_commands_filter(self, edge_id: str) -> str:
        return f"{self.root}/edge/{check_id(edge_id)}/cmd/+"

    def edge_ack(self, edge_id: str, ack_id: str) -> str:
        return f"{self.root}/edge/{check_id(edge_id)}/ack/{check_id(ack_id)}"

    def parse(self, topic: str) -> ParsedTopic:
        """The parts of a topic under this base; TopicError for any other string."""
        prefix = f"{self.root}/"
        if not topic.startswith(prefix):
            raise TopicError(Fault.UNKNOWN, f"expected a topic below {self.root}, got {topic[:80]!r}")
        match topic[len(prefix) :].split("/"):
            case ["s", stream, "manifest"]:
                return ParsedTopic(TopicKind.MANIFEST, check_id(stream))
            case ["s", stream, "event"]:
                return ParsedTopic(TopicKind.EVENT, check_id(stream))
            case ["s", stream, ("t0" | "t1" | "t2" | "t3") as tier]:
                return ParsedTopic(TopicKind.TOKENS, check_id(stream), tier=int(tier[1]))
            case ["s", stream, "clip", item]:
                return ParsedTopic(TopicKind.CLIP, check_id(stream), check_id(item))
            case ["gateway", gateway_id, "status"]:
                return ParsedTopic(TopicKind.GATEWAY_STATUS, check_id(gateway_id))
            case ["edge", edge_id, "status"]:
                return ParsedTopic(TopicKind.EDGE_STATUS, check_id(edge_id))
            case ["edge", edge_id, "metrics"]:
                return ParsedTopic(TopicKind.EDGE_METRICS, check_id(edge_id))
            case ["edge", edge_id, "cmd", item]:
                return ParsedTopic(TopicKind.EDGE_COMMAND, check_id(edge_id), check_id(item))
            case ["edge", edge_id, "ack", item]:
                return ParsedTopic(TopicKind.EDGE_ACK, check_id(edge_id), check_id(item))
        raise TopicError(Fault.UNKNOWN, f"expected a topic of this protocol, got {topic[:80]!r}")

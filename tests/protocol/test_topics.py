from __future__ import annotations

import pytest

from protocol.errors import ProtocolError, TopicError
from protocol.topics import ParsedTopic, TopicKind, Topics, check_id

TOPICS = Topics()

NAMED = {
    TOPICS.manifest("demo"): ("vw/v1/s/demo/manifest", ParsedTopic(TopicKind.MANIFEST, "demo")),
    TOPICS.tokens("demo"): ("vw/v1/s/demo/t0", ParsedTopic(TopicKind.TOKENS, "demo", tier=0)),
    TOPICS.tokens("demo", 3): ("vw/v1/s/demo/t3", ParsedTopic(TopicKind.TOKENS, "demo", tier=3)),
    TOPICS.clip("demo", "c-1"): ("vw/v1/s/demo/clip/c-1", ParsedTopic(TopicKind.CLIP, "demo", "c-1")),
    TOPICS.event("demo"): ("vw/v1/s/demo/event", ParsedTopic(TopicKind.EVENT, "demo")),
    TOPICS.gateway_status("g"): ("vw/v1/gateway/g/status", ParsedTopic(TopicKind.GATEWAY_STATUS, "g")),
    TOPICS.edge_status("e"): ("vw/v1/edge/e/status", ParsedTopic(TopicKind.EDGE_STATUS, "e")),
    TOPICS.edge_metrics("e"): ("vw/v1/edge/e/metrics", ParsedTopic(TopicKind.EDGE_METRICS, "e")),
    TOPICS.edge_command("e", "stop"): ("vw/v1/edge/e/cmd/stop", ParsedTopic(TopicKind.EDGE_COMMAND, "e", "stop")),
    TOPICS.edge_ack("e", "42"): ("vw/v1/edge/e/ack/42", ParsedTopic(TopicKind.EDGE_ACK, "e", "42")),
}


@pytest.mark.parametrize("topic", NAMED)
def test_topics_are_those_of_the_spec_and_parse_back(topic: str) -> None:
    text, parsed = NAMED[topic]
    assert topic == text
    assert TOPICS.parse(topic) == parsed


def test_filters_name_whole_levels() -> None:
    assert TOPICS.tokens_filter("demo") == "vw/v1/s/demo/+"
    assert TOPICS.clips_filter("demo") == "vw/v1/s/demo/clip/+"
    assert TOPICS.manifests_filter == "vw/v1/s/+/manifest"
    assert TOPICS.gateways_filter == "vw/v1/gateway/+/status"
    assert TOPICS.edges_filter == "vw/v1/edge/+/status"
    assert TOPICS.edge_commands_filter("e") == "vw/v1/edge/e/cmd/+"


def test_another_base_stands_in_front_of_everything() -> None:
    topics = Topics("city/hall-2")
    assert topics.tokens("demo") == "city/hall-2/v1/s/demo/t0"
    assert topics.parse("city/hall-2/v1/s/demo/t1").tier == 1
    with pytest.raises(TopicError):
        topics.parse("vw/v1/s/demo/t1")


@pytest.mark.parametrize(
    "text", ["", "a" * 33, "Lobby", "a b", "a/b", "+", "#", "$sys", "é", "a\n", "a\x00", "a_b", "\u0661"]
)
def test_an_id_that_could_lead_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(TopicError, match="1 to 32 characters from a-z, 0-9 and -"):
        check_id(text)
    with pytest.raises(ProtocolError):
        TOPICS.tokens(text)


def test_a_good_id_comes_back() -> None:
    assert check_id("a-0") == "a-0"
    assert check_id("z" * 32) == "z" * 32


@pytest.mark.parametrize("tier", [-1, 4])
def test_there_are_four_tiers(tier: int) -> None:
    with pytest.raises(TopicError, match="tier: expected 0 to 3"):
        TOPICS.tokens("demo", tier)


@pytest.mark.parametrize("base", ["", "/", "vw/", "/vw", "a/b/c/d/e", "vw/+", "VW", "$share", "vw\n"])
def test_a_base_that_could_lead_elsewhere_is_refused(base: str) -> None:
    with pytest.raises(TopicError, match="topic base"):
        Topics(base)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "vw",
        "vw/v1/s/demo",
        "vw/v1/s/demo/t4",
        "vw/v1/s/demo/t",
        "vw/v1/s/demo/t0/x",
        "vw/v1/s/De/t0",
        "vw/v1/s//t0",
        "vw/v2/s/demo/t0",
        "vw/v1/gateway/g",
        "vw/v1/s/demo/clip/",
        "x" * 65_535,
    ],
)
def test_a_topic_that_is_not_ours_is_refused(topic: str) -> None:
    with pytest.raises(TopicError) as refused:
        TOPICS.parse(topic)
    assert len(str(refused.value)) < 200

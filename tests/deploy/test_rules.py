"""Who may write where, and who hears what: every member against every topic of the protocol."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from protocol.topics import Topics
from tests.deploy.conftest import MEMBERS
from tests.deploy.site import PASSWORD, PASSWORDS, SOURCE, WEB, Site
from tests.deploy.visitor import NOT_AUTHORISED, Login, RefusedError, Visitor

pytestmark = pytest.mark.broker

TOPICS = Topics()
STREAMS = ("lobby", "yard", "word")
GATEWAYS = ("gw-lobby", "gw-yard", "gw-word")
PLAYERS = ("edge-1", "edge-2", "edge-yard", "edge-word")


def stream_topics(stream: str) -> list[str]:
    tiers = [TOPICS.tokens(stream, tier) for tier in range(4)]
    return [TOPICS.manifest(stream), *tiers, TOPICS.event(stream), TOPICS.clip(stream, "fire")]


OF_STREAMS = [topic for stream in STREAMS for topic in stream_topics(stream)]
OF_GATEWAYS = [TOPICS.gateway_status(name) for name in GATEWAYS]
OF_PLAYERS = [
    topic
    for name in PLAYERS
    for topic in (
        TOPICS.edge_status(name),
        TOPICS.edge_metrics(name),
        TOPICS.edge_command(name, "volume"),
        TOPICS.edge_ack(name, "a1"),
    )
]
ELSEWHERE = [
    *("vw", "vw/v1", "vw/v1/s", "vw/v1/s/lobby", "vw/v1/s/lobby/t4", "vw/v1/s/lobby/t0/x", "vw/v1/s//t0"),
    *("vw/v1/gateway/gw-lobby", "vw/v1/gateway/gw-lobby/cmd/stop"),
    *("vw/v1/edge/edge-1/cmd", "vw/v1/edge/edge-1/cmd/volume/x"),
    *("vw/v2/s/lobby/t0", "VW/v1/s/lobby/t0", "/vw/v1/s/lobby/t0"),
    *("x", "$SYS/broker/uptime", "$share/g/vw/v1/s/lobby/t0"),
]
EVERYWHERE = [*OF_STREAMS, *OF_GATEWAYS, *OF_PLAYERS, *ELSEWHERE]


@dataclass(frozen=True, slots=True)
class Rights:
    """What DESIGN and SPEC give a member, as patterns where * stands for anything but a slash."""

    writes: tuple[str, ...]
    reads: tuple[str, ...]


def gateway(name: str, stream: str) -> Rights:
    own = (*stream_topics(stream)[:-1], f"vw/v1/s/{stream}/clip/*", f"vw/v1/gateway/{name}/status")
    return Rights(own, own)


def player(name: str, stream: str = "*") -> Rights:
    own = f"vw/v1/edge/{name}"
    heard = (f"vw/v1/s/{stream}/*", f"vw/v1/s/{stream}/clip/*", "vw/v1/gateway/*/status")
    return Rights(
        (f"{own}/status", f"{own}/metrics", f"{own}/ack/*"), (*heard, f"{own}/*", f"{own}/ack/*", f"{own}/cmd/*")
    )


PRESENCE = ("vw/v1/gateway/*/status", "vw/v1/edge/*/status", "vw/v1/edge/*/metrics", "vw/v1/s/*/manifest")
RIGHTS = {
    "gw-lobby": gateway("gw-lobby", "lobby"),
    "gw-yard": gateway("gw-yard", "yard"),
    "gw-word": gateway("gw-word", "word"),
    "edge-1": player("edge-1"),
    "edge-2": player("edge-2"),
    "edge-yard": player("edge-yard", "yard"),
    "edge-word": player("edge-word"),
    "anna": Rights(("vw/v1/edge/*/cmd/*",), (*PRESENCE, "vw/v1/edge/*/ack/*")),
    "watch": Rights((), (*PRESENCE, "vw/v1/s/*/event")),
}


def allowed(topic: str, patterns: tuple[str, ...]) -> bool:
    """Level by level: fnmatch alone would let * pass a slash."""
    levels = topic.split("/")
    return any(
        len(levels) == len(wanted) and all(map(fnmatchcase, levels, wanted))
        for wanted in (pattern.split("/") for pattern in patterns)
    )


def login(site: Site, name: str) -> Login:
    if name.endswith("-word"):
        return Login(username=name, password=PASSWORD, listener=WEB if name.startswith("edge") else PASSWORDS)
    return Login(site.device(name))


def test_every_member_of_the_site_is_tried() -> None:
    assert sorted(RIGHTS) == sorted(member.split()[1] for member in MEMBERS)


@pytest.mark.parametrize("name", RIGHTS)
def test_a_member_writes_its_own_topics_and_nothing_else(site: Site, name: str) -> None:
    with Visitor(site, login(site, name)) as visitor:
        answers = {topic: visitor.publish(topic) for topic in EVERYWHERE}
    written = {topic for topic, code in answers.items() if code < NOT_AUTHORISED}
    assert written == {topic for topic in EVERYWHERE if allowed(topic, RIGHTS[name].writes)}
    assert {code for topic, code in answers.items() if topic not in written} <= {NOT_AUTHORISED}


@pytest.mark.parametrize("version", [5, 4], ids=["MQTT 5", "MQTT 3.1.1"])
@pytest.mark.parametrize("wanted", ["#", "+/+/+/+/+", "vw/v1/#", "vw/v1/+/+/+/+"])
def test_a_wildcard_brings_a_member_what_it_may_read_and_nothing_else(site: Site, wanted: str, version: int) -> None:
    """Everybody listens with one filter while everybody says all that it may say."""
    with ExitStack() as stack:
        enter = stack.enter_context
        crowd = {name: enter(Visitor(site, login(site, name), version=version)) for name in RIGHTS}
        for visitor in crowd.values():
            visitor.subscribe(wanted, 0)  # at QoS 1 the short queue would drop some of the many retained messages
        said = _say_everything(crowd)
        for name, visitor in crowd.items():
            _fence(crowd, name)
            expected = {topic for topic in said if allowed(topic, RIGHTS[name].reads) and _matches(wanted, topic)}
            assert visitor.topics() - {FENCE[name]} == expected - {FENCE[name]}, name


FENCE = {
    **{name: f"vw/v1/gateway/{name}/status" for name in GATEWAYS},
    **{name: f"vw/v1/edge/{name}/status" for name in PLAYERS},
    "anna": "vw/v1/edge/edge-1/status",
    "watch": "vw/v1/edge/edge-1/status",
}
"""What each member may read that we can have published last: once it came, nothing earlier is still under way."""


def _say_everything(crowd: dict[str, Visitor]) -> set[str]:
    """One message on every topic by a member that may write it; the topics."""
    said = set()
    for name, visitor in crowd.items():
        for topic in EVERYWHERE:
            if topic not in said and allowed(topic, RIGHTS[name].writes):
                assert visitor.publish(topic) < NOT_AUTHORISED
                said.add(topic)
    assert said == {*OF_STREAMS, *OF_GATEWAYS, *OF_PLAYERS}
    return said


def _fence(crowd: dict[str, Visitor], name: str) -> None:
    topic = FENCE[name]
    speaker = next(other for other in crowd if allowed(topic, RIGHTS[other].writes))
    crowd[name].subscribe(topic, 0)
    crowd[speaker].publish(topic, b"fence")
    crowd[name].wait_for(topic, b"fence")


def _matches(wanted: str, topic: str) -> bool:
    if wanted.endswith("#"):
        return topic.startswith(wanted[:-1])
    return len(wanted.split("/")) == len(topic.split("/")) and allowed(topic, (wanted.replace("+", "*"),))


def test_only_the_monitor_hears_how_the_broker_is(site: Site) -> None:
    for name in ("edge-1", "gw-lobby", "anna"):
        with Visitor(site, login(site, name)) as visitor:
            visitor.subscribe("$SYS/#")
            visitor.subscribe(FENCE[name])
            speaker = "edge-1" if name == "anna" else name
            if speaker == name:
                visitor.publish(FENCE[name], b"fence")
            else:
                with Visitor(site, login(site, speaker)) as other:
                    other.publish(FENCE[name], b"fence")
            visitor.wait_for(FENCE[name], b"fence")
            assert visitor.topics() == {FENCE[name]}
    with Visitor(site, login(site, "watch")) as monitor:
        monitor.subscribe("$SYS/broker/version", 0)
        monitor.wait_for_topic("$SYS/broker/version")


def test_nothing_retained_is_left_where_it_is_forbidden(site: Site) -> None:
    """A poisoned manifest, an emptied one, a planted packet, a lie about another's presence: newcomers meet none."""
    manifest, tokens, status = "vw/v1/s/lobby/manifest", "vw/v1/s/lobby/t0", "vw/v1/gateway/gw-lobby/status"
    with Visitor(site, login(site, "gw-lobby")) as honest:
        honest.publish(manifest, b"true", retain=True)
        honest.publish(status, b"true", retain=True)
    with Visitor(site, login(site, "edge-2")) as liar:
        for topic, payload in ((manifest, b""), (manifest, b"false"), (tokens, b"false"), (status, b"")):
            assert liar.publish(topic, payload, retain=True) == NOT_AUTHORISED
            liar.publish(topic, payload, qos=0, retain=True)
        liar.publish("vw/v1/edge/edge-2/status")  # handled after all of the above
    with Visitor(site, login(site, "edge-1")) as newcomer:
        newcomer.subscribe("vw/v1/s/lobby/+")
        newcomer.subscribe("vw/v1/gateway/+/status")
        newcomer.wait_for(status, b"true")
        assert {(got.topic, got.payload) for got in newcomer.got} == {(manifest, b"true"), (status, b"true")}
    with Visitor(site, login(site, "gw-lobby")) as honest:
        honest.publish(manifest, b"", retain=True)
        honest.publish(status, b"", retain=True)


@pytest.mark.parametrize("version", [5, 4], ids=["MQTT 5", "MQTT 3.1.1"])
def test_a_will_on_a_foreign_topic_is_never_published(site: Site, version: int) -> None:
    with Visitor(site, login(site, "watch")) as monitor:
        monitor.subscribe("vw/v1/#")
        _die_with_will(site, "edge-2", "vw/v1/gateway/gw-lobby/status", version)
        _die_with_will(site, "edge-2", "vw/v1/edge/edge-2/status", version)  # its own: this one comes
        monitor.wait_for("vw/v1/edge/edge-2/status", b"will")
        assert monitor.topics() == {"vw/v1/edge/edge-2/status"}
    with Visitor(site, login(site, "edge-2")) as tidy:
        tidy.publish("vw/v1/edge/edge-2/status", b"", retain=True)


def _die_with_will(site: Site, name: str, topic: str, version: int) -> None:
    marks = site.log().count(f"Client {name} closed its connection")
    try:
        with Visitor(site, login(site, name), will=(topic, b"will"), version=version) as dying:
            dying.vanish()
    except RefusedError:
        return  # a broker that refuses such a will at once does even better
    site.wait_for_count(f"Client {name} closed its connection", marks + 1)


def test_a_player_cannot_command_another(site: Site) -> None:
    with Visitor(site, login(site, "edge-1")) as victim, Visitor(site, login(site, "edge-2")) as attacker:
        victim.subscribe("vw/v1/edge/edge-1/cmd/+")
        assert attacker.publish("vw/v1/edge/edge-1/cmd/volume") == NOT_AUTHORISED
        attacker.publish("vw/v1/edge/edge-1/cmd/volume", qos=0)
        attacker.publish("vw/v1/edge/edge-2/metrics")
        with Visitor(site, login(site, "anna")) as operator:
            operator.publish("vw/v1/edge/edge-1/cmd/volume", b"7")
        victim.wait_for("vw/v1/edge/edge-1/cmd/volume", b"7")
        assert [got.payload for got in victim.got] == [b"7"]


@pytest.mark.parametrize("role", ["gateway", "player", "operator", "monitor"])
def test_the_rules_of_a_role_name_topics_of_the_protocol(role: str) -> None:
    lines = (SOURCE / "roles" / f"{role}.acl").read_text().splitlines()
    rules = [line.split() for line in lines if line and not line.startswith("#")]
    for keyword, access, topic in rules:
        assert keyword == "topic"
        assert access in ("read", "write", "readwrite")
        if not topic.startswith("$SYS/"):
            plain = topic.replace("@STREAM@", "s").replace("@NAME@", "n").replace("+", "x")
            assert TOPICS.parse(plain)


def test_no_rule_is_given_to_everybody(site: Site) -> None:
    rules = Path(site.root / "etc/mosquitto/voxwire/acl").read_text().splitlines()
    first = next(line for line in rules if line and not line.startswith("#"))
    assert first.startswith("user ")  # a topic before the first user would be for anonymous clients
    assert not [line for line in rules if line.startswith("pattern")]  # which would be for all

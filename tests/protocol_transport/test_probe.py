"""What `check` finds out about a broker, with real ones of both versions of MQTT."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.demo.broker import RunningBroker, find_mosquitto, start_broker
from protocol.transport import BrokerConfig, Connection, broker_cautions, broker_finding, permissions
from protocol.transport.probe import permissions_finding, retained_message
from tests.protocol_transport.old_broker import OldBroker

real_broker = [
    pytest.mark.broker,
    pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed"),
]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """Below `open/` everybody may do everything, below `shut/` only read."""
    folder = tmp_path_factory.mktemp("guarded")
    rules = folder / "acl"
    rules.write_text("topic readwrite open/#\ntopic read shut/#\n", encoding="utf-8")
    with start_broker(folder / "broker", prefer="mosquitto", settings={"acl_file": str(rules)}) as broker:
        yield broker


@pytest.mark.parametrize(
    ("url", "insecure", "words"),
    [
        ("mqtt://127.0.0.1:1883", False, []),
        ("mqtts://broker.example", False, []),
        ("mqtts://broker.example", True, ["anybody may pose as the broker"]),
        ("mqtt://broker.example", False, ["everybody on the way can read what is sent"]),
        ("mqtt://u:p@broker.example", False, ["can read the password and what is sent"]),
    ],
)
def test_a_careful_person_is_warned(url: str, insecure: bool, words: list[str]) -> None:
    cautions = list(broker_cautions(BrokerConfig(url=url, insecure=insecure)))
    assert len(cautions) == len(words)
    assert all(word in caution for word, caution in zip(words, cautions, strict=True))


class TestAgainstABroker:
    pytestmark = real_broker

    def test_a_broker_that_answers_is_named(self, guarded: RunningBroker) -> None:
        found = broker_finding(BrokerConfig(url=guarded.url))
        assert found.verdict == "ok"
        assert guarded.url in found.detail
        assert "MQTT 5" in found.detail
        assert float(found.figures["login_ms"]) > 0

    def test_what_is_allowed_is_named_and_done_without_leaving_anything(self, guarded: RunningBroker) -> None:
        config = BrokerConfig(url=guarded.url)
        found = permissions_finding(config, publish={"open/a": b"1", "open/b": b"2"}, subscribe=["open/c"])
        assert (found.verdict, found.detail) == ("ok", "may publish on open/a, open/b without a user name")
        assert retained_message(config, "open/a", wait_s=0.3) is None

    def test_mqtt_5_says_what_is_forbidden_and_every_topic_is_named(self, guarded: RunningBroker) -> None:
        found = permissions_finding(
            BrokerConfig(url=guarded.url), publish={"open/a": b"1", "shut/a": b"2", "shut/b": b"3"}
        )
        assert (found.verdict, found.exit_code) == ("failed", 77)
        assert "may not publish on shut/a" in found.detail
        assert "the same on shut/b" in found.detail
        assert "open/a" not in found.detail
        assert found.remedy is not None

    @pytest.mark.parametrize(("topic", "verdict", "exit_code"), [("open/a", "ok", 0), ("shut/a", "failed", 77)])
    def test_mqtt_3_is_found_out_by_what_comes_back(
        self, guarded: RunningBroker, monkeypatch: pytest.MonkeyPatch, topic: str, verdict: str, exit_code: int
    ) -> None:
        monkeypatch.setattr(permissions, "ECHO_TIMEOUT_S", 0.5)
        with OldBroker(guarded.host, guarded.port) as old:
            found = permissions_finding(BrokerConfig(url=old.url), publish={topic: b"1"})
        assert (found.verdict, found.exit_code) == (verdict, exit_code)
        assert (f"{topic} without a user name does not come back" in found.detail) is (verdict == "failed")

    def test_what_is_retained_is_read(self, guarded: RunningBroker) -> None:
        config = BrokerConfig(url=guarded.url)
        with Connection(config) as connection:
            connection.wait_connected(5.0)
            connection.publish("open/kept", b"manifest", qos=1, retain=True, reliable=True)
            assert connection.flush(5.0)
        assert retained_message(config, "open/kept", wait_s=5.0) == b"manifest"

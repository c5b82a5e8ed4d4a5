"""Both ends as processes over the site of deploy/mosquitto, with its own samples; then with something wrong there."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.demo.broker import start_broker
from tests.deploy.site import HOST, PASSWORD, PASSWORDS, WEB, Site, make_site, until
from tests.deploy.strangers import stranger
from tests.deploy.visitor import Login, Visitor
from tests.integration.bad_input import END_S, Command, Outcome, launch, run
from tests.integration.nano_path import CLIP, FRAME_S, NanoRun, Start, assert_every_frame_was_played, finish
from tests.protocol_transport.old_broker import OldBroker

pytestmark = pytest.mark.broker

SECONDS = 3
MEMBERS = (
    "gateway gw-lobby lobby",
    "player edge-1 lobby",
    "gateway gw-word word --password",
    "player edge-word word --password",
    "gateway gw-mute elsewhere",
    "monitor watch",
)
ENDS = pytest.mark.parametrize("end", ["gateway", "edge_player"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with make_site(tmp_path_factory.mktemp("site"), *MEMBERS) as running:
        running.start()
        yield running


def sample(site: Site, name: str, folder: Path) -> Path:
    """The settings that site.sh wrote for a device, with the places of this machine."""
    (path,) = site.device(name).glob("*.toml")
    text = path.read_text().replace("/etc/voxwire", str(site.device(name)))
    if name == "edge-word":
        text = text.replace(f"mqtts://localhost:{PASSWORDS}", f"wss://localhost:{WEB}")
        assert "wss://" in text
    for listener, port in site.ports.items():
        text = text.replace(f":{listener}", f":{port}")
    changed = folder / f"{name}.toml"
    changed.write_text(text)
    return changed


def test_speech_passes_over_the_site_with_the_settings_it_hands_out(site: Site, start: Start, tmp_path: Path) -> None:
    """At the same time by certificate, and by password with a player behind a WebSocket."""
    pairs = {"gw-lobby": "edge-1", "gw-word": "edge-word"}

    def common(name: str) -> list[str]:
        return ["run", "--config", str(sample(site, name, tmp_path)), "--stats-file", str(tmp_path / f"{name}.json")]

    with Visitor(site, Login(site.device("watch"))) as monitor:
        monitor.subscribe("vw/v1/edge/+/status", 0)
        options = ["--wait", "--exit-on-stop", "--out"]
        running = [start("edge_player", *common(name), *options, f"{tmp_path}/{name}.wav") for name in pairs.values()]
        for name in pairs.values():
            monitor.wait_for_status(name, "waiting")
        options = ["--source", str(CLIP), "--link", "lan", "--for", f"{SECONDS}s", "--start-delay", "500ms"]
        running += [start("gateway", *common(name), *options) for name in pairs]
        for process in reversed(running):
            finish(process)
    for gateway, player in pairs.items():
        sent, got = (json.loads((tmp_path / f"{name}.json").read_text()) for name in (gateway, player))
        assert_every_frame_was_played(NanoRun(sent, got, tmp_path / f"{player}.wav"))
        assert sent["frames_published"] == pytest.approx(SECONDS / FRAME_S, abs=1)


# --- something is wrong: one sentence, its exit code, and no second attempt ---


def arguments(end: str, url: str, *more: str | Path, name: str = "gw-lobby", stream: str = "lobby") -> list[str]:
    """A run of either end that would go well if the link were as it should be."""
    own = ["--source", str(CLIP), "--for", "1s"] if end == "gateway" else ["--out", "null"]
    common = ["run", "--broker", url, "--stream", stream, "--id", name]
    return [*common, *own, *(str(word) for word in more)]


def certificate(folder: Path) -> list[str | Path]:
    return ["--certfile", folder / f"{folder.name}.crt", "--keyfile", folder / f"{folder.name}.key"]


def connections(site: Site) -> int:
    """How often somebody came to the broker so far, let in or not.

    Mosquitto 2.0.11 writes "New connection" only after its first call of SSL_accept. Most often that call comes back
    with half a handshake, but where the broker's thread is slow the client's whole answer is there before it reads. A
    client that it refuses then fails inside the call, and "Client connection from … failed" is all that it writes.
    """
    return len(re.findall("(?:New|Client) connection from ", site.log()))


def attempt(site: Site, folder: Path, end: str, words: list[str]) -> Outcome:
    """Run it; whatever was wrong, it must have tried once and no more."""
    before = connections(site)
    outcome = run(folder, end, *words)
    # A slow broker writes its line when we are gone: without waiting for it the next test would count it as its own.
    until(lambda: connections(site) > before, "the broker's line")
    assert connections(site) == before + 1, "it was tried again"
    return outcome


@ENDS
def test_the_wrong_authority_is_said(site: Site, tmp_path: Path, end: str) -> None:
    other = stranger(tmp_path, "other")
    words = arguments(end, site.url(), "--cafile", other / "ca.crt", *certificate(site.device("gw-lobby")))
    attempt(site, tmp_path, end, words).assert_refused(77, "was not issued by an authority in ca_file")


def test_a_broker_without_a_known_authority_is_said(site: Site, tmp_path: Path) -> None:
    words = arguments("gateway", site.url(), *certificate(site.device("gw-lobby")))
    attempt(site, tmp_path, "gateway", words).assert_refused(77, "not from an authority known to this system")


def test_a_missing_client_certificate_is_said(site: Site, tmp_path: Path) -> None:
    words = arguments("gateway", site.url(), "--cafile", site.ca())
    attempt(site, tmp_path, "gateway", words).assert_refused(77, "asks for a client certificate")


@pytest.mark.parametrize(
    ("valid", "sentence"), [((-9, -1), "it has expired"), ((-1, 1), "its authority is not known there")]
)
def test_a_client_certificate_that_the_broker_refuses_is_said(
    site: Site, tmp_path: Path, valid: tuple[int, int], sentence: str
) -> None:
    ours = stranger(tmp_path, "gw-lobby", site.authority if "expired" in sentence else None, valid=valid)
    words = arguments("gateway", site.url(), "--cafile", site.ca(), *certificate(ours))
    attempt(site, tmp_path, "gateway", words).assert_refused(77, sentence)


@pytest.mark.parametrize(("end", "word"), [("gateway", "wrong"), ("gateway", None), ("edge_player", "wrong")])
def test_a_wrong_password_is_said_and_shown_to_nobody(site: Site, tmp_path: Path, end: str, word: str | None) -> None:
    login: list[str | Path] = []
    if word is not None:
        (tmp_path / "password").write_text(f"{word}\n")
        login = ["--username", "gw-word", "--password-file", tmp_path / "password"]
    words = arguments(end, site.url(PASSWORDS), "--cafile", site.ca(), *login, name="gw-word", stream="word")
    outcome = attempt(site, tmp_path, end, words)
    outcome.assert_refused(77, "refused the login " + ("without a user name" if word is None else "as user 'gw-word'"))


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[Site]:
    """A site whose broker a test may break."""
    with make_site(tmp_path / "broken", "gateway gw-lobby lobby") as site:
        yield site


def test_an_expired_certificate_of_the_broker_is_said(broken: Site, tmp_path: Path) -> None:
    broken.make("renew", "--broker", BROKER_DAYS="0")
    broken.install()
    broken.start()
    words = arguments("gateway", broken.url(), "--cafile", broken.ca(), *certificate(broken.device("gw-lobby")))
    attempt(broken, tmp_path, "gateway", words).assert_refused(77, "has expired")


def test_a_broker_of_another_name_is_said(broken: Site, tmp_path: Path) -> None:
    broken.make("renew", "--broker", "broker.example")
    broken.install()
    broken.start()
    words = arguments("gateway", broken.url(), "--cafile", broken.ca(), *certificate(broken.device("gw-lobby")))
    attempt(broken, tmp_path, "gateway", words).assert_refused(77, f"is not for '{HOST}'")


def test_a_revoked_gateway_is_told_so(broken: Site, tmp_path: Path) -> None:
    ours = tmp_path / "gw-lobby"
    broken.device("gw-lobby").rename(ours)
    broken.device("gw-lobby").mkdir()
    (broken.device("gw-lobby") / "gw-lobby.crt").write_bytes((ours / "gw-lobby.crt").read_bytes())
    broken.make("revoke", "gw-lobby")
    broken.install()
    broken.start()
    words = arguments("gateway", broken.url(), "--cafile", broken.ca(), *certificate(ours))
    attempt(broken, tmp_path, "gateway", words).assert_refused(77, "has been revoked")


def test_with_wait_a_refused_login_is_said_once_and_not_hammered(site: Site, tmp_path: Path) -> None:
    words = arguments("gateway", site.url(), "--cafile", site.ca(), "--wait")
    before, refusal = connections(site), "peer did not return a certificate"
    refusals = site.log().count(refusal)
    with launch(tmp_path, "gateway", *words) as command:
        command.wait_for_log("asks for a client certificate")
        site.wait_for_count(refusal, refusals + 1)  # the client may read the alert before the broker writes its line
        with pytest.raises(AssertionError, match="did not end"):
            command.finish(timeout_s=2.5)
        assert command.err.count("asks for a client certificate") == 1
    assert connections(site) - before == 1


def test_rules_that_forbid_publishing_are_said(site: Site, tmp_path: Path) -> None:
    """gw-mute is let in, and may send another stream only."""
    ours = certificate(site.device("gw-mute"))
    words = arguments("gateway", site.url(), "--cafile", site.ca(), *ours, name="gw-mute")
    outcome = attempt(site, tmp_path, "gateway", words)
    outcome.assert_refused(77, "we may not publish on vw/v1/s/lobby/")


SOON = "import protocol.transport.permissions\nprotocol.transport.permissions.ECHO_TIMEOUT_S = 2.0"
"""A prelude: on this machine an echo comes at once, so it is missed soon."""


def test_rules_that_forbid_publishing_are_said_where_mqtt_is_silent_about_it(site: Site, tmp_path: Path) -> None:
    """MQTT 3.1.1 acknowledges what it throws away."""
    settings = {"acl_file": str(site.root / "etc/mosquitto/voxwire/acl")}
    users = {"gw-mute": PASSWORD}
    (tmp_path / "password").write_text(PASSWORD)
    with (
        start_broker(tmp_path / "broker", prefer="mosquitto", users=users, settings=settings) as broker,
        OldBroker(broker.host, broker.port) as old,
    ):
        login: list[str | Path] = ["--username", "gw-mute", "--password-file", tmp_path / "password"]
        words = arguments("gateway", old.url, *login, "--for", "20s", name="gw-mute")
        outcome = run(tmp_path, "gateway", *words, prelude=SOON)
    assert "(MQTT 3.1.1)" in outcome.err
    outcome.assert_refused(77, "does not come back")
    assert "vw/v1/s/lobby/" in outcome.err


def test_rules_that_allow_publishing_are_not_complained_of_where_mqtt_is_silent(site: Site, tmp_path: Path) -> None:
    settings = {"acl_file": str(site.root / "etc/mosquitto/voxwire/acl")}
    (tmp_path / "password").write_text(PASSWORD)
    with (
        start_broker(
            tmp_path / "broker", prefer="mosquitto", users={"gw-lobby": PASSWORD}, settings=settings
        ) as broker,
        OldBroker(broker.host, broker.port) as old,
    ):
        login: list[str | Path] = ["--username", "gw-lobby", "--password-file", tmp_path / "password"]
        outcome = run(tmp_path, "gateway", *arguments("gateway", old.url, *login))
    outcome.assert_fine()
    assert outcome.warnings("come back") == []


def test_two_gateways_of_one_certificate_say_so_and_only_one_goes_on(site: Site, tmp_path: Path) -> None:
    words = arguments("gateway", site.url(), "--cafile", site.ca(), *certificate(site.device("gw-lobby")))
    words += ["--for", "60s", "--loop"]
    before = connections(site)
    with launch(tmp_path, "gateway", *words) as first, launch(tmp_path, "gateway", *words) as second:
        until(lambda: not (_runs(first) and _runs(second)), "the end of one of the two", deadline_s=END_S)
        loser, winner = (second, first) if _runs(first) else (first, second)
        loser.finish().assert_refused(78, "client id")
        assert connections(site) - before <= 12, "they hammer"
        assert _runs(winner)
        winner.send(signal.SIGTERM)
        winner.finish().assert_fine()


def _runs(command: Command) -> bool:
    return command.process.poll() is None

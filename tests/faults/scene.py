"""Who takes part in a row, and where each of them is: processes, link, broker, clocks, disk, card."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from benchmarks.room.virtual_room import VirtualRoom
from tests.faults.broker import FAR_PORT, LIVE_AUDIO, FaultyBroker
from tests.faults.clocks import ClockOwner, FalseClock
from tests.faults.disk import Disk
from tests.faults.end import SAMPLE_S, End, inherited_environ
from tests.faults.proxy import ProxyLink
from tests.faults.repeater import Repeater
from tests.faults.rows import Row
from tests.faults.tones import DECOY_CYCLES, OWN_CYCLES, write_tone
from tests.faults.tun import NEAR_ADDRESS, TunLink
from tests.integration.toy_codec import save_toy_codec
from tests.integration.watcher import Watcher
from tests.protocol_transport.old_broker import OldBroker

STREAM: Final = "lobby"
"""What the players listen to."""
ORIGIN: Final = "origin"
"""What the gateway sends where a repeater makes the other of it."""
DECOY: Final = "decoy"


class Scene:
    """Everything that one row needs, made in order and ended whatever happens. A context manager, not reusable.

    Broker, link, witness and repeater run on entering; gateways and players are there to be started.
    """

    def __init__(self, row: Row, *, seed: int, folder: Path, namespaces: bool) -> None:
        """namespaces: behind a TUN device, else behind a TCP proxy."""
        self.row = row
        self._seed = seed
        self._folder = folder
        self._namespaces = namespaces
        self._running = ExitStack()
        self.disk: Disk | None = None
        self.room: VirtualRoom | None = None
        self.repeater: Repeater | None = None
        self.clocks: dict[str, FalseClock] = {}

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self._running.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    @property
    def players(self) -> list[End]:
        """Those that must hear; the one that the row is about first."""
        return [self.player] if self.beside is None else [self.player, self.beside]

    @property
    def listeners(self) -> list[End]:
        """The players, and the one whose disk fills up."""
        return self.players if self.recorder is None else [*self.players, self.recorder]

    def recording(self, player: End) -> Path:
        """What it was told to write."""
        return self._recording_of(player.name)

    def _open(self) -> None:
        row, folder = self.row, self._folder
        self._model = folder / "toy"
        self._model.mkdir(parents=True)
        save_toy_codec(self._model)
        if row.needs_disk:
            self.disk = self._running.enter_context(Disk(folder / "disk"))
        if row.needs_card:
            self.room = self._running.enter_context(VirtualRoom(folder / "room"))
        self._open_link()
        self.watcher = self._running.enter_context(Watcher(self.broker.url, qos=0))
        if row.mischief is not None:
            self.repeater = self._running.enter_context(
                Repeater(self.broker.url, source=ORIGIN, target=STREAM, mischief=row.mischief, seed=self._seed)
            )
        self.clocks = {
            error.owner: FalseClock(folder / f"{error.owner}.clock", error)
            for owner in ("gateway", "player")
            if (error := row.clock_of(owner)) is not None
        }
        self.player = self._make_player("ear", far=row.hop == "player")
        self.beside = self._make_player("ear-beside", far=False) if row.beside else None
        self.recorder = self._make_player("recorder", far=False) if row.needs_disk else None
        stream = STREAM if self.repeater is None else ORIGIN
        self.gateway = self._make_gateway(stream, OWN_CYCLES, far=row.hop == "gateway")
        self.decoy = self._make_gateway(DECOY, DECOY_CYCLES, far=False)

    def _open_link(self) -> None:
        row = self.row
        self.tun = self._running.enter_context(TunLink(row.spells, seed=self._seed)) if self._namespaces else None
        host = None if self.tun is None else NEAR_ADDRESS
        settings = {} if row.way == "mqtt 3.1.1" else LIVE_AUDIO
        self.broker = FaultyBroker(self._folder, host, way=row.way, settings=settings)
        self._running.callback(self.broker.close)
        port = self.broker.port
        if row.way == "mqtt 3.1.1":
            door = (host or "127.0.0.1", FAR_PORT if host else 0)
            old = self._running.enter_context(OldBroker("127.0.0.1", port, door=door))
            port = old.port
        if self.tun is not None:
            self.link: TunLink | ProxyLink = self.tun
            self._far_url = self.broker.far_url(NEAR_ADDRESS, FAR_PORT)
        else:
            self.link = self._running.enter_context(ProxyLink(row.spells, target_port=self.broker.far_port or port))
            self._far_url = self.broker.far_url("127.0.0.1", self.link.port)

    def _make_player(self, name: str, *, far: bool) -> End:
        sound = str(self._recording_of(name))
        environ = {"VOXWIRE_RUN__STATS_EVERY_S": str(SAMPLE_S)} | self._clock_environ("player", name == "ear")
        if self.room is not None and name == "ear":
            sound = "speaker"
            environ = dict(self.room.environ) | inherited_environ() | environ
        arguments = [
            *("--stream", STREAM, *self._broker(far=far), "--wait", "--exit-on-stop"),
            *("--out", sound, "--model", str(self._model / "decoder.onnx")),
            *(() if self.row.delay_ms is None else ("--delay", str(self.row.delay_ms))),
            *("--adapt", "on" if self.row.adapt else "off", "--connections", str(self.row.connections)),
        ]
        return self._own("edge_player", name, arguments, far=far, environ=environ)

    def _make_gateway(self, stream: str, cycles: int, *, far: bool) -> End:
        sound = write_tone(self._folder / f"{stream}.wav", cycles)
        arguments = [
            *("--stream", stream, *self._broker(far=far), "--wait", "--link", self.row.link),
            *("--source", str(sound), "--loop", "--model", str(self._model)),
        ]
        environ = self._clock_environ("gateway", stream != DECOY)
        return self._own("gateway", f"gw-{stream}", arguments, far=far, environ=environ)

    def _own(self, module: str, name: str, arguments: list[str], *, far: bool, environ: dict[str, str]) -> End:
        before = self.tun.far_command if far and self.tun is not None else []
        folder = self._folder if self.disk is None else self.disk.folder
        end = End(module, name, arguments, folder=folder, before=before, environ=environ)
        self._running.callback(end.close)
        return end

    def _clock_environ(self, owner: ClockOwner, theirs: bool) -> dict[str, str]:
        clock = self.clocks.get(owner)
        return {} if clock is None or not theirs else clock.environ(inherited_environ())

    def _broker(self, *, far: bool) -> list[str]:
        if not far:
            return ["--broker", self.broker.url]
        return ["--broker", self._far_url, *self.broker.far_options]

    def _recording_of(self, name: str) -> Path:
        folder = self.disk.folder if self.disk is not None and name == "recorder" else self._folder
        return folder / f"{name}.wav"

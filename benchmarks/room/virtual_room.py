"""A virtual sound card with a mouth before its microphone and an ear at its loudspeaker, all on one sample clock.

The card is one null sink of two channels. What is said into the `mouth` is its left channel, and the microphone hears
that and nothing else; what is played on the `ear` is its right channel. A recording of the card's monitor therefore
holds what was said and what was heard side by side, sample by sample: their distance is the latency from mouth to ear,
whatever the clocks of the processes say.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.room.recorder import Recorder
from benchmarks.room.sound_server import SoundServer

RATE_HZ: Final = 48_000
CARD: Final = "card"
MOUTH: Final = "mouth"
MICROPHONE: Final = "microphone"
EAR: Final = "ear"

_SIDES: Final = {MOUTH: "front-left", EAR: "front-right"}
# `microphone` and `ear` are what PortAudio lists; a card of one direction each, as a desk has them.
_ALSA_DEVICES: Final = """
pcm.microphone { type asym capture.pcm { type pulse server "{server}" device "microphone" } }
pcm.ear { type asym playback.pcm { type pulse server "{server}" device "ear" } }
pcm.!default { type asym playback.pcm "ear" capture.pcm "microphone" }
"""


class VirtualRoom:
    """PulseAudio of our own with the card in it. A context manager, not reusable; the card is plugged in on entering.

    `environ` is for the gateway and the player: there PortAudio's devices are called `microphone` and `ear`, and they
    are the default ones.
    """

    def __init__(self, folder: Path) -> None:
        """`folder`: for the server's socket and log, and the recordings."""
        self._folder = folder
        self._server = SoundServer(folder, alsa_devices=_ALSA_DEVICES)
        self._module: int | None = None
        self._recordings = 0
        self._recorder: Recorder | None = None
        self._talkers: list[subprocess.Popen[bytes]] = []
        self._rate = RATE_HZ

    @property
    def environ(self) -> Mapping[str, str]:
        """For child processes."""
        return self._server.environ

    @property
    def server(self) -> SoundServer:
        """The PulseAudio behind it."""
        return self._server

    def __enter__(self) -> Self:
        self._server.__enter__()
        try:
            self.plug()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_recording()
        for talker in self._talkers:
            talker.kill()
            talker.wait()
        self._server.stop()

    @property
    def recorder(self) -> Recorder:
        """What is being recorded now. RuntimeError while the card is pulled out."""
        if self._recorder is None:
            raise RuntimeError("the card is not plugged in")
        return self._recorder

    @property
    def recordings(self) -> list[Path]:
        """Those that were kept, the oldest first: one for each time the card was plugged in."""
        kept = (self._folder / f"recording-{number}.raw" for number in range(1, self._recordings + 1))
        return [path for path in kept if path.exists()]

    def plug(self, *, rate: int = RATE_HZ) -> Recorder:
        """Plug the card in, and record it from its first moment. `rate`: of the card, Hz."""
        if self._module is not None:
            raise RuntimeError("the card is plugged in already")
        server = self._server
        self._rate = rate
        self._module = server.load(
            "module-null-sink",
            sink_name=CARD,
            rate=rate,
            norewinds=1,
            channels=2,
            channel_map=",".join(_SIDES.values()),
        )
        mono: dict[str, str | int] = {"channels": 1, "channel_map": "mono", "remix": "no"}
        for name, side in _SIDES.items():
            server.load("module-remap-sink", sink_name=name, master=CARD, master_channel_map=side, **mono)
        server.load(
            "module-remap-source",
            source_name=MICROPHONE,
            master=f"{CARD}.monitor",
            master_channel_map=_SIDES[MOUTH],
            **mono,
        )
        # Explicitly, and before anybody listens: PulseAudio moves streams along when the default device changes.
        server.command("set-default-sink", EAR)
        server.command("set-default-source", MICROPHONE)
        recorder = self.record()
        recorder.wait_for(0.1)
        return recorder

    def record(self) -> Recorder:
        """Record from now on to a new file; the former recording is deleted.

        Somebody should always record: a card works in blocks as small as its listeners ask for.
        """
        self._recordings += 1
        path = self._folder / f"recording-{self._recordings}.raw"
        former = self._recorder
        self._recorder = Recorder(path, f"{CARD}.monitor", self.environ, rate=self._rate, channels=len(_SIDES))
        if former is not None:
            self._recorder.wait_for(0.05)
            former.discard()
        return self._recorder

    def unplug(self) -> None:
        """Pull the card out: mouth, microphone and ear go with it, and whoever uses them is thrown off."""
        if self._module is None:
            raise RuntimeError("the card is not plugged in")
        module, self._module = self._module, None
        self._server.unload(module)
        self._stop_recording()

    def say(self, samples: NDArray[np.float32], rate: int) -> subprocess.Popen[bytes]:
        """Begin to play mono float32, -1 to 1, into the mouth; the process returned ends when all of it was played."""
        file = self._folder / "said.raw"
        file.write_bytes((np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2").tobytes())
        command = ["pacat", f"--device={MOUTH}", f"--rate={rate}", "--channels=1", "--format=s16le"]
        with file.open("rb") as sound:
            talker = subprocess.Popen(
                [*command, "--latency-msec=100"],
                env=dict(self.environ),
                stdin=sound,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        self._talkers.append(talker)
        return talker

    def _stop_recording(self) -> None:
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.stop()

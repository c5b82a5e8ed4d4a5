"""The live source, on a pipe that is read or is not."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.faults.peers.feeder import Feeder
from tests.faults.peers.noise import noise_pcm
from tests.faults.peers.recording import PcmFormat

MONO = PcmFormat(16000, 1)
DEADLINE_S = 20.0


def test_what_a_reader_takes_is_the_source_from_its_beginning_and_in_real_time(tmp_path: Path) -> None:
    with Feeder(tmp_path / "live", MONO) as feeder, (tmp_path / "live").open("rb") as live:
        feeder.begin()
        data = live.read(6400)
        assert time.monotonic() - feeder.began_at >= 0.2
    assert data == noise_pcm(16000, 1)[:6400]


def test_a_source_that_nobody_reads_goes_on_and_loses_what_does_not_fit(tmp_path: Path) -> None:
    with Feeder(tmp_path / "live", MONO) as feeder:
        feeder.begin()
        deadline = time.monotonic() + DEADLINE_S
        while not feeder.overruns and time.monotonic() < deadline:
            time.sleep(0.01)
        assert feeder.overruns
        with (tmp_path / "live").open("rb") as live:
            held = os.read(live.fileno(), 65536)
    assert 0 < len(held) <= 8192
    assert noise_pcm(16000, 1).startswith(held[:640])

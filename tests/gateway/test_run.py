"""What `run_gateway` puts between the source and the encoder."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from gateway import run
from gateway.config import ConditioningConfig, GatewayConfig, RunConfig, SourceConfig
from gateway.meter import LevelMeter
from protocol.service import Stats


class ListeningPipeline:
    """Reads the source to its end, as fast as it comes."""

    heard: list[Any]

    def __init__(
        self, config: GatewayConfig, encoder: Any, source: Any, *, stop: threading.Event, tables: object
    ) -> None:
        self._source = source
        self._stop = stop

    def run(self) -> Stats:
        with self._source:
            ListeningPipeline.heard = list(self._source.blocks(self._stop))
        return self.stats()

    def stats(self) -> Stats:
        return {"source": self._source.description, **self._source.counters}


@pytest.fixture(autouse=True)
def _no_encoder_and_no_broker(encoder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "open_encoder", lambda config: encoder)
    monkeypatch.setattr(run, "Pipeline", ListeningPipeline)


def heard_peak() -> float:
    return max(float(np.abs(block.samples).max(initial=0)) for block in ListeningPipeline.heard)


def config(path: Path, **settings: Any) -> GatewayConfig:
    return GatewayConfig(source=SourceConfig(target=str(path)), **settings)


def test_without_settings_the_sound_is_sent_as_it_is(wav: Callable[..., Path]) -> None:
    stats = run.run_gateway(config(wav()), stop=threading.Event())
    assert heard_peak() == pytest.approx(0.3, abs=1e-3)
    assert stats["input_peak_dbfs"] == -10
    assert stats["input_clipped_samples"] == 0


def test_every_setting_of_the_conditioning_reaches_the_sound(wav: Callable[..., Path]) -> None:
    """A tone of 440 Hz, whose level is about -13 dBFS."""
    for conditioning, expected in [
        (ConditioningConfig(gain_db=-20), 0.03),
        (ConditioningConfig(gain_db=20), 1.0),
        (ConditioningConfig(gain_db=20, limiter=True), 10 ** (-1 / 20)),
    ]:
        run.run_gateway(config(wav(), conditioning=conditioning), stop=threading.Event())
        assert heard_peak() == pytest.approx(expected, rel=0.01)
    stats = run.run_gateway(
        config(wav(), conditioning=ConditioningConfig(high_pass_hz=1000, auto_gain=True)), stop=threading.Event()
    )
    tail = np.concatenate([block.samples for block in ListeningPipeline.heard])[8000:]
    assert np.abs(tail).max() == pytest.approx(0.3 * 0.19, rel=0.1)  # 440 Hz through 1000 Hz: -14.4 dB
    assert "conditioning_gain_db" in stats


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("terminal", "meter", "drawn"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_the_meter_is_there_where_a_terminal_watches_and_nobody_said_no(
    wav: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, terminal: bool, meter: bool, drawn: bool
) -> None:
    entered = []

    class CountingMeter(LevelMeter):
        def __enter__(self) -> Self:
            entered.append(self)
            return super().__enter__()

    monkeypatch.setattr(run, "LevelMeter", CountingMeter)
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())
    run.run_gateway(config(wav(), run=RunConfig(meter=meter)), stop=threading.Event())
    assert bool(entered) is drawn

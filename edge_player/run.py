"""`edge-player run`: from settings to a player and its final counters."""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path

from edge_player.config import PlayerConfig
from edge_player.errors import SinkError
from edge_player.pipeline import Player
from edge_player.render.decoder import OnnxFrameDecoder
from edge_player.sinks import AudioSink, open_sink
from protocol.service import Stats, stats_at_the_end

logger = logging.getLogger(__name__)

_RETRY_S = 2.0


def run_player(config: PlayerConfig, *, stop: threading.Event) -> Stats:
    """Load the decoder, open the sink, play, write the statistics file. Raises errors with an exit code."""
    started_at = time.monotonic() - process_age_s()
    options = config.decoder
    with OnnxFrameDecoder(
        codec=options.codec,
        model=options.model,
        provider=options.provider,
        threads=options.threads,
        frames_per_step=options.frames_per_step,
    ) as decoder:
        sink = _find_sink(config, decoder.spec.sample_rate, stop)
        if sink is None:
            return {}
        player = Player(config, decoder, sink, stop=stop, started_at=started_at)
        with stats_at_the_end(config.run.stats_file, player.stats):
            # Told to stop while the decoder was loaded: neither the file nor the card is touched any more.
            return player.stats() if stop.is_set() else player.run()


def _find_sink(config: PlayerConfig, sample_rate: int, stop: threading.Event) -> AudioSink | None:
    """The sink; with `wait`, a sound card is looked for until it is there. None: told to stop before."""
    told = ""
    while True:
        try:
            return open_sink(config.sink, sample_rate=sample_rate)
        except SinkError as error:
            if not config.run.wait or not error.retryable:
                raise
            if str(error) != told:
                told = str(error)
                logger.warning("%s; waiting for it", told)
        if stop.wait(_RETRY_S):
            return None


def process_age_s() -> float:
    """Seconds since this process started; 0 where the system does not tell."""
    try:
        # The 22nd field, in clock ticks since boot; the second, the name in brackets, may hold spaces.
        ticks = int(
            Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[19]
        )
        uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
        return max(0.0, uptime - ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError):
        return 0.0

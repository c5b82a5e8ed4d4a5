"""`gateway run`: from the configuration to a pipeline that has ended."""

from __future__ import annotations

import contextlib
import logging
import threading
from pathlib import Path

from codec import ModelError, OnnxEncoder, load_encoder
from codec.hub import is_repository
from codec.load import device_of
from codec.session import Encoder
from gateway.conditioning import LevelTracker
from gateway.config import CodecConfig, GatewayConfig
from gateway.entropy import choose_tables
from gateway.errors import SourceError
from gateway.meter import LevelMeter
from gateway.pipeline import Pipeline
from gateway.sources import ConditionedSource, select_source
from gateway.terminal_line import watched_terminal
from protocol.service import Stats, stats_at_the_end

__all__ = ["open_encoder", "run_gateway"]

logger = logging.getLogger(__name__)


def open_encoder(config: CodecConfig) -> Encoder:
    """The encoder that is asked for, where it is asked for.

    Raises SourceError (66) where there is no such model, and the codec's ModelMissingError (66), ModelError and
    CheckpointError (76), DeviceError (78), DownloadError.
    """
    if config.model is not None and not Path(config.model).exists() and not is_repository(config.model):
        raise SourceError(
            f"Model not found at {config.model}: expected a directory with encoder.onnx, that file, a directory of "
            "released weights, or the name of their repository."
        )
    name = config.name if config.name is not None or config.model is not None else "nano"
    encoder = load_encoder(
        name, model=config.model, provider=config.device, engine=config.engine, threads=config.threads
    )
    if isinstance(encoder, OnnxEncoder) and encoder.model.fixed_frames not in (None, 1):
        raise ModelError(
            f"{encoder.model.path} encodes {encoder.model.fixed_frames} frames a step and no other number; a live "
            "stream needs the graph that was exported without --frames, or with --frames 1"
        )
    return encoder


def run_gateway(config: GatewayConfig, *, stop: threading.Event) -> Stats:
    """Run one stream to its end; returns the final counters, which also go to `--stats-file`.

    Raises what Pipeline.run raises, and ConfigError or SourceError before anything was started.
    """
    if not config.source.target:
        raise SourceError(
            "No source given: expected --source mic, a file, a play list, a directory, an http(s) address, or -."
        )
    encoder = open_encoder(config.codec)
    logger.info("encoder of %s on %s", encoder.spec.name, device_of(encoder))
    tables = choose_tables(config, encoder.spec)
    source = select_source(
        config.source,
        sample_rate=encoder.spec.sample_rate,
        microphone=config.microphone,
        wait=config.run.wait,
        stop=stop,
    )
    level = LevelTracker()
    source = ConditionedSource(source, config.conditioning, sample_rate=encoder.spec.sample_rate, level=level)
    pipeline = Pipeline(config, encoder, source, stop=stop, tables=tables)
    meter = LevelMeter(level) if config.run.meter and watched_terminal() else contextlib.nullcontext()
    with stats_at_the_end(config.run.stats_file, pipeline.stats), meter:
        # Told to stop while the encoder was loaded: not even the source is opened, which may be a device that is slow.
        return pipeline.stats() if stop.is_set() else pipeline.run()

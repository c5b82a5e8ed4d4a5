"""`gateway run`: from the configuration to a pipeline that has ended."""

from __future__ import annotations

import threading

from codec import load_encoder
from codec.session import Encoder
from gateway.config import CodecConfig, GatewayConfig
from gateway.errors import SourceError
from gateway.pipeline import Pipeline
from gateway.sources import select_source
from protocol.service import Stats, write_stats

__all__ = ["open_encoder", "run_gateway"]


def open_encoder(config: CodecConfig) -> Encoder:
    """The encoder that is asked for. Raises the codec's ModelMissingError (66), ModelError and CheckpointError (76)."""
    if config.model is not None and not config.model.exists():
        raise SourceError(f"Model not found at {config.model}: expected a directory with encoder.onnx, or that file.")
    name = config.name if config.name is not None or config.model is not None else "nano"
    return load_encoder(name, model=config.model, provider=config.device, engine=config.engine, threads=config.threads)


def run_gateway(config: GatewayConfig, *, stop: threading.Event) -> Stats:
    """Run one stream to its end; returns the final counters, which also go to `--stats-file`.

    Raises what Pipeline.run raises, and ConfigError or SourceError before anything was started.
    """
    if not config.source.target:
        raise SourceError("No source given: expected --source mic, a file, a directory, or - for standard input.")
    encoder = open_encoder(config.codec)
    source = select_source(config.source, sample_rate=encoder.spec.sample_rate, wait=config.run.wait)
    pipeline = Pipeline(config, encoder, source, stop=stop)
    try:
        return pipeline.run()
    finally:
        if config.run.stats_file is not None:
            write_stats(config.run.stats_file, pipeline.stats())

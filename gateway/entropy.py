"""Whether a stream's codes are entropy-coded, and by which tables."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from codec.errors import ModelMissingError
from codec.packaged import packaged_folder
from codec.spec import CodecSpec
from gateway.config import GatewayConfig
from protocol.entropy import TABLES_NAME, EntropyTables, find_tables

__all__ = ["MIN_FRAMES", "choose_tables"]

logger = logging.getLogger(__name__)

MIN_FRAMES: Final = 10
"""A packet, for `auto`: below, nano's tables save less than 1 % of what goes over the wire (docs/benchmarks.md)."""


def choose_tables(config: GatewayConfig, spec: CodecSpec) -> EntropyTables | None:
    """The tables that the stream is coded by; None: its codes are packed.

    Raises the codec's ModelMissingError (66) where entropy coding is asked for and there are none of these weights.
    """
    wanted = config.stream.entropy
    if wanted == "off" or (wanted == "auto" and config.stream.profile.frames_per_packet < MIN_FRAMES):
        return None
    tables = find_tables(
        [*_model_folder(config), packaged_folder(spec.name)],
        weights_sha256=spec.weights_sha256,
        num_layers=spec.num_layers,
        codebook_size=spec.codebook_size,
    )
    if tables is None and wanted == "on":
        raise ModelMissingError(
            f"stream.entropy is on, and there are no entropy tables of {spec.name} with these weights: expected "
            f"{TABLES_NAME} beside the encoder; learn them with codec-export tables, or leave entropy at auto"
        )
    if tables is None:
        logger.info("no entropy tables of %s: its codes are packed", spec.name)
    return tables


def _model_folder(config: GatewayConfig) -> list[Path]:
    """Where the model that was named lies; none for the packaged one and for a repository's name."""
    if config.codec.model is None:
        return []
    path = Path(config.codec.model)
    return [path if path.is_dir() else path.parent] if path.exists() else []

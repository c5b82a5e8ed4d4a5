"""What every command needs beside its work: settings, exit codes, logging, stopping, metrics, identity."""

from __future__ import annotations

from protocol.service.arguments import (
    add_broker_arguments,
    add_command,
    add_common_arguments,
    add_process_arguments,
    add_stream_arguments,
    distribution_version,
    parse_duration,
    run_command_line,
    setting_flags,
)
from protocol.service.board import engine_finding, speed_finding, time_frames
from protocol.service.check import CheckReport, CheckStep, Finding
from protocol.service.coercion import PathOrName
from protocol.service.command import run_command
from protocol.service.config import load_config
from protocol.service.config_command import add_config_command
from protocol.service.counters import counters_snapshot
from protocol.service.errors import ConfigError, ServiceError
from protocol.service.exit_codes import EXIT_CODES_HELP, ExitCode
from protocol.service.identity import device_id
from protocol.service.liveness import LivenessWatch, PartFailedError, WatchedPart
from protocol.service.logs import configure_logging
from protocol.service.pace import PaceWatch
from protocol.service.percentiles import Percentiles, PercentileSnapshot
from protocol.service.quantities import parse_bit_rate, parse_byte_count, parse_share
from protocol.service.stats_file import PeriodicStats, Stats, stats_at_the_end, write_stats
from protocol.service.stop_signal import StopSignal

__all__ = [
    "EXIT_CODES_HELP",
    "CheckReport",
    "CheckStep",
    "ConfigError",
    "ExitCode",
    "Finding",
    "LivenessWatch",
    "PaceWatch",
    "PartFailedError",
    "PathOrName",
    "PercentileSnapshot",
    "Percentiles",
    "PeriodicStats",
    "ServiceError",
    "Stats",
    "StopSignal",
    "WatchedPart",
    "add_broker_arguments",
    "add_command",
    "add_common_arguments",
    "add_config_command",
    "add_process_arguments",
    "add_stream_arguments",
    "configure_logging",
    "counters_snapshot",
    "device_id",
    "distribution_version",
    "engine_finding",
    "load_config",
    "parse_bit_rate",
    "parse_byte_count",
    "parse_duration",
    "parse_share",
    "run_command",
    "run_command_line",
    "setting_flags",
    "speed_finding",
    "stats_at_the_end",
    "time_frames",
    "write_stats",
]

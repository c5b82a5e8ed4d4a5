"""Flags that several subcommands share, and the settings behind them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from codec.command.report import Outcome
from codec.settings import CodecSettings, load_settings

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Run = Callable[[argparse.Namespace], Outcome]

ROWS_ON_GPU = 16
"""Recordings side by side on a GPU. On a CPU one: more rows cost as much more there (nano: 7 % less each)."""


def add_command(commands: Commands, name: str, run: Run, text: str, example: str) -> argparse.ArgumentParser:
    """A subcommand with the flags that all have."""
    command = commands.add_parser(
        name,
        help=text,
        description=text,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.add_argument(
        "--log-level", default="warning", choices=("debug", "info", "warning", "error"), help="default: warning"
    )
    command.set_defaults(run=run)
    return command


def add_model_arguments(command: argparse.ArgumentParser) -> None:
    """Which codec, and what runs it."""
    command.add_argument("--codec", help="nano or qwen3-12hz; default: nano, or what the input was made by")
    command.add_argument(
        "--model",
        help="ONNX file, folder with encoder.onnx and decoder.onnx, folder of released weights, or owner/name of their "
        "repository",
    )
    command.add_argument("--device", help="auto, cpu, cuda or cuda:N; default: auto")
    command.add_argument("--provider", dest="device", help=argparse.SUPPRESS)  # its older name
    command.add_argument("--engine", choices=("auto", "onnx", "torch"), help="default: what --model holds")
    command.add_argument("--threads", type=positive, help="default: 1")
    command.add_argument("--config", type=Path, help="TOML file with a [codec] section")


def add_folder_arguments(command: argparse.ArgumentParser) -> None:
    """How folders are gone through."""
    command.add_argument("--layers", type=int, help="the first K layers only; default: all")
    command.add_argument(
        "--batch",
        type=positive,
        metavar="N",
        help=f"recordings side by side; default: 1, on a GPU {ROWS_ON_GPU}; folders only",
    )
    command.add_argument("--force", action="store_true", help="do again what is done already; folders only")


def settings_of(arguments: argparse.Namespace) -> CodecSettings:
    """The settings, of flags, environment, file and defaults. Raises SettingsError."""
    names = ("codec", "model", "device", "engine", "threads")
    return load_settings(arguments.config, os.environ, {name: getattr(arguments, name, None) for name in names})


def default_codec(settings: CodecSettings) -> str | None:
    """nano, unless a model is named: then whatever that holds."""
    return "nano" if settings.model is None else None


def positive(text: str) -> int:
    """An argument that is 1 or more."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, not {value}")
    return value

"""Which weights come with the package."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

PACKAGED_VERSIONS = {"nano": "nano-1"}
"""Folder below codec/assets with the newest weights of each packaged codec. Older ones are asked for by version."""


def packaged_folder(version: str) -> Traversable:
    """Where the files of a packaged version would be; it need not exist."""
    return files("codec").joinpath("assets", version)

"""All parsers of what comes from outside."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.file_targets import file_targets
from tests.fuzz.intake_target import intake_target
from tests.fuzz.settings_targets import settings_targets
from tests.fuzz.target import Target
from tests.fuzz.wire_targets import wire_targets


def all_targets(folder: Path) -> list[Target]:
    """Every one, by the name it is run by; parsers of files have their cases written into `folder`."""
    return [*wire_targets(), intake_target(), *settings_targets(folder), *file_targets(folder)]

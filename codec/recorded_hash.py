"""The hash of a model file in the report beside it: whether the file is still the one that was exported.

`<name>.parity.json` lies beside `<name>.onnx`, and its entry `file_sha256` is that of the file it was measured on. A
flipped weight leaves a sound graph and wrong audio: nothing else shows it. Against whoever changes both files it is no
protection; against a worn card, a broken copy and a mix-up it is.
"""

from __future__ import annotations

import json
from pathlib import Path

from codec.errors import ModelError

REPORT_ENDING = ".parity.json"
ENTRY = "file_sha256"

MAX_REPORT_BYTES = 1 << 20
"""Reports have some kilobytes; what is longer is none."""


def report_of(model: Path) -> Path:
    """Where the report of `model` lies, if there is one."""
    return model.with_name(model.stem + REPORT_ENDING)


def check_recorded_hash(model: Path, found: str) -> None:
    """Raises ModelError where the report beside `model` records another hash than `found`, in hexadecimal digits.

    No report, one without a hash (of an earlier version) and one that cannot be read say nothing.
    """
    report = report_of(model)
    recorded = _recorded(report)
    if recorded is not None and recorded != found:
        raise ModelError(
            f"{model} is not the file that {report.name} beside it was written for (SHA-256 {found[:12]}… instead of "
            f"{str(recorded)[:12]}…): damaged, or another one; copy, install or export both again, or remove the "
            "report where the model is meant to be another"
        )


def _recorded(report: Path) -> object:
    try:
        with report.open("rb") as file:
            text = file.read(MAX_REPORT_BYTES + 1)
        values = json.loads(text) if len(text) <= MAX_REPORT_BYTES else None
    except (OSError, ValueError, RecursionError):
        return None
    return values.get(ENTRY) if isinstance(values, dict) else None

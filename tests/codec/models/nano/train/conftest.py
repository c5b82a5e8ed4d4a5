"""Speech to train on, which is noise: what is learned of it is of no interest here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE = 16_000


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the recipe wants it: one file, 130 clips of as many speakers."""
    folder = tmp_path_factory.mktemp("speech")
    rng = np.random.default_rng(0)
    soundfile.write(folder / "all.flac", 0.1 * rng.standard_normal(130 * RATE), RATE)
    rows = [
        {
            "file": "all.flac",
            "start": float(i),
            "seconds": 0.9,
            "speaker": f"s{i}",
            "kind": "sentences" if i % 2 else "words",
            "bandwidth_hz": 8000,
        }
        for i in range(130)
    ]
    rows.append({**rows[0], "speaker": "dull", "bandwidth_hz": 3400})
    (folder / "index.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder

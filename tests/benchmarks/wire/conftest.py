from __future__ import annotations

import os
import shutil

import pytest

from benchmarks.wire.speech import Speech, load_speech


@pytest.fixture(scope="session")
def speech() -> Speech:
    """The bundled recording through every encoder."""
    missing = [name for name in ("opusenc", "c2enc") if shutil.which(name) is None]
    if missing:
        assert os.environ.get("CI") != "true", missing
        pytest.skip(f"not installed: {', '.join(missing)}")
    return load_speech()

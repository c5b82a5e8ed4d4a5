"""Loading a codec leaves nothing on the machine and tells nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = "import codec; codec.load_decoder(); print(__import__('os').environ['ORT_DISABLE_TELEMETRY'])"


def test_the_engine_writes_neither_to_the_home_nor_to_the_temporary_folder(tmp_path: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    places = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    child = subprocess.run(
        [sys.executable, "-B", "-c", PROGRAM], env={**inherited, **places}, capture_output=True, text=True, check=False
    )
    assert (child.returncode, child.stdout.strip(), child.stderr) == (0, "1", "")
    assert list(tmp_path.rglob("*")) == []

"""The page about the Python API: its examples run, one after another, as somebody would try them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import soundfile


def test_the_examples_on_the_page_run(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    speech, rate = soundfile.read(repository / "codec/assets/speech_cc0.flac", dtype="float32", frames=32000)
    soundfile.write(tmp_path / "talk.flac", speech, rate)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (repository / "docs/tokenizer.md").read_text(), flags=re.DOTALL)
    assert len(blocks) >= 4
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    assert "Tokens(nano-1, 16 layers, 1 recording: 2.00 s) cpu 2.0" in capsys.readouterr().out

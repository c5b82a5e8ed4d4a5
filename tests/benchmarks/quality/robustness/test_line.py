"""Lines of codecs that cannot be used."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.quality.robustness.line import codec_line
from codec import CodecSpec

SPEC = CodecSpec("toy", 16000, 8, 4, 16, 3, "ab" * 32)


def _half(spec: CodecSpec) -> Any:
    """All of an encoder that is looked at before sound is sent."""
    return SimpleNamespace(spec=spec)


@pytest.mark.parametrize("layers", [0, 5])
def test_layers_that_a_codec_has_not_are_refused(layers: int) -> None:
    with pytest.raises(ValueError, match=f"toy has 1 to 4 layers, not {layers}"):
        codec_line(_half(SPEC), _half(SPEC), layers=layers)


def test_a_codec_of_another_rate_is_refused() -> None:
    spec = replace(SPEC, sample_rate=24000)
    with pytest.raises(ValueError, match="toy is for 24000 Hz, not 16000"):
        codec_line(_half(spec), _half(spec))

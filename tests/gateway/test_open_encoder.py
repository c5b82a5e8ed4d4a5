"""Which encoder the settings mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codec import DeviceError, ModelError, OnnxEncoder, load_encoder
from gateway import run
from gateway.config import CodecConfig
from gateway.errors import SourceError
from gateway.run import open_encoder
from protocol.service import PathOrName


def test_by_default_it_is_the_packaged_nano() -> None:
    assert open_encoder(CodecConfig()).spec.name == "nano-1"


def test_a_model_that_is_not_there_is_missing_input(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="Model not found at") as caught:
        open_encoder(CodecConfig(model=PathOrName(tmp_path / "none")))
    assert caught.value.exit_code == 66


def test_a_gpu_that_is_asked_for_and_absent_is_a_wrong_setting() -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine may have a GPU")
    with pytest.raises(DeviceError, match="CUDA was asked for") as caught:
        open_encoder(CodecConfig(device="cuda"))
    assert caught.value.exit_code == 78
    assert open_encoder(CodecConfig(device="auto")).spec.name == "nano-1"


def test_a_graph_for_several_frames_a_step_and_no_other_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = load_encoder("nano")
    assert isinstance(encoder, OnnxEncoder)
    for frames, refused in ((1, False), (4, True)):
        fixed = OnnxEncoder(replace(encoder.model, fixed_frames=frames))
        monkeypatch.setattr(run, "load_encoder", lambda *arguments, given=fixed, **options: given)
        if not refused:
            assert open_encoder(CodecConfig()) is fixed
            continue
        with pytest.raises(ModelError, match="encodes 4 frames a step and no other number"):
            open_encoder(CodecConfig())

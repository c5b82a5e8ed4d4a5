"""Who may decode what, how fast, and several frames at once."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from codec import ModelError, ModelMissingError
from codec.load import load_onnx_decoder
from codec.spec import CodecSpec
from edge_player.errors import ModelMismatchError
from edge_player.render.decoder import OnnxFrameDecoder, check_identity, require_open_graph
from protocol.manifest import StreamManifest


def test_the_same_codec_and_weights_are_accepted(spec: CodecSpec, make_manifest: Callable[..., StreamManifest]) -> None:
    check_identity(spec, make_manifest().codec)
    check_identity(dataclasses.replace(spec, delay_samples=0), make_manifest().codec)  # a figure, not an identity


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "other"),
        ("sample_rate", 24000),
        ("frame_size", 1920),
        ("codebook_size", 16),
        ("weights_sha256", "c" * 64),
    ],
)
def test_the_first_difference_is_named(
    field: str, value: object, spec: CodecSpec, make_manifest: Callable[..., StreamManifest]
) -> None:
    with pytest.raises(ModelMismatchError, match=field) as caught:
        check_identity(dataclasses.replace(spec, **{field: value}), make_manifest().codec)  # type: ignore[arg-type]
    assert caught.value.field == field
    assert caught.value.got == value
    assert caught.value.exit_code == 76


def test_several_frames_at_once_are_the_same_sound_as_one_after_the_other() -> None:
    codes = np.random.default_rng(0).integers(0, 2048, (16, 12))
    with OnnxFrameDecoder() as single, OnnxFrameDecoder(frames_per_step=4) as several:
        one_by_one = np.concatenate([single.decode(codes[:, [frame]]) for frame in range(12)])
        in_fours = np.concatenate([several.decode(codes[:, first : first + 4]) for first in (0, 4, 8)])
        assert (single.frames, several.frames) == (12, 12)
        assert several.step_s(1) > 0
        assert several.step_s(4) > 0
    np.testing.assert_allclose(in_fours, one_by_one, rtol=0, atol=1e-4)


def test_timing_the_decoder_leaves_nothing_in_its_state() -> None:
    codes = np.random.default_rng(1).integers(0, 2048, (16, 3))
    with OnnxFrameDecoder(frames_per_step=4) as decoder, load_onnx_decoder().session() as fresh:
        np.testing.assert_allclose(decoder.decode(codes), fresh.decode(codes)[0], rtol=0, atol=1e-6)


def test_how_long_a_frame_takes_is_said_when_it_is_loaded(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), OnnxFrameDecoder():
        assert re.search(r"decoder of nano-1 on cpu, fp32: \d+\.\d ms a frame of 80", caplog.text)


def test_a_decoder_slower_than_the_sound_is_said_once_with_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    ticks = itertools.count()
    codes = np.zeros((16, 1), dtype=np.int64)
    with OnnxFrameDecoder(clock=lambda: next(ticks) * 0.1) as decoder:
        assert decoder.pace.overloads == 1, "the trial at load has told already"
        for _ in range(120):
            decoder.decode(codes)
        assert decoder.pace.overloads == 1
    (said,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert said.startswith("decoding nano-1 on cpu takes 1.25 times as long as the sound lasts")
    assert "codec-export decoder --precision int8" in said


def test_a_model_that_is_not_there_is_missing_input(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match="Model not found at") as caught:
        OnnxFrameDecoder(model=tmp_path / "none.onnx")
    assert caught.value.exit_code == 66


def test_a_graph_for_several_frames_a_step_and_no_other_number_is_refused() -> None:
    for frames in (None, 1):
        require_open_graph(frames, Path("decoder.onnx"))
    with pytest.raises(ModelError, match="decodes 4 frames a step and no other number"):
        require_open_graph(4, Path("decoder.4frames.onnx"))

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch

from codec.models.factory import TorchCodec
from codec.models.half import DecoderHalf
from codec.models.session import TorchDecoder, TorchEncoder
from codec.onnx import OnnxDecoder, OnnxEncoder
from export.compact import MIN_ELEMENTS
from export.errors import ExportError, ParityError
from export.onnx_export import OPSET_VERSION, export_half
from export.parity import measure_parity, most_exempt
from export.wrappers import StatefulGraph


def test_the_files_describe_themselves(exported: Path, small_codec: TorchCodec) -> None:
    for half, loader in (("encoder", OnnxEncoder), ("decoder", OnnxDecoder)):
        model = loader.load(exported / f"{half}.onnx").model
        assert model.spec == small_codec.spec
        assert model.half == half
        assert model.precision == "fp32"
        assert model.opset == str(OPSET_VERSION)
        assert model.fixed_frames is None
        assert model.fixed_batch is None
        module = small_codec.encoder if half == "encoder" else small_codec.decoder
        assert [state.name for state in model.states] == list(module.initial_state(1))
    assert OnnxEncoder.load(exported / "encoder.onnx").model.extra_outputs == ("latents",)


def test_nothing_of_the_machine_that_made_them_is_in_the_files(exported: Path) -> None:
    for path in exported.glob("*.onnx"):
        content = path.read_bytes()
        assert b"site-packages" not in content
        assert b"/home" not in content
        assert str(exported).encode() not in content


def test_weights_and_tables_are_stored_as_half_and_the_fourier_matrix_of_analysis_not_at_all(
    exported: Path, small_codec: TorchCodec
) -> None:
    for kind, half in (("encoder", small_codec.encoder), ("decoder", small_codec.decoder)):
        constants = onnx.load(exported / f"{kind}.onnx").graph.initializer
        assert not [c.name for c in constants if c.name.endswith("basis")]
        stored = {
            c.name.removesuffix(".float16").removesuffix(".transposed")
            for c in constants
            if c.data_type == onnx.TensorProto.FLOAT16
        }
        learned = {name for name, weight in half.named_parameters() if weight.numel() >= MIN_ELEMENTS}
        tables = {"quantizer.sound.codebooks", "quantizer.contour_codebooks"}
        assert stored == learned | tables | ({"quantizer.usual_codebooks"} if kind == "decoder" else set())


def test_only_real_arithmetic_is_in_the_graph(exported: Path) -> None:
    complex_operators = {"DFT", "STFT", "MelWeightMatrix"}
    for path in exported.glob("*.onnx"):
        graph = onnx.load(path).graph
        assert not {node.op_type for node in graph.node} & complex_operators
        assert {node.domain for node in graph.node} == {""}


@pytest.mark.slow
def test_the_decoder_streams_as_torch_does(exported: Path, small_codec: TorchCodec) -> None:
    report = measure_parity(exported / "decoder.onnx", TorchDecoder(small_codec.decoder, small_codec.spec))
    assert report.max_abs_diff < 1e-4
    assert report.frames == 4 * 4 * 200


@pytest.mark.slow
def test_the_encoder_streams_as_torch_does(exported: Path, small_codec: TorchCodec) -> None:
    report = measure_parity(exported / "encoder.onnx", TorchEncoder(small_codec.encoder, small_codec.spec))
    assert report.max_abs_diff < 1e-4
    assert report.code_frames_differing == report.exempt_frames
    assert report.exempt_frames <= most_exempt(report.frames)


def test_a_file_of_other_weights_fails_the_parity_check(exported: Path, small_codec: TorchCodec) -> None:
    other = DecoderHalf(small_codec.decoder.decoder, small_codec.decoder.quantizer)
    bias = small_codec.decoder.decoder.get_parameter("head.shape.bias")
    with torch.no_grad():
        bias.add_(0.1)
    try:
        with pytest.raises(ParityError) as caught:
            measure_parity(exported / "decoder.onnx", TorchDecoder(other, small_codec.spec))
    finally:
        with torch.no_grad():
            bias.sub_(0.1)
    assert caught.value.max_abs_diff > caught.value.tolerance


def test_weights_that_float16_cannot_hold_are_refused(small_codec: TorchCodec, tmp_path: Path) -> None:
    weight = small_codec.decoder.decoder.get_parameter("head.shape.weight")
    kept = weight.detach().clone()
    with torch.no_grad():
        weight[0, 0] = 1 / 3
    try:
        with pytest.raises(ExportError, match="round the weights"):
            export_half("decoder", small_codec.decoder, small_codec.spec, tmp_path / "decoder.onnx")
    finally:
        with torch.no_grad():
            weight.copy_(kept)
    assert not (tmp_path / "decoder.onnx").exists()


def test_a_state_that_does_not_begin_with_zeros_is_refused(small_codec: TorchCodec) -> None:
    class Odd(DecoderHalf):
        def initial_state(self, batch_size: int) -> dict[str, torch.Tensor]:
            return {"x": torch.ones(batch_size, 1)}

    with pytest.raises(ValueError, match="does not begin with zeros"):
        StatefulGraph(Odd(small_codec.decoder.decoder, small_codec.decoder.quantizer))

"""int8, float16 and fixed-step files of the toy codec, made by the command and run as a player would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from codec.audio.wav import WavWriter
from codec.errors import FrameSizeError
from codec.models.factory import TorchCodec
from codec.models.session import TorchDecoder
from codec.onnx import OnnxDecoder, OnnxEncoder
from export.calibration import StreamedCalibration
from export.cli import main
from export.errors import FidelityError
from export.fidelity import measure_fidelity
from export.graph import learned_part, load_graph

pytestmark = pytest.mark.usefixtures("traced_before")


def run(capsys: pytest.CaptureFixture[str], folder: Path, *flags: str) -> dict[str, Any]:
    assert main([*flags, "-o", str(folder), "--json"]) == 0
    (report,) = json.loads(capsys.readouterr().out)
    assert isinstance(report, dict)
    return report


def some_codes(codec: TorchCodec, frames: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    spec = codec.spec
    return np.random.default_rng(3).integers(0, spec.codebook_size, (1, spec.num_layers, frames))


def types_of(path: Path) -> dict[str, int]:
    return {tensor.name: tensor.data_type for tensor in onnx.load(path).graph.initializer}


def test_the_command_writes_a_file_and_its_report(
    tmp_path: Path, small_codec: TorchCodec, capsys: pytest.CaptureFixture[str]
) -> None:
    report = run(capsys, tmp_path, "decoder")
    assert report["half"] == "decoder"
    assert json.loads((tmp_path / "decoder.parity.json").read_text()) == report
    exported = OnnxDecoder.load(tmp_path / "decoder.onnx")
    assert (exported.spec, exported.model.file_sha256) == (small_codec.spec, report["file_sha256"])
    assert {path.name for path in tmp_path.iterdir()} == {"decoder.onnx", "decoder.parity.json"}


def test_an_int8_decoder_describes_itself_and_plays_streams_of_the_float_weights(
    tmp_path: Path, small_codec: TorchCodec, exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = run(capsys, tmp_path, "decoder", "--precision", "int8", "--reduced-range")
    assert json.loads((tmp_path / "decoder.int8-reduced.parity.json").read_text()) == report
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "decoder.int8-reduced.onnx",
        "decoder.int8-reduced.parity.json",
    ]
    model = OnnxDecoder.load(tmp_path / "decoder.int8-reduced.onnx").model
    plain = OnnxDecoder.load(exported / "decoder.onnx").model
    assert (model.precision, report["precision"], report["reduced_range"]) == ("int8", "int8", True)
    assert model.spec == small_codec.spec
    assert (model.states, model.fixed_frames, model.opset) == (plain.states, None, plain.opset)
    assert report["snr_db"] > 20
    assert report["onnx_ms_per_frame"] > 0
    assert report["file_bytes"] == model.path.stat().st_size < report["fp32_file_bytes"]


def test_an_int8_encoder_is_judged_by_its_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(capsys, tmp_path, "encoder", "--precision", "int8", "--reduced-range")
    assert 0.5 <= report["first_layer_share"] <= 1
    assert 0 < report["all_layers_share"] <= report["first_layer_share"]
    assert OnnxEncoder.load(tmp_path / "encoder.int8-reduced.onnx").model.extra_outputs == ("latents",)


def test_only_inner_layers_are_int8_and_no_state_passes_through_a_quantiser(
    tmp_path: Path, exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, tmp_path, "decoder", "--precision", "int8")
    graph = onnx.load(tmp_path / "decoder.int8.onnx").graph
    types = types_of(tmp_path / "decoder.int8.onnx")
    for name in (
        "quantizer.sound.codebooks",
        "quantizer.contour_codebooks",
        "decoder.first.weight",
        "decoder.patch.weight.transposed",
        "decoder.head.shape.weight.transposed",
    ):
        assert types[name + ".float16"] == TensorProto.FLOAT16
    narrow = [tensor for tensor in graph.initializer if tensor.data_type == TensorProto.INT8 and len(tensor.dims) > 1]
    layers = [n for n in learned_part(load_graph(exported / "decoder.onnx")).layers if n.op_type != "ConvTranspose"]
    assert len(narrow) == len(layers) - 2
    per_channel = [t for t in graph.initializer if t.name.endswith("_scale") and np.prod(t.dims) > 1]
    assert len(per_channel) >= len(narrow)
    producers = {name: node for node in graph.node for name in node.output}
    for output in graph.output:
        if output.name.startswith("new_"):
            kept = producers[output.name]
            assert kept.op_type == "Where"
            sources = [producers[name].op_type for name in kept.input if name in producers]
            assert "DequantizeLinear" not in sources


def test_calibration_streams_its_states(exported: Path, small_codec: TorchCodec) -> None:
    codes = some_codes(small_codec, 12).transpose(0, 2, 1)
    feeds = []
    reader = StreamedCalibration(exported / "decoder.onnx", "decoder", codes)
    while (feed := reader.get_next()) is not None:
        feeds.append(feed)
    assert [feed["codes"].shape for feed in feeds] == [(1, 16, 5), (1, 16, 5), (1, 16, 2)]
    assert not feeds[0]["layers.1.mix.previous"].any()
    assert feeds[1]["layers.1.mix.previous"].any()
    assert not np.array_equal(feeds[1]["layers.1.mix.previous"], feeds[2]["layers.1.mix.previous"])
    phase = "head.synthesis.harmonics.phase"
    assert [feed[phase].dtype for feed in feeds] == [np.float64] * 3
    assert feeds[1][phase] != feeds[2][phase]


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_a_row_that_is_not_active_keeps_its_state_bit_for_bit(
    precision: str, tmp_path: Path, small_codec: TorchCodec, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, tmp_path, "decoder", "--precision", precision)
    codes = np.repeat(some_codes(small_codec, 3), 2, axis=0)
    decoder = OnnxDecoder.load(tmp_path / f"decoder.{precision}.onnx")
    with decoder.session(2) as session:
        session.decode(codes[..., :1])
        session.decode(codes[..., 2:], np.array([True, False]))
        resumed = session.decode(codes[..., 1:2])[1]
    with decoder.session(2) as session:
        session.decode(codes[..., :1])
        undisturbed = session.decode(codes[..., 1:2])[1]
        session.reset(np.array([True, False]))
        anew = session.decode(codes[..., :1])[0]
    with decoder.session(2) as session:
        first = session.decode(codes[..., :1])[0]
    assert np.array_equal(resumed, undisturbed)
    assert np.array_equal(anew, first)


def test_a_float16_file_runs_on_a_cpu_and_says_where_its_speed_counts(
    tmp_path: Path, small_codec: TorchCodec, exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decoded = run(capsys, tmp_path, "decoder", "--precision", "fp16")
    assert main(["encoder", "--precision", "fp16", "-o", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    if decoded["provider"] == "cpu":
        assert "can only be judged on a GPU" in decoded["note"]
        assert "can only be judged on a GPU" in said
    assert decoded["snr_db"] > 40
    for half, loader in (("decoder", OnnxDecoder), ("encoder", OnnxEncoder)):
        model = loader.load(tmp_path / f"{half}.fp16.onnx").model
        assert (model.precision, model.spec) == ("fp16", small_codec.spec)
        assert model.states == loader.load(exported / f"{half}.onnx").model.states
        assert {state.dtype for state in model.states} <= {"float64", "float32", "int64"}


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_float16_stays_out_of_the_spectra_the_pitch_the_search_and_the_states(
    kind: str, tmp_path: Path, exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, tmp_path, kind, "--precision", "fp16")
    inner = learned_part(load_graph(exported / f"{kind}.onnx")).nodes
    path = tmp_path / f"{kind}.fp16.onnx"
    inferred = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    types = {value.name: value.type.tensor_type.elem_type for value in inferred.value_info}
    computing = [
        n
        for n in inferred.node
        if n.op_type in ("MatMul", "Conv", "Log", "Exp", "ArgMax", "Where", "LayerNormalization", "Floor", "Round")
    ]
    half = {n.name for n in computing if types.get(n.output[0]) == TensorProto.FLOAT16}
    assert half == {node.name for node in computing if node.name in inner and types.get(node.output[0], 0) != 9}
    # No state makes a detour through float16: between an input and the Where that resets it there is no Cast.
    readers: dict[str, set[str]] = {}
    for node in inferred.node:
        for name in node.input:
            readers.setdefault(name, set()).add(node.op_type)
    states = {value.name for value in inferred.input if value.name not in ("pcm", "codes", "active", "reset")}
    assert all("Cast" not in readers[name] for name in (*states, *({"pcm"} & readers.keys())))


@pytest.mark.parametrize(("half", "frames"), [("encoder", 20), ("decoder", 3)])
def test_a_graph_for_a_fixed_step_computes_the_same_and_refuses_other_steps(
    half: str, frames: int, tmp_path: Path, small_codec: TorchCodec, exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = run(capsys, tmp_path, half, "--frames", str(frames))
    assert report["fixed_frames"] == frames
    assert report["step_frames"] == [frames]
    assert report["max_abs_diff"] <= report["tolerance"]
    assert report["open_ms_per_frame"] > 0
    path, spec = tmp_path / f"{half}.{frames}frames.onnx", small_codec.spec
    if half == "decoder":
        fixed, open_graph = OnnxDecoder.load(path), OnnxDecoder.load(exported / "decoder.onnx")
        assert fixed.model.states == open_graph.model.states
        codes = some_codes(small_codec, 6)
        with fixed.session() as ours, open_graph.session() as theirs:
            np.testing.assert_allclose(ours.decode(codes), theirs.decode(codes), atol=1e-5)
            with pytest.raises(FrameSizeError, match="takes 3 frames a step, not 1"):
                ours.decode(codes[..., :1])
    else:
        with OnnxEncoder.load(path).session() as session, pytest.raises(FrameSizeError, match="takes 20 frames a step"):
            session.encode(np.zeros((1, spec.frame_size), dtype=np.float32))


def test_an_int8_graph_can_have_a_fixed_step_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decoder", "--precision", "int8", "--frames", "5", "-o", str(tmp_path)]) == 0
    assert "in steps of 5 frames the graph that takes any number needs" in capsys.readouterr().out
    model = OnnxDecoder.load(tmp_path / "decoder.int8.5frames.onnx").model
    assert (model.precision, model.fixed_frames) == ("int8", 5)


def test_other_audio_can_be_calibrated_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    with WavWriter(tmp_path / "noise.wav", 16_000) as writer:
        writer.write(noise)
    calibrated = run(
        capsys, tmp_path / "a", "decoder", "--precision", "int8", "--calibrate", str(tmp_path / "noise.wav")
    )
    usual = run(capsys, tmp_path / "b", "decoder", "--precision", "int8")
    assert calibrated["snr_db"] != usual["snr_db"]


def test_options_that_do_not_fit_together_are_said_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["-o", str(tmp_path / "out")]
    assert main(["decoder", "--reduced-range", *out]) == 2
    assert "--reduced-range and --calibrate are for int8, not for fp32" in capsys.readouterr().err
    assert main(["decoder", "--frames", "26", *out]) == 2
    assert "1 to 25 frames" in capsys.readouterr().err
    assert main(["decoder", "--precision", "int8", "--calibrate", str(tmp_path / "none.wav"), *out]) == 66
    assert "File not found at" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.onnx"))


def test_a_variant_that_is_silent_or_gives_nan_is_refused(
    tmp_path: Path, small_codec: TorchCodec, exported: Path
) -> None:
    reference = TorchDecoder(small_codec.decoder, small_codec.spec)
    codes = some_codes(small_codec, 20).transpose(0, 2, 1)
    for value, said in ((-40.0, "silence has 0"), (np.nan, "NaN or infinite")):
        model = onnx.load(exported / "decoder.onnx")
        (bias,) = (tensor for tensor in model.graph.initializer if tensor.name.startswith("decoder.head.shape.bias"))
        kept = onnx.numpy_helper.to_array(bias).copy()
        kept[: 2 * len(kept) // 3] = value
        bias.CopyFrom(onnx.numpy_helper.from_array(kept, bias.name))
        onnx.save(model, tmp_path / "broken.onnx")
        with pytest.raises(FidelityError, match=said):
            measure_fidelity(tmp_path / "broken.onnx", reference, fp32=exported / "decoder.onnx", codes=codes)

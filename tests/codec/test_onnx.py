"""Stateful sessions of both halves, on the toy codec."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from codec.errors import CodesError, FrameSizeError, ModelError
from codec.onnx import OnnxDecoder, OnnxEncoder
from codec.spec import CodecSpec

ReferenceDecode = Callable[[NDArray[Any]], NDArray[np.float32]]
ReferenceEncode = Callable[[NDArray[np.float32]], NDArray[np.int64]]


@pytest.fixture(scope="module")
def decoder(decoder_path: Path) -> OnnxDecoder:
    return OnnxDecoder.load(decoder_path)


@pytest.fixture(scope="module")
def encoder(encoder_path: Path) -> OnnxEncoder:
    return OnnxEncoder.load(encoder_path)


@pytest.fixture
def codes(toy_spec: CodecSpec) -> NDArray[np.int64]:
    return np.random.default_rng(2).integers(0, toy_spec.codebook_size, (toy_spec.num_layers, 60))


@pytest.fixture
def samples(toy_spec: CodecSpec) -> NDArray[np.float32]:
    # Eighths, so that sums are exact in any order.
    return (np.random.default_rng(3).integers(-8, 9, 60 * toy_spec.frame_size) / 8).astype(np.float32)


@pytest.mark.parametrize("chunk", [1, 2, 4, 5, 25, 60])
def test_streamed_decoding_equals_one_pass(
    decoder: OnnxDecoder, codes: NDArray[np.int64], reference_decode: ReferenceDecode, chunk: int
) -> None:
    with decoder.session() as session:
        parts = [session.decode(codes[:, first : first + chunk]) for first in range(0, 60, chunk)]
    assert all(part.dtype == np.float32 and part.shape[0] == 1 for part in parts)
    np.testing.assert_array_equal(np.concatenate(parts, axis=1)[0], reference_decode(codes))


@pytest.mark.parametrize("chunk", [1, 3, 25, 60])
def test_streamed_encoding_equals_one_pass(
    encoder: OnnxEncoder,
    samples: NDArray[np.float32],
    toy_spec: CodecSpec,
    reference_encode: ReferenceEncode,
    chunk: int,
) -> None:
    step = chunk * toy_spec.frame_size
    with encoder.session() as session:
        parts = [session.encode(samples[first : first + step]) for first in range(0, samples.size, step)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=2)[0], reference_encode(samples))


def test_steps_of_changing_length_share_one_state(
    decoder: OnnxDecoder, codes: NDArray[np.int64], reference_decode: ReferenceDecode
) -> None:
    cuts = [0, 1, 2, 5, 6, 31, 33, 34, 60]
    with decoder.session() as session:
        parts = [session.decode(codes[:, a:b]) for a, b in pairwise(cuts)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1)[0], reference_decode(codes))


def test_results_are_not_overwritten_by_the_next_step(decoder: OnnxDecoder, codes: NDArray[np.int64]) -> None:
    with decoder.session() as session:
        first = session.decode(codes[:, :1])
        kept = first.copy()
        session.decode(codes[:, 1:2])
    np.testing.assert_array_equal(first, kept)


def test_two_sessions_of_one_model_are_independent(
    decoder: OnnxDecoder, codes: NDArray[np.int64], reference_decode: ReferenceDecode
) -> None:
    with decoder.session() as one, decoder.session() as other:
        for frame in range(10):
            one.decode(codes[:, frame : frame + 1])
        np.testing.assert_array_equal(other.decode(codes)[0], reference_decode(codes))


def test_reset_gives_the_same_as_a_new_session(
    decoder: OnnxDecoder, codes: NDArray[np.int64], reference_decode: ReferenceDecode
) -> None:
    with decoder.session() as session:
        session.decode(codes)
        session.reset()
        np.testing.assert_array_equal(session.decode(codes[:, :7])[0], reference_decode(codes[:, :7]))
        # and it was applied once only
        again = session.decode(codes[:, 7:9])
    np.testing.assert_array_equal(again[0], reference_decode(codes[:, :9])[7 * 8 :])


def test_warm_up_leaves_no_trace(
    decoder: OnnxDecoder,
    encoder: OnnxEncoder,
    codes: NDArray[np.int64],
    samples: NDArray[np.float32],
    reference_decode: ReferenceDecode,
    reference_encode: ReferenceEncode,
) -> None:
    with decoder.session() as decoding, encoder.session() as encoding:
        decoding.decode(codes[:, :3])
        encoding.encode(samples[:8])
        decoding.reset()
        decoding.warm_up()
        encoding.warm_up(frames=2)
        np.testing.assert_array_equal(decoding.decode(codes)[0], reference_decode(codes))
        np.testing.assert_array_equal(encoding.encode(samples)[0], reference_encode(samples))


def test_rows_are_independent_and_reset_alone(decoder: OnnxDecoder, reference_decode: ReferenceDecode) -> None:
    codes = np.random.default_rng(4).integers(0, 16, (3, 4, 12))
    with decoder.session(3) as session:
        first = session.decode(codes[:, :, :5])
        session.reset(np.array([False, True, False]))
        second = session.decode(codes[:, :, 5:])
    for row in (0, 2):
        whole = np.concatenate([first[row], second[row]])
        np.testing.assert_array_equal(whole, reference_decode(codes[row]))
    np.testing.assert_array_equal(first[1], reference_decode(codes[1, :, :5]))
    np.testing.assert_array_equal(second[1], reference_decode(codes[1, :, 5:]))


def test_an_inactive_row_stands_still_whatever_it_is_given(
    decoder: OnnxDecoder, reference_decode: ReferenceDecode
) -> None:
    codes = np.random.default_rng(5).integers(0, 16, (2, 4, 9))
    garbage = codes.copy()
    garbage[1] = 999
    with decoder.session(2) as session:
        session.decode(codes[:, :, :3])
        middle = session.decode(garbage[:, :, 3:6], active=np.array([True, False]))
        last = session.decode(codes[:, :, 6:])
    assert not middle[1].any()
    np.testing.assert_array_equal(last[0], reference_decode(codes[0])[6 * 8 :])
    skipping = np.concatenate([codes[1, :, :3], codes[1, :, 6:]], axis=1)
    np.testing.assert_array_equal(last[1], reference_decode(skipping)[3 * 8 :])


def test_a_reset_waits_for_its_row_to_be_active(decoder: OnnxDecoder, reference_decode: ReferenceDecode) -> None:
    codes = np.random.default_rng(6).integers(0, 16, (2, 4, 6))
    with decoder.session(2) as session:
        session.decode(codes[:, :, :2])
        session.reset(np.array([False, True]))
        session.decode(codes[:, :, 2:4], active=np.array([True, False]))
        last = session.decode(codes[:, :, 4:])
    np.testing.assert_array_equal(last[0], reference_decode(codes[0])[4 * 8 :])
    np.testing.assert_array_equal(last[1], reference_decode(codes[1, :, 4:]))


def test_with_nobody_active_nothing_runs(
    decoder: OnnxDecoder, encoder: OnnxEncoder, codes: NDArray[np.int64], reference_decode: ReferenceDecode
) -> None:
    nobody = np.array([False])
    with decoder.session() as session, encoder.session() as encoding:
        session.decode(codes[:, :4])
        assert not session.decode(codes[:, 4:6], active=nobody).any()
        np.testing.assert_array_equal(session.decode(codes[:, 4:])[0], reference_decode(codes)[4 * 8 :])
        assert (encoding.encode(np.ones(16, dtype=np.float32), active=nobody) == -1).all()


def test_encoder_rows_not_active_give_missing_codes(encoder: OnnxEncoder) -> None:
    pcm = np.ones((2, 8), dtype=np.float32)
    with encoder.session(2) as session:
        codes = session.encode(pcm, active=np.array([False, True]))
    assert (codes[0] == -1).all()
    assert (codes[1, :, 0] == [8, 9, 10, 11]).all()


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_fewer_layers_decode_like_missing_ones(
    decoder: OnnxDecoder, codes: NDArray[np.int64], reference_decode: ReferenceDecode, layers: int
) -> None:
    cut = codes.copy()
    cut[layers:] = -1
    with decoder.session() as one, decoder.session() as other:
        fewer, missing = one.decode(codes[:layers]), other.decode(cut)
    np.testing.assert_array_equal(fewer, missing)
    np.testing.assert_array_equal(fewer[0], reference_decode(codes[:layers]))


def test_the_longest_prefix_may_differ_from_frame_to_frame(
    decoder: OnnxDecoder, reference_decode: ReferenceDecode
) -> None:
    codes = np.array([[1, 2, 3], [4, -1, 5], [6, -1, 7], [8, -1, -1]])
    with decoder.session() as session:
        np.testing.assert_array_equal(session.decode(codes)[0], reference_decode(codes))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.uint64])
def test_codes_of_any_integer_type_are_taken(
    decoder: OnnxDecoder, codes: NDArray[np.int64], reference_decode: ReferenceDecode, dtype: type[np.integer[Any]]
) -> None:
    with decoder.session() as session:
        np.testing.assert_array_equal(session.decode(codes.astype(dtype))[0], reference_decode(codes))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.full((4, 1), 16), "between 0 and 15, not 16"),
        (np.full((4, 1), -2), "not -2"),
        (np.full((4, 1), 2**63, dtype=np.uint64), "not 9223372036854775808"),
        (np.full((4, 1), -(2**63)), "between 0 and 15"),
        (np.array([[-1], [-1], [-1], [-1]]), "lost frame"),
        (np.array([[1], [-1], [2], [3]]), "only be followed by missing"),
        (np.zeros((4, 1), dtype=np.float32), "integers, not float32"),
        (np.zeros((4, 1), dtype=np.bool_), "integers, not bool"),
        (np.zeros((5, 1), dtype=np.int64), "1 to 4 layers"),
        (np.zeros((0, 1), dtype=np.int64), "1 to 4 layers"),
        (np.zeros((4, 0), dtype=np.int64), r"\[1, K, N\]"),
        (np.zeros(4, dtype=np.int64), r"\[1, K, N\]"),
        (np.zeros((2, 4, 1), dtype=np.int64), r"\[1, K, N\]"),
    ],
)
def test_bad_codes_are_refused_and_leave_the_state_alone(
    decoder: OnnxDecoder, codes: NDArray[np.int64], reference_decode: ReferenceDecode, bad: NDArray[Any], words: str
) -> None:
    with decoder.session() as session:
        session.decode(codes[:, :5])
        with pytest.raises(CodesError, match=words):
            session.decode(bad)
        np.testing.assert_array_equal(session.decode(codes[:, 5:])[0], reference_decode(codes)[5 * 8 :])


@pytest.mark.parametrize("shape", [(7,), (0,), (9,), (2, 8), (1, 1, 8)])
def test_audio_that_is_not_whole_frames_is_refused(encoder: OnnxEncoder, shape: tuple[int, ...]) -> None:
    with encoder.session() as session, pytest.raises(FrameSizeError, match="FrameAssembler"):
        session.encode(np.zeros(shape, dtype=np.float32))


def test_integer_samples_are_refused_rather_than_taken_for_full_scale(encoder: OnnxEncoder) -> None:
    with encoder.session() as session, pytest.raises(FrameSizeError, match="int16"):
        session.encode(np.zeros(8, dtype=np.int16))


def test_nonfinite_samples_are_cleaned_and_counted(
    encoder: OnnxEncoder, samples: NDArray[np.float32], reference_encode: ReferenceEncode
) -> None:
    dirty = samples.copy()
    dirty[3], dirty[10], dirty[20], dirty[30] = np.nan, np.inf, -np.inf, 1e30
    clean = samples.copy()
    clean[[3, 10, 20]], clean[30] = 0, 8
    with encoder.session() as session:
        np.testing.assert_array_equal(session.encode(dirty)[0], reference_encode(clean))
        assert session.nonfinite_samples == 4
        session.reset()
        np.testing.assert_array_equal(session.encode(samples)[0], reference_encode(samples))
        assert session.nonfinite_samples == 4


@pytest.mark.parametrize(
    "mask", [np.array([True, True]), np.array([1]), np.array([[True]]), np.array(True), np.array([], dtype=np.bool_)]
)
def test_row_masks_of_another_shape_are_refused(
    decoder: OnnxDecoder, codes: NDArray[np.int64], mask: NDArray[Any]
) -> None:
    with decoder.session() as session:
        with pytest.raises(FrameSizeError, match="row mask"):
            session.reset(mask)
        with pytest.raises(FrameSizeError, match="row mask"):
            session.decode(codes, active=mask)


@pytest.mark.parametrize("batch_size", [0, -1, 100_000])
def test_impossible_batch_sizes_are_refused(decoder: OnnxDecoder, batch_size: int) -> None:
    with pytest.raises(FrameSizeError, match="rows"):
        decoder.session(batch_size)


def test_a_closed_session_says_so(decoder: OnnxDecoder, codes: NDArray[np.int64]) -> None:
    with decoder.session() as session:
        session.decode(codes)
    session.close()
    with pytest.raises(RuntimeError, match="closed"):
        session.decode(codes)


def test_extra_outputs_are_given_on_request(encoder: OnnxEncoder, samples: NDArray[np.float32]) -> None:
    with encoder.session(extra_outputs=("latents",)) as session:
        session.encode(samples[:24])
        np.testing.assert_allclose(
            session.extras["latents"][0], np.cumsum(np.abs(samples[:24]).reshape(3, 8).sum(axis=1))
        )
    with pytest.raises(ModelError, match="no output nonsense"):
        encoder.session(extra_outputs=("nonsense",))


def test_denormals_are_flushed_on_whatever_thread_runs_the_model(
    decoder: OnnxDecoder, codes: NDArray[np.int64]
) -> None:
    found: list[float] = []
    loaded = threading.Event()

    def work() -> None:
        loaded.wait(10)
        with decoder.session(extra_outputs=("tiny",)) as session:
            session.decode(codes[:, :1])
            found.append(float(session.extras["tiny"][0]))

    thread = threading.Thread(target=work)
    thread.start()
    with decoder.session(extra_outputs=("tiny",)) as session:
        session.decode(codes[:, :1])
        found.append(float(session.extras["tiny"][0]))
    loaded.set()
    thread.join(10)
    assert found == [0.0, 0.0]


def test_running_a_model_leaves_the_floats_of_the_thread_alone(decoder: OnnxDecoder, codes: NDArray[np.int64]) -> None:
    with decoder.session() as session:
        session.decode(codes)
    assert np.float32(1e-39) * np.float32(0.5) != 0


def test_a_graph_of_fixed_step_runs_long_input_in_its_steps(
    make_model: Callable[..., Path], codes: NDArray[np.int64], reference_decode: ReferenceDecode
) -> None:
    fixed = OnnxDecoder.load(make_model("decoder", frames=4))
    assert fixed.model.fixed_frames == 4
    with fixed.session() as session:
        np.testing.assert_array_equal(session.decode(codes)[0], reference_decode(codes))
        with pytest.raises(FrameSizeError, match="4 frames a step, not 3"):
            session.decode(codes[:, :3])


def test_a_graph_of_fixed_batch_says_so(make_model: Callable[..., Path]) -> None:
    fixed = OnnxDecoder.load(make_model("decoder", batch=1))
    fixed.session(1).close()
    with pytest.raises(ModelError, match="1 rows at once, not 2"):
        fixed.session(2)


def test_the_wrong_half_is_refused(encoder_path: Path, decoder_path: Path) -> None:
    with pytest.raises(ModelError, match="holds the encoder of toy, not the decoder"):
        OnnxDecoder.load(encoder_path)
    with pytest.raises(ModelError, match="holds the decoder of toy, not the encoder"):
        OnnxEncoder.load(decoder_path)


def test_a_clone_goes_on_from_where_its_session_stands_and_leaves_it_alone(
    decoder: OnnxDecoder, codes: NDArray[np.int64], reference_decode: ReferenceDecode
) -> None:
    with decoder.session() as session:
        session.decode(codes[:, :5])
        with session.clone() as twin:
            np.testing.assert_array_equal(twin.decode(codes[:, 5:9])[0], reference_decode(codes[:, :9])[5 * 8 :])
            twin.decode(codes[:, :3])
        np.testing.assert_array_equal(session.decode(codes[:, 5:9])[0], reference_decode(codes[:, :9])[5 * 8 :])


def test_a_clone_takes_a_pending_reset_with_it(
    encoder: OnnxEncoder, samples: NDArray[np.float32], reference_encode: ReferenceEncode
) -> None:
    with encoder.session() as session:
        session.encode(samples[:16])
        session.reset()
        with session.clone() as twin:
            np.testing.assert_array_equal(twin.encode(samples)[0], reference_encode(samples))
        np.testing.assert_array_equal(session.encode(samples)[0], reference_encode(samples))


def test_a_closed_session_has_no_clone(decoder: OnnxDecoder) -> None:
    with decoder.session() as session:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        session.clone()

"""The recipe itself, on a little noise: minutes are seconds here, everything else is as in a real run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from codec.models.checkpoint import load_checkpoint
from codec.models.layers import ResidualQuantizer
from codec.models.nano.train.cli import main
from codec.models.nano.train.codebooks import CodebookLearner
from codec.models.nano.train.data import Clip, SpeechCorpus, read_index, split_by_speaker
from codec.models.nano.train.errors import TrainingDataError
from codec.models.nano.train.losses import EnvelopeCorrelationLoss, MultiResolutionMelLoss
from codec.models.nano.weights import load_nano

RATE = 16_000


@pytest.fixture(scope="module")
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


def run(speech: Path, out: Path, *extra: str) -> int:
    return main(["--data", str(speech), "--out", str(out), "--batch-size", "2", "--segment", "0.64", *extra])


@pytest.mark.slow
def test_a_run_writes_checkpoint_and_log_and_is_resumed_where_it_was(speech: Path, tmp_path: Path) -> None:
    assert run(speech, tmp_path, "--minutes", "0.05") == 0
    tensors, first = load_checkpoint(tmp_path / "checkpoint")
    assert first["quantised"]
    assert first["elapsed_s"] >= 3.0
    assert float(tensors["model.quantizer.codebooks"].abs().sum()) > 0
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert "validation_loss_16_layers" in log[-1]
    assert run(speech, tmp_path, "--minutes", "0.08", "--resume") == 0
    _, second = load_checkpoint(tmp_path / "checkpoint")
    assert second["step"] > first["step"]
    assert second["elapsed_s"] >= 4.8
    # What the recipe leaves is what the export takes.
    model, spec = load_nano(tmp_path / "checkpoint")
    assert spec.name == "nano-1"
    assert model.encode(torch.zeros(1, 1280)).shape == (1, 16, 1)


def test_data_without_an_index_is_refused_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, tmp_path / "out", "--minutes", "1") == 66
    assert "No index.jsonl" in capsys.readouterr().err


def test_segments_shorter_than_the_losses_need_are_refused(speech: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        run(speech, tmp_path, "--minutes", "1", "--segment", "0.3")
    assert caught.value.code == 2


def test_resuming_without_a_checkpoint_is_refused(
    speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(speech, tmp_path, "--minutes", "1", "--resume") == 76
    assert "No checkpoint" in capsys.readouterr().err


def test_the_split_shares_no_speaker_and_dull_recordings_are_left_out(speech: Path) -> None:
    clips = read_index(speech, RATE)
    assert "dull" not in {clip.speaker for clip in clips}
    training, validation = split_by_speaker(clips, seed=1)
    assert validation
    assert not {clip.speaker for clip in training} & {clip.speaker for clip in validation}
    assert split_by_speaker(clips, seed=1) == (training, validation)


def test_segments_lie_inside_their_clip_and_levels_vary(speech: Path, tmp_path: Path) -> None:
    corpus = SpeechCorpus(
        speech, [Clip("all.flac", RATE, RATE // 2, "s", 1.0)], cache=tmp_path, sample_rate=RATE, progress=False
    )
    rng = np.random.default_rng(1)
    source = corpus.files["all.flac"][RATE : RATE + RATE // 2].astype(np.float32) / 32768
    piece = corpus.segment(rng, 1000)
    assert any(np.array_equal(source[at : at + 1000], piece) for at in np.flatnonzero(source == piece[0]))
    peaks = corpus.batch(rng, size=30, length=1000).abs().amax(dim=1)
    assert peaks.max() / peaks.min() > 4
    # A clip shorter than the segment stands in silence.
    assert np.count_nonzero(corpus.segment(rng, RATE)) <= RATE // 2


def test_audio_of_another_rate_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.flac", np.zeros(8000), 8000)
    with pytest.raises(TrainingDataError, match="expected 16000 Hz mono"):
        SpeechCorpus(tmp_path, [Clip("x.flac", 0, 1, "s", 1.0)], cache=tmp_path, sample_rate=RATE, progress=False)


def test_the_loss_is_nothing_for_equal_signals_and_grows_with_noise() -> None:
    torch.manual_seed(0)
    loss = MultiResolutionMelLoss(RATE)
    source = 0.1 * torch.randn(2, 8192)
    losses = [float(loss(source + noise * torch.randn_like(source), source)) for noise in (0.0, 0.01, 0.1)]
    assert losses[0] < 2e-3
    assert losses == sorted(losses)


def test_the_envelope_loss_hears_movement_and_not_level() -> None:
    torch.manual_seed(0)
    loss = EnvelopeCorrelationLoss(RATE)
    beat = 0.2 + (torch.arange(24_000) / RATE * 2 * torch.pi * 4).sin().clamp(min=0)
    source = 0.1 * torch.randn(2, 24_000) * beat
    assert float(loss(source, source)) < 1e-3
    assert float(loss(0.3 * source, source)) < 0.05
    steady = 0.1 * torch.randn(2, 24_000)
    assert float(loss(steady, source)) > 0.5
    # Digital silence has no envelope to follow: nothing to learn, and nothing that is not a number.
    quiet = torch.zeros(1, 24_000, requires_grad=True)
    loss(quiet, torch.zeros(1, 24_000)).backward()
    assert quiet.grad is not None
    assert torch.isfinite(quiet.grad).all()


def learner() -> CodebookLearner:
    torch.manual_seed(2)
    return CodebookLearner(ResidualQuantizer(num_layers=3, codebook_size=16, dim=4))


def test_the_first_codebooks_come_from_the_data_and_each_layer_helps() -> None:
    made = learner().eval()
    vectors = torch.randn(400, 4)
    made.begin(vectors)
    errors = []
    for layers in (1, 2, 3):
        quantised, _ = made(vectors[None], torch.tensor([layers]))
        errors.append(float((quantised - vectors).square().mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.25


def test_entries_follow_their_vectors_and_dead_ones_start_anew() -> None:
    made = learner()
    made.begin(torch.randn(400, 4))
    moved = torch.randn(8, 50, 4) * 0.1 + 5.0
    before = float(made.eval()(moved, torch.full((8,), 3))[1])
    made.train()
    for _ in range(600):
        made(moved, torch.full((8,), 3))
    assert float(made.eval()(moved, torch.full((8,), 3))[1]) < 0.05 * before
    used = torch.unique(made.quantizer.nearest(moved, 0))
    assert len(used) > 8


def test_the_gradient_passes_straight_through_the_quantiser() -> None:
    made = learner().eval()
    made.begin(torch.randn(100, 4))
    vectors = torch.randn(1, 5, 4, requires_grad=True)
    quantised, _ = made(vectors, torch.tensor([3]))
    quantised.sum().backward()
    assert vectors.grad is not None
    torch.testing.assert_close(vectors.grad, torch.ones_like(vectors))

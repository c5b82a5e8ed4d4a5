"""One folder for both packages: the weights, and the files of codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from benchmarks.qwen3.agreement import compare_audio
from codec import read_audio
from codec.cli import main as codec

pytestmark = [pytest.mark.oracle, pytest.mark.timeout(1800)]

FRAMES, SAMPLES = 9, 16_500
"""Of a recording that fills its last frame by a half."""
SAMPLE_RATE = 24_000
HALF_STEP = 0.5 / 2**15
"""What 16 bits a sample round by, at most."""


@pytest.mark.parametrize("name", ["small", "real"])
def test_the_official_package_finds_every_tensor_and_no_other_in_the_folder_that_ours_reads(
    official: Any, releases: Any, name: str
) -> None:
    said = official.load(releases.get(name))
    assert said == {"missing": [], "surplus": [], "dtypes": ["torch.float32"]}


def test_the_official_package_decodes_the_torch_file_that_codec_encode_writes(
    official: Any, releases: Any, speech: Any, tmp_path: Path
) -> None:
    release = releases.get("small")
    model = ("--codec", "qwen3-12hz", "--model", str(release.folder), "--device", "cpu")
    soundfile.write(tmp_path / "speech.wav", speech[:SAMPLES], SAMPLE_RATE, subtype="FLOAT")
    tokens, rebuilt = tmp_path / "speech.pt", tmp_path / "rebuilt.wav"
    assert codec(["encode", str(tmp_path / "speech.wav"), "-o", str(tokens), *model]) == 0
    assert codec(["decode", str(tokens), "-o", str(rebuilt), *model]) == 0

    official.load(release)
    answer = official.worker.ask("tokenizer_decode", path=str(tokens))
    theirs = answer.arrays["0"]
    assert (answer.values["sample_rate"], theirs.shape) == (SAMPLE_RATE, (FRAMES * release.frame_size,))
    ours = read_audio(rebuilt, SAMPLE_RATE)
    assert ours.shape == (SAMPLES,), "ours keeps the true length, the official package whole frames"
    agreement = compare_audio(ours[np.newaxis], theirs[np.newaxis, :SAMPLES], frame_size=release.frame_size)
    assert agreement.largest < 1e-4 + HALF_STEP


def test_codec_decode_reads_the_codes_that_users_of_the_official_package_save(
    official: Any, releases: Any, speech: Any, tmp_path: Path
) -> None:
    release = releases.get("small")
    wave = speech[: 5 * release.frame_size]
    codes = torch.from_numpy(official.ask(release, "tokenizer_encode", {"speech": wave})["speech"])
    theirs = official.ask(release, "decode", {"codes": codes.T[np.newaxis].numpy()})["pcm"]
    # As a batch with a longer recording leaves it: filled up with -1.
    torch.save({"audio_codes": torch.nn.functional.pad(codes, (0, 0, 0, 3), value=-1)}, tmp_path / "speech.pt")

    arguments = ["decode", str(tmp_path / "speech.pt"), "-o", str(tmp_path / "rebuilt.wav"), "--codec", "qwen3-12hz"]
    assert codec([*arguments, "--model", str(release.folder), "--device", "cpu"]) == 0
    ours = read_audio(tmp_path / "rebuilt.wav", SAMPLE_RATE)
    assert compare_audio(ours[np.newaxis], theirs, frame_size=release.frame_size).largest < 1e-4 + HALF_STEP

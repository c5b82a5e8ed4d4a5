"""Token files of torch: ours, the official package's, and those that must be refused."""

from __future__ import annotations

import pickle
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from codec.errors import CodecError, CodesError, TokenFileError
from codec.formats.pt import PtWriter, open_pt
from codec.formats.recordings import open_tokens, recordings_of
from codec.spec import CodecSpec


class _Malicious:
    """Pickled as a call of a function."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit('the code in the file ran')",)


def test_a_file_is_what_the_official_package_takes(tmp_path: Path, write_file: Any) -> None:
    codes = write_file(tmp_path / "a.pt", "pt")
    document = torch.load(tmp_path / "a.pt", weights_only=True)
    assert document["audio_codes"].dtype == torch.int64
    assert document["audio_codes"].shape == (30, 16)
    np.testing.assert_array_equal(document["audio_codes"].numpy(), codes.T)
    assert (document["num_samples"], document["codec"]["name"], document["format"]) == (30 * 1280 - 485, "made-up", 1)


@pytest.mark.parametrize("wrap", [lambda codes: {"audio_codes": codes}, lambda codes: codes])
def test_codes_without_a_word_about_the_codec_are_read(tmp_path: Path, wrap: Any) -> None:
    codes = torch.randint(0, 2048, (40, 16))
    torch.save(wrap(codes), tmp_path / "a.pt")
    with open_tokens(tmp_path / "a.pt") as tokens:
        assert (tokens.spec, tokens.num_samples, tokens.layers, tokens.num_frames) == (None, None, 16, 40)
        np.testing.assert_array_equal(np.concatenate(list(tokens), axis=1), codes.numpy().T)


@pytest.mark.parametrize("form", ["padded", "list", "dictionaries"])
def test_a_batch_is_as_many_recordings_without_its_padding(tmp_path: Path, form: str) -> None:
    codes = [torch.randint(0, 2048, (frames, 16)) for frames in (9, 30)]
    padded = torch.full((2, 30, 16), -1)
    for row, part in zip(padded, codes, strict=True):
        row[: len(part)] = part
    forms: dict[str, object] = {
        "padded": {"audio_codes": padded},
        "list": {"audio_codes": codes},
        "dictionaries": [{"audio_codes": part} for part in codes],
    }
    torch.save(forms[form], tmp_path / "a.pt")
    found = list(recordings_of(tmp_path / "a.pt"))
    assert [recording.name for recording in found] == ["0000", "0001"]
    for recording, part in zip(found, codes, strict=True):
        with recording.open() as tokens:
            np.testing.assert_array_equal(np.concatenate(list(tokens), axis=1), part.numpy().T)
    with pytest.raises(TokenFileError, match="a collection of recordings"):
        open_tokens(tmp_path / "a.pt")


def test_code_in_a_pickle_is_refused_and_does_not_run(tmp_path: Path) -> None:
    torch.save({"audio_codes": _Malicious()}, tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes(pickle.dumps(_Malicious()))
    for name in ("a.pt", "b.pt"):
        with pytest.raises(TokenFileError, match=r"is refused: .* may run code") as caught:
            open_pt(tmp_path / name)
        assert caught.value.exit_code == 66


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        (torch.zeros(5, 16), "codes are integers, not float32"),
        (torch.zeros(5, 16, dtype=torch.bool), "codes are integers, not bool"),
        (torch.zeros(5, dtype=torch.int64), r"are \[frames, layers\], not \[5\]"),
        (torch.zeros(0, 16, dtype=torch.int64), "holds no frames"),
        (torch.full((5, 16), -1), "holds no frames"),
        ("text", "not str"),
        ([], "not list"),
        (torch.zeros(1, 16, dtype=torch.int64).expand(2**40, 16), "not a plain tensor"),
        (torch.zeros(2, 16, dtype=torch.int64).to_sparse(), "not a plain tensor"),
    ],
)
@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
def test_codes_that_are_none_are_refused(tmp_path: Path, codes: Any, words: str) -> None:
    torch.save({"audio_codes": codes}, tmp_path / "a.pt")
    with pytest.raises(CodesError, match=words) as caught:
        open_pt(tmp_path / "a.pt")
    assert caught.value.exit_code == 76


@pytest.mark.parametrize(
    ("frame", "layer", "value", "words"),
    [(1, 5, -1, "missing layer"), (1, 0, 2048, "between 0 and 2047, not 2048"), (2, 3, -2, "not -2")],
)
def test_codes_outside_the_codec_are_refused(
    tmp_path: Path, spec: CodecSpec, frame: int, layer: int, value: int, words: str
) -> None:
    codes = torch.zeros(4, 16, dtype=torch.int64)
    codes[frame, layer] = value
    torch.save({"audio_codes": codes, "codec": spec.to_dict()}, tmp_path / "a.pt")
    with pytest.raises(CodesError, match=words):
        open_pt(tmp_path / "a.pt")


def test_what_is_no_token_file_is_told(tmp_path: Path, spec: CodecSpec) -> None:
    codes = torch.zeros(4, 16, dtype=torch.int64)
    path = tmp_path / "a.pt"
    for document, words in (
        ({"weights": codes}, "holds no 'audio_codes'"),
        ({"audio_codes": codes, "codec": {"name": "x"}}, "description of the codec is unreadable"),
        ({"audio_codes": codes, "codec": spec.to_dict(), "num_samples": 10**6}, "cut short: it holds 4 of 782"),
        ({"audio_codes": codes, "num_samples": -1}, "no number of samples"),
        ({"audio_codes": codes, "num_samples": True}, "no number of samples"),
    ):
        torch.save(document, path)
        with pytest.raises(TokenFileError, match=words):
            open_pt(path)
    with pytest.raises(TokenFileError, match="File not found"):
        open_pt(tmp_path / "none.pt")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(2**20))
    with pytest.raises(TokenFileError, match="damaged"):
        open_pt(path)


def test_files_of_the_format_before_zip_are_read(tmp_path: Path) -> None:
    codes = torch.arange(32).reshape(8, 4)
    torch.save({"audio_codes": codes}, tmp_path / "a.pt", _use_new_zipfile_serialization=False)
    (source,) = open_pt(tmp_path / "a.pt")
    assert (source.num_frames, source.layers) == (8, 4)


def test_a_length_that_a_pickle_claims_costs_no_memory(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"\x80\x02X\xff\xff\xff\x7fabc")
    tracemalloc.start()
    try:
        with pytest.raises(TokenFileError):
            open_pt(tmp_path / "a.pt")
        assert tracemalloc.get_traced_memory()[1] < 2e6
    finally:
        tracemalloc.stop()


def test_every_truncation_is_noticed(tmp_path: Path, write_file: Any) -> None:
    write_file(tmp_path / "a.pt", "pt", frames=8)
    data = (tmp_path / "a.pt").read_bytes()
    cut = tmp_path / "cut.pt"
    for length in range(0, len(data), 97):
        cut.write_bytes(data[:length])
        with pytest.raises((TokenFileError, CodesError)):
            open_pt(cut)


def test_without_torch_the_sentence_names_what_helps(
    tmp_path: Path, spec: CodecSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr("codec.formats.pt.importlib.import_module", refuse)
    with pytest.raises(CodecError, match=r"needs torch: pip install 'voxwire\[torch\]', or use a .vwt or .npz file"):
        PtWriter(tmp_path / "a.pt", spec)
    with pytest.raises(CodecError, match="needs torch"):
        open_pt(tmp_path / "a.pt")

"""Token files of torch (.pt): a dictionary with `audio_codes`, an int64 tensor [T, K], as the official package of
Qwen3-TTS-Tokenizer reads it; ours also have `num_samples`, `codec` (the fields of the CodecSpec) and `format`.

Read with `weights_only=True` and nothing else: a pickle may run any program, and a file with one in it is refused.
Torch is imported when the first such file is met.
"""

from __future__ import annotations

import importlib
import io
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from codec.errors import CodecError, CodesError, SpecError, TokenFileError
from codec.formats.arrays import ArraySource, ArrayWriter, check_size, check_unpacked_size
from codec.spec import CodecSpec

FORMAT = 1
CODES = "audio_codes"


class PtWriter(ArrayWriter):
    """Writes a .pt file of one recording."""

    def __init__(self, path: Path | str, spec: CodecSpec, *, layers: int | None = None) -> None:
        super().__init__(path, spec, layers=layers)
        self._torch = _torch()  # its absence is said before anything is encoded

    def _serialise(self, codes: NDArray[np.uint16], num_samples: int) -> memoryview:
        document = {
            CODES: self._torch.from_numpy(codes.astype(np.int64)),
            "num_samples": num_samples,
            "codec": self.spec.to_dict(),
            "format": FORMAT,
        }
        buffer = io.BytesIO()
        self._torch.save(document, buffer)
        return buffer.getbuffer()


def open_pt(path: Path) -> list[ArraySource]:
    """The recordings of a .pt file: ours has one, a batch of the official package as many as it has rows.

    `audio_codes` may be a tensor [T, K] or [B, T, K], padded with -1 at the end, or a list of tensors [T, K]; a bare
    tensor or list is taken too, and a list of such dictionaries. Raises TokenFileError, CodesError.
    """
    document = _load(path)
    spec: CodecSpec | None = None
    num_samples: object = None
    if isinstance(document, dict):
        if CODES not in document:
            raise TokenFileError(
                f"{path} holds no {CODES!r} — a token file of torch is {{'audio_codes': tensor [T, K]}}"
            )
        if "codec" in document:
            spec = _read_spec(document["codec"], path)
        num_samples = document.get("num_samples")
        document = document[CODES]
    elif isinstance(document, list) and all(isinstance(part, dict) and CODES in part for part in document):
        document = [part[CODES] for part in document]
    arrays = _arrays(document, path)
    if len(arrays) > 1:
        num_samples = None
    return [ArraySource(path, codes, spec=spec, num_samples=num_samples) for codes in arrays]


def _torch() -> Any:
    try:
        # By name: nothing outside codec.models imports torch, and an edge device never meets a .pt file.
        return importlib.import_module("torch")
    except ModuleNotFoundError as error:
        raise CodecError(
            "A .pt file needs torch: pip install 'voxwire[torch]', or use a .vwt or .npz file, which does not"
        ) from error


def _load(path: Path) -> Any:
    torch = _torch()
    try:
        with path.open("rb") as file:
            if zipfile.is_zipfile(file):
                with zipfile.ZipFile(file) as archive:
                    check_unpacked_size(archive, path)
                content: IO[bytes] = file
            else:
                # The format before ZIP: torch reads what a length in it claims, and from a file Python reserves all of
                # that first. In memory it is no more than there is.
                check_size(path.stat().st_size, path)
                file.seek(0)
                content = io.BytesIO(file.read())
            content.seek(0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what it makes of an odd file: we say it ourselves
                return torch.load(content, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise TokenFileError(f"File not found at {path}") from error
    except pickle.UnpicklingError as error:
        raise TokenFileError(
            f"{path} is refused: it is damaged, or holds Python objects other than tensors, numbers and texts, which "
            "may run code when they are read — save {'audio_codes': tensor} with torch.save"
        ) from error
    except OSError as error:
        raise TokenFileError(f"Cannot read {path}: {error.strerror or error}") from error
    except CodecError:
        raise
    except Exception as error:  # torch's reader raises what it meets; a damaged file may look like anything
        raise TokenFileError(f"{path} is damaged or no file of torch: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _read_spec(values: object, path: Path) -> CodecSpec:
    try:
        return CodecSpec.from_dict(values)  # type: ignore[arg-type]  # it says itself what it cannot read
    except SpecError as error:
        raise TokenFileError(f"{path} is damaged: its description of the codec is unreadable ({error})") from error


def _arrays(document: Any, path: Path) -> list[NDArray[Any]]:
    torch = _torch()
    if isinstance(document, torch.Tensor):
        codes = _to_numpy(document, path)
        return [codes] if codes.ndim != 3 else list(codes)
    if isinstance(document, list | tuple) and document and all(isinstance(part, torch.Tensor) for part in document):
        return [_to_numpy(part, path) for part in document]
    raise CodesError(f"{path}: {CODES} is a tensor [T, K] or a list of them, not {type(document).__name__}")


def _to_numpy(tensor: Any, path: Path) -> NDArray[Any]:
    # A view may claim to be larger than what it looks at: eight bytes would become terabytes.
    if tensor.layout != _torch().strided or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise CodesError(f"{path}: {CODES} is not a plain tensor")
    if tensor.is_floating_point() or tensor.is_complex():
        raise CodesError(f"{path}: codes are integers, not {str(tensor.dtype).removeprefix('torch.')}")
    result: NDArray[Any] = tensor.detach().numpy()
    return result

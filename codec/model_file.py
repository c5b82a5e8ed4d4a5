"""One half of a codec as an ONNX file: opened, checked against our contract, and asked who really runs it."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import onnxruntime as ort

from codec.denormals import denormals_flushed
from codec.errors import DeviceError, ModelError, ModelMissingError, SpecError
from codec.external_data import data_file_of
from codec.recorded_hash import check_recorded_hash
from codec.spec import CodecSpec

logger = logging.getLogger(__name__)

Half = Literal["encoder", "decoder"]
Provider = Literal["auto", "cpu", "cuda"]
"""What may be asked for; `auto` is CUDA where ONNX Runtime can use it, else the CPU."""
ActiveProvider = Literal["cpu", "cuda"]
"""What can really run a model."""

FORMAT_VERSION = "1"
"""Value of the metadata key `voxwire.format` that this reader understands."""

DATA_INPUT: dict[Half, tuple[str, str]] = {"encoder": ("pcm", "tensor(float)"), "decoder": ("codes", "tensor(int64)")}
DATA_OUTPUT: dict[Half, tuple[str, str]] = {"encoder": ("codes", "tensor(int64)"), "decoder": ("pcm", "tensor(float)")}
"""Name and type of what goes in and comes out, by half; beside it `active` and `reset`, bool [B], and the states."""

NEW_STATE_PREFIX = "new_"
"""State `x` goes in as `x` and comes out as `new_x`."""

MAX_STATE_ELEMENTS = 2**26
"""Of one state of one stream: far more than any codec keeps, and no more than a device has memory for."""

_TENSOR_TYPES = {
    "float64": "tensor(double)",
    "float32": "tensor(float)",
    "float16": "tensor(float16)",
    "int64": "tensor(int64)",
    "bool": "tensor(bool)",
}
_EXECUTION_PROVIDERS: dict[ActiveProvider, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_CUDA_OPTIONS = {"use_tf32": "0"}
"""ONNX Runtime's default is TF32, ten bits of mantissa: an encoder then chooses other codes."""
_ERROR_LEVEL = 3
"""ONNX Runtime's severity 3: its warnings about nodes kept on the CPU are not for users."""


@dataclass(frozen=True, slots=True)
class StateSpec:
    """One state tensor: its shape is [B, *shape], zeros at the start."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """A loaded and checked file. Immutable; sessions of `codec.onnx` hold the state.

    `spec.weights_sha256` names the weights, `file_sha256` this very file (and with it, where the weights lie in a file
    beside it, that one too: see `codec.external_data`). `active_provider` is what ONNX Runtime says
    it runs on: what was asked for, unless that was `auto`. `fixed_frames` and `fixed_batch` are None where the graph
    leaves them open, as it should.
    """

    path: Path
    half: Half
    spec: CodecSpec
    precision: str
    opset: str
    states: tuple[StateSpec, ...]
    extra_outputs: tuple[str, ...]
    fixed_frames: int | None
    fixed_batch: int | None
    file_sha256: str
    threads: int
    requested_provider: Provider
    active_provider: ActiveProvider
    runtime: ort.InferenceSession

    @classmethod
    def load(cls, path: Path | str, *, provider: Provider = "cpu", threads: int = 1) -> OnnxModel:
        """Open `path`. `provider` auto takes CUDA where ONNX Runtime can use it, else the CPU: the log says which.

        Raises ModelMissingError where there is no file or none with its weights beside it, ModelError for one that is
        damaged, not made by our export, or not the one its report is of (`codec.recorded_hash`), DeviceError where CUDA
        is asked for and cannot be used.
        """
        path = Path(path)
        if provider not in get_args(Provider):
            raise ModelError(f"Unknown execution provider {provider!r} — expected auto, cpu or cuda")
        if threads < 1:
            raise ModelError(f"A model runs on at least one thread, not {threads}")
        if provider == "cuda" and _EXECUTION_PROVIDERS["cuda"] not in ort.get_available_providers():
            raise DeviceError(
                "CUDA was asked for, and the ONNX Runtime that is installed is built without it: "
                "pip uninstall onnxruntime, then pip install 'voxwire[cuda]', or take the CPU"
            )
        file_sha256 = _hash_file(path)
        check_recorded_hash(path, file_sha256)
        data = data_file_of(path)
        if data is not None:
            data.check(path)
        runtime = _open_runtime(path, provider, threads)
        try:
            description = _Description.of(runtime)
        except (SpecError, _ContractError) as error:
            raise ModelError(f"{path} is not a Voxwire codec model: {error}") from error
        active: ActiveProvider = "cuda" if _EXECUTION_PROVIDERS["cuda"] in runtime.get_providers() else "cpu"
        if provider == "cuda" and active != "cuda":
            raise DeviceError(
                "CUDA was asked for, but ONNX Runtime cannot use it here: see that nvidia-smi shows the GPU and that "
                "the CUDA and cuDNN libraries are those its version wants, or take the CPU"
            )
        if provider == "auto":
            logger.info("%s runs on %s", path.name, active)
        return cls(
            path=path,
            half=description.half,
            spec=description.spec,
            precision=description.precision,
            opset=description.opset,
            states=description.states,
            extra_outputs=description.extra_outputs,
            fixed_frames=description.fixed_frames,
            fixed_batch=description.fixed_batch,
            file_sha256=file_sha256,
            threads=threads,
            requested_provider=provider,
            active_provider=active,
            runtime=runtime,
        )


def _hash_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise ModelMissingError(f"File not found at {path}") from error
    except OSError as error:
        raise ModelMissingError(f"Cannot read the model {path}: {error.strerror or error}") from error


def _open_runtime(path: Path, provider: Provider, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _ERROR_LEVEL
    # Spinning burns a core between two frames 80 ms apart.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    providers: list[str | tuple[str, dict[str, str]]] = [_EXECUTION_PROVIDERS["cpu"]]
    # Asking for a provider the build lacks prints a Python warning of its own.
    if provider != "cpu" and _EXECUTION_PROVIDERS["cuda"] in ort.get_available_providers():
        providers.insert(0, (_EXECUTION_PROVIDERS["cuda"], _CUDA_OPTIONS))
    try:
        # Inside the guard, since making the first session of a process changes the float mode of this thread for good.
        with denormals_flushed():
            return ort.InferenceSession(path, sess_options=options, providers=providers)
    except Exception as error:  # ONNX Runtime's exceptions have no common base below Exception
        raise ModelError(f"{path} is not a readable ONNX model (cut short?): {_reason(error)}") from error


class _ContractError(Exception):
    """What in the file is not as our export makes it."""


@dataclass(frozen=True, slots=True)
class _Description:
    """What metadata and signature say, found to agree."""

    half: Half
    spec: CodecSpec
    precision: str
    opset: str
    states: tuple[StateSpec, ...]
    extra_outputs: tuple[str, ...]
    fixed_frames: int | None
    fixed_batch: int | None

    @classmethod
    def of(cls, runtime: ort.InferenceSession) -> _Description:
        try:
            metadata: dict[str, str] = runtime.get_modelmeta().custom_metadata_map
            inputs = {argument.name: argument for argument in runtime.get_inputs()}
            outputs = {argument.name: argument for argument in runtime.get_outputs()}
        except UnicodeDecodeError as error:  # ONNX Runtime runs names of any bytes, and only Python trips over them
            raise _ContractError("its metadata or names are no text in UTF-8") from error
        version = _entry(metadata, "format")
        if version != FORMAT_VERSION:
            raise _ContractError(f"its format is {version[:16]!r}, this version reads {FORMAT_VERSION!r}")
        half_text = _entry(metadata, "half")
        if half_text not in ("encoder", "decoder"):
            raise _ContractError(f"its half is {half_text[:16]!r}, expected encoder or decoder")
        half: Half = "encoder" if half_text == "encoder" else "decoder"
        described = _json_entry(metadata, "codec")
        if not isinstance(described, dict):
            raise _ContractError("its codec description is not a JSON object")
        spec = CodecSpec.from_dict(described)
        states = _parse_states(_json_entry(metadata, "states"))
        expected_inputs = dict([DATA_INPUT[half]]) | {"active": "tensor(bool)", "reset": "tensor(bool)"}
        expected_outputs = dict([DATA_OUTPUT[half]])
        for state in states:
            expected_inputs[state.name] = _TENSOR_TYPES[state.dtype]
            expected_outputs[NEW_STATE_PREFIX + state.name] = _TENSOR_TYPES[state.dtype]
        _check_arguments("input", inputs, expected_inputs)
        _check_arguments("output", outputs, expected_outputs)
        for state in states:
            _check_shape(inputs[state.name], state.shape)
        layers = (inputs if half == "decoder" else outputs)["codes"].shape[1]
        if isinstance(layers, int) and layers != spec.num_layers:
            raise _ContractError(f"its graph has {layers} layers of codes, its description {spec.num_layers}")
        unknown = sorted(set(inputs) - set(expected_inputs))
        if unknown:
            raise _ContractError(f"it wants inputs its metadata does not name: {', '.join(unknown)}")
        data_shape = inputs[DATA_INPUT[half][0]].shape
        samples_or_frames = data_shape[-1]
        fixed_frames: int | None = None
        if isinstance(samples_or_frames, int):
            fixed_frames = samples_or_frames // (spec.frame_size if half == "encoder" else 1)
        return cls(
            half=half,
            spec=spec,
            precision=_entry(metadata, "precision"),
            opset=_entry(metadata, "opset"),
            states=states,
            extra_outputs=tuple(name for name in outputs if name not in expected_outputs),
            fixed_frames=fixed_frames,
            fixed_batch=data_shape[0] if isinstance(data_shape[0], int) else None,
        )


def _entry(metadata: dict[str, str], key: str) -> str:
    try:
        return metadata["voxwire." + key]
    except KeyError:
        raise _ContractError(f"it lacks the metadata voxwire.{key}") from None


def _json_entry(metadata: dict[str, str], key: str) -> object:
    text = _entry(metadata, key)
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _ContractError(f"its metadata voxwire.{key} is not JSON") from error
    return value


def _parse_states(described: object) -> tuple[StateSpec, ...]:
    if not isinstance(described, list):
        raise _ContractError("its list of states is not a JSON list")
    states = []
    for item in described:
        if not isinstance(item, dict):
            raise _ContractError("a state in its metadata is not a JSON object")
        name, shape, dtype = item.get("name"), item.get("shape"), item.get("dtype")
        if not isinstance(name, str) or not isinstance(dtype, str) or dtype not in _TENSOR_TYPES:
            raise _ContractError(f"a state needs a name and one of the dtypes {', '.join(_TENSOR_TYPES)}")
        if not isinstance(shape, list) or any(type(length) is not int or length < 0 for length in shape):
            raise _ContractError(f"the state {name} needs a shape of fixed lengths")
        if math.prod(shape) > MAX_STATE_ELEMENTS:
            raise _ContractError(f"the state {name} has more than {MAX_STATE_ELEMENTS} elements")
        states.append(StateSpec(name=name, shape=tuple(shape), dtype=dtype))
    return tuple(states)


def _check_arguments(kind: str, found: dict[str, ort.NodeArg], expected: dict[str, str]) -> None:
    for name, tensor_type in expected.items():
        if name not in found:
            raise _ContractError(f"it has no {kind} named {name}")
        if found[name].type != tensor_type:
            raise _ContractError(f"its {kind} {name} is {found[name].type}, expected {tensor_type}")


def _check_shape(found: ort.NodeArg, expected: tuple[int, ...]) -> None:
    lengths = tuple(found.shape[1:])
    if len(lengths) != len(expected) or any(
        isinstance(length, int) and length != wanted for length, wanted in zip(lengths, expected, strict=True)
    ):
        raise _ContractError(f"its state {found.name} is [B, *{list(lengths)}], its metadata says {list(expected)}")


def _reason(error: Exception) -> str:
    """ONNX Runtime's own words, without its codes and the path that we name already; one line."""
    text = " ".join(str(error).rsplit(" failed:", 1)[-1].split())
    return text[:200] if text else type(error).__name__

"""The `codec` command: files in, tokens out, and back."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from codec.audio.reader import read_audio
from codec.compare import compare_files
from codec.convert import decode_file, encode_file
from codec.errors import CodecError, ModelMissingError
from codec.load import KNOWN_CODECS, load_decoder, load_encoder, load_onnx_encoder
from codec.model_file import OnnxModel
from codec.packaged import PACKAGED_VERSIONS
from codec.settings import CodecSettings, load_settings
from codec.tokens import MAGIC, TokenReader

Report = dict[str, object]

EXIT_INTERRUPTED = 130
BENCH_FRAMES = 250

_EXAMPLES = """examples:
  codec encode speech.flac -o speech.vwt
  codec decode speech.vwt -o rebuilt.wav --layers 8
  codec compare speech.flac rebuilt.wav
  codec info speech.vwt
  codec bench --json
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 1, 2 usage, 66 no input, 76 codec mismatch, 78 configuration."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=arguments.log_level.upper(), format="%(levelname)s %(message)s")
    try:
        report = arguments.run(arguments)
        _print_report(report, as_json=arguments.json)
        sys.stdout.flush()
    except CodecError as error:
        print(f"codec: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; without this the interpreter complains once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


def _encode(arguments: argparse.Namespace) -> Report:
    settings = _settings(arguments)
    encoder = load_encoder(
        settings.codec or _default_codec(settings),
        model=settings.model,
        provider=settings.provider,
        engine=settings.engine,
        threads=settings.threads,
    )
    done = encode_file(arguments.file, arguments.output, encoder, layers=arguments.layers)
    rate_kbps = 8 * done.bytes_written / done.seconds / 1000 if done.seconds else 0.0
    return {"codec": encoder.spec.name, **asdict(done), "file_kbps": round(rate_kbps, 3)}


def _decode(arguments: argparse.Namespace) -> Report:
    settings = _settings(arguments)
    with TokenReader(arguments.file) as tokens:
        name = tokens.spec.name
    decoder = load_decoder(
        settings.codec or (name if settings.model is None else None),
        model=settings.model,
        provider=settings.provider,
        threads=settings.threads,
    )
    done = decode_file(arguments.file, arguments.output, decoder, layers=arguments.layers)
    return {"codec": name, "provider": decoder.active_provider, **asdict(done)}


def _compare(arguments: argparse.Namespace) -> Report:
    return asdict(compare_files(arguments.reference, arguments.degraded))


def _info(arguments: argparse.Namespace) -> Report:
    path: Path = arguments.file
    if not path.exists() and str(path) in (*KNOWN_CODECS, *PACKAGED_VERSIONS.values()):
        halves = (load_onnx_encoder(str(path)).model, load_decoder(str(path)).model)
        return {model.half: _describe_model(model) for model in halves}
    if path.is_dir():
        models = [OnnxModel.load(half) for half in sorted(path.glob("*.onnx"))]
        if not models:
            raise ModelMissingError(f"There is no .onnx file in {path}")
        return {model.path.name: _describe_model(model) for model in models}
    if path.is_file() and _starts_with(path, MAGIC):
        return _describe_tokens(path)
    return _describe_model(OnnxModel.load(path))


def _bench(arguments: argparse.Namespace) -> Report:
    from codec.bench import bench_codec

    settings = _settings(arguments)
    codec = settings.codec or _default_codec(settings)
    encoder = load_onnx_encoder(codec, model=settings.model, provider=settings.provider, threads=settings.threads)
    decoder = load_decoder(codec, model=settings.model, provider=settings.provider, threads=settings.threads)
    sound = None if arguments.audio is None else read_audio(arguments.audio, encoder.spec.sample_rate)
    return dict(bench_codec(encoder, decoder, frames=arguments.frames, sound=sound))


def _describe_model(model: OnnxModel) -> Report:
    return {
        "file": str(model.path),
        "half": model.half,
        **_describe_spec(model.spec.to_dict(), model.spec.frame_rate, model.spec.bit_rate),
        "precision": model.precision,
        "opset": model.opset,
        "states": len(model.states),
        "file_bytes": model.path.stat().st_size,
        "file_sha256": model.file_sha256,
    }


def _describe_tokens(path: Path) -> Report:
    with TokenReader(path) as tokens:
        return {
            "file": str(path),
            **_describe_spec(tokens.spec.to_dict(), tokens.spec.frame_rate, tokens.spec.bit_rate),
            "layers": tokens.layers,
            "frames": tokens.num_frames,
            "seconds": round(tokens.duration_s, 3),
            "finished": tokens.num_samples is not None,
            "file_bytes": path.stat().st_size,
        }


def _describe_spec(spec: dict[str, str | int], frame_rate: float, bit_rate: float) -> Report:
    return {"codec": spec.pop("name"), **spec, "frame_rate": frame_rate, "bit_rate": bit_rate}


def _starts_with(path: Path, magic: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError:
        return False  # the loader says why


def _settings(arguments: argparse.Namespace) -> CodecSettings:
    names = ("codec", "model", "provider", "engine", "threads")
    return load_settings(arguments.config, os.environ, {name: getattr(arguments, name, None) for name in names})


def _default_codec(settings: CodecSettings) -> str | None:
    """nano, unless a model is named: then whatever that holds."""
    return "nano" if settings.model is None else None


def _print_report(report: Report, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(report))
        return
    for name, value in report.items():
        if isinstance(value, dict):
            print(f"{name}:")
            for key, inner in value.items():
                print(f"  {key + ':':<22} {_text(inner)}")
        else:
            print(f"{name + ':':<22} {_text(value)}")


def _text(value: object) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="codec", description=__doc__, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"codec {_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="encode|decode|compare|info|bench")

    def add(name: str, run: Callable[[argparse.Namespace], Report], text: str, example: str) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name,
            help=text,
            description=text,
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_argument("--json", action="store_true", help="print one JSON object")
        command.add_argument(
            "--log-level", default="warning", choices=("debug", "info", "warning", "error"), help="default: warning"
        )
        command.set_defaults(run=run)
        return command

    encode = add("encode", _encode, "audio file to token file", "codec encode speech.flac -o speech.vwt")
    encode.add_argument("file", type=Path, help="WAV, FLAC, OGG, MP3 or M4A")
    encode.add_argument("-o", "--output", type=Path, required=True, help="token file (.vwt)")
    encode.add_argument("--layers", type=int, help="keep the first K layers only; default: all")
    encode.add_argument("--engine", choices=("onnx", "torch"), help="default: onnx")
    _add_model_arguments(encode)

    decode = add("decode", _decode, "token file to WAV", "codec decode speech.vwt -o rebuilt.wav --layers 8")
    decode.add_argument("file", type=Path, help="token file (.vwt)")
    decode.add_argument("-o", "--output", type=Path, required=True, help="WAV file, 16-bit PCM")
    decode.add_argument("--layers", type=int, help="use the first K layers only; default: all")
    _add_model_arguments(decode)

    compare = add("compare", _compare, "how far two audio files are apart", "codec compare speech.flac rebuilt.wav")
    compare.add_argument("reference", type=Path)
    compare.add_argument("degraded", type=Path)

    info = add("info", _info, "what a model, a codec or a token file is", "codec info nano")
    info.add_argument("file", type=Path, help="an .onnx file, a folder of them, a token file, or a codec's name")

    bench = add("bench", _bench, "speed of one-frame steps on this machine", "codec bench --json")
    bench.add_argument("--frames", type=_positive, default=BENCH_FRAMES, help=f"steps to run; default: {BENCH_FRAMES}")
    bench.add_argument("--audio", type=Path, help="sound to encode; default: noise that swells like speech")
    _add_model_arguments(bench)
    return parser


def _add_model_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--codec", help="nano or qwen3-12hz; default: nano, or what the input was made by")
    command.add_argument("--model", type=Path, help="ONNX file, or folder with encoder.onnx and decoder.onnx")
    command.add_argument("--provider", choices=("cpu", "cuda"), help="default: cpu")
    command.add_argument("--threads", type=_positive, help="default: 1")
    command.add_argument("--config", type=Path, help="TOML file with a [codec] section")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, not {value}")
    return value


def _version() -> str:
    try:
        return version("voxwire")
    except PackageNotFoundError:
        return "(not installed)"

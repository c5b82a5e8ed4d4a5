"""`codec-export tables`: entropy tables from token files."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from codec.errors import CodecError
from codec.progress import Progress
from export.entropy.corpora import read_corpora
from export.entropy.learning import LayerLearner, LearnedLayer
from export.errors import ExportError
from protocol.entropy import TABLES_NAME, EntropyTables, encode_tables, fingerprint

EXAMPLE = """example:
  codec encode english/ -o tokens/english
  codec encode german/ -o tokens/german
  codec-export tables tokens/english tokens/german -o exported
  gateway run --source speech.wav --stream lobby --model exported --entropy on"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="codec-export tables",
        description="Learn which codes of a codec follow which, for gateways and players that entropy-code packets.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "tokens",
        nargs="+",
        type=Path,
        help="token files or folders of them, each a corpus of its own: a table has to pay on one it was not learned "
        "from. A single one is cut into three",
    )
    parser.add_argument("-o", "--out", type=Path, required=True, help=f"folder of the decoder, for {TABLES_NAME}")
    parser.add_argument("--json", action="store_true", help="print what was chosen as JSON")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Learn; returns the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        for path in arguments.tokens:
            if not path.exists():
                raise ExportError(f"File not found at {path}")
        layers, tables = learn_tables(arguments.tokens)
        data = encode_tables(tables)
        try:
            arguments.out.mkdir(parents=True, exist_ok=True)
            (arguments.out / TABLES_NAME).write_bytes(data)
        except OSError as error:
            raise ExportError(f"Cannot write to {arguments.out}: {error.strerror or error}") from error
    except (CodecError, ExportError) as error:
        print(f"codec-export: {error}", file=sys.stderr)
        return error.exit_code
    report = _report(layers, data)
    print(json.dumps(report, indent=1) if arguments.json else _describe(layers, report))
    return 0


def learn_tables(paths: Sequence[Path]) -> tuple[list[LearnedLayer], EntropyTables]:
    """The layers' tables with what they cost, and all of them as one. Raises ExportError, CodecError."""
    spec, corpora = read_corpora(paths)
    trials = spec.num_layers * (spec.num_layers + 1) // 2
    layers: list[LearnedLayer] = []
    done = 0
    with Progress("learning", trials, unit="trials") as progress:

        def tried() -> None:
            nonlocal done
            done += 1
            progress.update(done)

        for layer in range(spec.num_layers):
            layers.append(LayerLearner(corpora, layer, spec.codebook_size).learn(tried))
    learned = tuple(layer.table for layer in layers)
    return layers, EntropyTables(spec.codebook_size, spec.weights_sha256, learned)


def _report(layers: Sequence[LearnedLayer], data: bytes) -> dict[str, object]:
    return {
        "fingerprint": fingerprint(data),
        "bytes": len(data),
        "plain_bits_per_frame": sum(layer.plain_bits for layer in layers),
        "held_out_bits_per_frame": round(sum(layer.held_out_bits for layer in layers), 3),
        "layers": [
            {
                "layer": layer.layer,
                "parent": _parent(layer),
                "classes": layer.classes,
                "held_out_bits": round(layer.held_out_bits, 3),
            }
            for layer in layers
        ],
    }


def _parent(layer: LearnedLayer) -> str:
    parent = layer.table.parent
    if parent is None:
        return "none" if len(layer.table.rows) else "no table"
    return f"layer {parent.layer} of the {'frame before' if parent.frames_back else 'same frame'}"


def _describe(layers: Sequence[LearnedLayer], report: dict[str, object]) -> str:
    lines = [
        f"layer {layer.layer}: {layer.held_out_bits:.2f} of {layer.plain_bits:.0f} bits a code; parent: "
        f"{_parent(layer)}" + (f", {layer.classes} classes" if layer.classes else "")
        for layer in layers
    ]
    lines.append(
        f"{report['held_out_bits_per_frame']} of {report['plain_bits_per_frame']:.0f} bits a frame on speech that was "
        f"not learned from; tables {report['fingerprint']}, {report['bytes']} bytes"
    )
    return "\n".join(lines)

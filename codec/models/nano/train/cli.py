"""Command line of the training recipe."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from codec.errors import CodecError
from codec.models.nano.config import NanoConfig
from codec.models.nano.train.augmentation import Augmentation
from codec.models.nano.train.config import TrainConfig
from codec.models.nano.train.data import SpeechCorpus, read_index, split_by_speaker
from codec.models.nano.train.loop import Trainer

SHORTEST_SEGMENT_S = 0.5

EXAMPLE = """example:
  python -m codec.models.nano.train.pitch --data speech/train --out runs/pitch
  python -m codec.models.nano.train --data speech/train --out runs/nano --pitch runs/pitch/checkpoint --minutes 90
  python -m codec.models.nano.train --data speech/train --out runs/nano --minutes 240 --resume
on a GPU, from the released weights on:
  python -m codec.models.nano.train --data speech/train --out runs/nano --init codec/assets/nano-1 --minutes 30 \
      --device cuda --batch-size 64 --segment 1.92 --workers 15 --learning-rate 6e-4 --map-pace 0.03 --critics
then:
  codec-export decoder --codec nano --model runs/nano/checkpoint -o exported"""


def _parser() -> argparse.ArgumentParser:
    """All flags; the defaults are the recipe of the released weights."""
    parser = argparse.ArgumentParser(
        prog="python -m codec.models.nano.train",
        description="Train nano on a folder of speech with an index.jsonl.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with index.jsonl and its audio files")
    parser.add_argument("--out", type=Path, default=Path("runs/nano"), help="checkpoint and log (default: runs/nano)")
    parser.add_argument("--cache", type=Path, help="decoded audio (default: OUT/cache)")
    parser.add_argument("--pitch", type=Path, help="checkpoint of the pitch tracker (`train.pitch`); for a new run")
    parser.add_argument("--minutes", type=float, required=True, help="length of the whole schedule")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in OUT")
    parser.add_argument(
        "--init",
        type=Path,
        help="begin from trained weights: a folder with encoder.onnx and decoder.onnx, or a checkpoint",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--segment", type=float, default=1.28, help="seconds a sample (default: 1.28)")
    parser.add_argument("--workers", type=int, default=0, help="processes that make batches (default: none)")
    parser.add_argument("--learning-rate", type=float, default=7e-4)
    parser.add_argument(
        "--encoder-pace", type=float, default=0.25, help="its share of the rate, once quantised (default: 0.25)"
    )
    parser.add_argument(
        "--map-pace", type=float, default=0.0, help="the same for the maps before the codebooks (default: 0)"
    )
    parser.add_argument("--critics", action="store_true", help="learn from critics in the end: for a GPU")
    parser.add_argument("--checkpoint-minutes", type=float, default=5.0, help="between checkpoints (default: 5)")
    parser.add_argument("--validation-minutes", type=float, default=10.0, help="between validations (default: 10)")
    parser.add_argument("--no-augmentation", action="store_true", help="vary nothing of the speech but its level")
    parser.add_argument("--autocast", action="store_true", help="bfloat16 (only where the hardware has it)")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default: 1)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Train; returns the exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.segment < SHORTEST_SEGMENT_S:
        parser.error(
            f"--segment is at least {SHORTEST_SEGMENT_S} s, what the envelope loss looks at; got {arguments.segment}"
        )
    if arguments.pitch is None and not arguments.resume and arguments.init is None:
        parser.error("a new run needs --pitch, the checkpoint that train.pitch left; or --resume, or --init")
    try:
        train(arguments)
    except CodecError as error:
        print(f"train: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


def train(arguments: argparse.Namespace) -> None:
    """Build the run that the flags describe, and run it."""
    torch.set_num_threads(arguments.threads)
    config = TrainConfig(
        data=arguments.data,
        out=arguments.out,
        pitch=arguments.pitch,
        minutes=arguments.minutes,
        device=arguments.device,
        seed=arguments.seed,
        batch_size=arguments.batch_size,
        segment_s=arguments.segment,
        augmentation=None if arguments.no_augmentation else Augmentation(),
        workers=arguments.workers,
        learning_rate=arguments.learning_rate,
        encoder_pace=arguments.encoder_pace,
        map_pace=arguments.map_pace,
        critics=arguments.critics,
        checkpoint_minutes=arguments.checkpoint_minutes,
        validation_minutes=arguments.validation_minutes,
        autocast=arguments.autocast,
    )
    config.out.mkdir(parents=True, exist_ok=True)
    progress = sys.stderr.isatty() and "NO_PROGRESS" not in os.environ
    rate = NanoConfig().sample_rate
    cache = arguments.cache or config.out / "cache"
    training, validation = (
        SpeechCorpus(config.data, clips, cache=cache, sample_rate=rate, progress=progress)
        for clips in split_by_speaker(read_index(config.data, rate), seed=config.seed)
    )
    trainer = Trainer(config, training, validation, progress=progress)
    if arguments.resume:
        trainer.resume()
    elif arguments.init:
        from codec.models.nano.weights import load_weights

        trainer.begin_from(load_weights(arguments.init))
    else:
        trainer.begin()
    trainer.run()

"""Token files, read whole: what tables are learned from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codec.formats.kinds import FORMATS
from codec.formats.recordings import recordings_of
from codec.spec import CodecSpec
from export.entropy.transitions import Corpus
from export.errors import ExportError

PARTS: Final = 3
"""Of a single corpus: what is chosen has to pay on recordings that it was not learned from."""


def read_corpora(paths: Sequence[Path]) -> tuple[CodecSpec, list[Corpus]]:
    """The codec and a corpus for each path, a token file or a folder of them; a single one is cut into three.

    Raises ExportError for a path without tokens and for tokens of two codecs or of fewer layers than the codec has;
    the codec's TokenFileError.
    """
    specs: dict[CodecSpec, Path] = {}
    corpora = [Corpus(path.name, tuple(_read(path, specs))) for path in paths]
    if len(corpora) == 1:
        only = corpora[0]
        corpora = [Corpus(f"{only.name} {part + 1}", only.recordings[part::PARTS]) for part in range(PARTS)]
    for corpus in corpora:
        if not corpus.frames:
            raise ExportError(f"{corpus.name} has no frames: expected token files, at least {PARTS} where it is alone")
    return next(iter(specs)), corpora


def _read(path: Path, specs: dict[CodecSpec, Path]) -> Iterable[NDArray[np.uint16]]:
    files = sorted(place for place in path.rglob("*") if place.suffix[1:] in FORMATS) if path.is_dir() else [path]
    if not files:
        raise ExportError(f"{path} has no token files: expected some made by `codec encode` ({', '.join(FORMATS)})")
    for file in files:
        for recording in recordings_of(file):
            with recording.open() as source:
                spec = source.spec
                if spec is None:
                    raise ExportError(f"{file} does not say of which codec its tokens are: make it by `codec encode`")
                specs.setdefault(spec, file)
                if len(specs) > 1:
                    first, second = specs.values()
                    raise ExportError(f"{first} and {second} are of different codecs or weights: expected one")
                if source.layers != spec.num_layers:
                    raise ExportError(f"{file} has {source.layers} layers, expected all {spec.num_layers}")
                chunks = list(source)
                if chunks:
                    yield np.concatenate(chunks, axis=1)

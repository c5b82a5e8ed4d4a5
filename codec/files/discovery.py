"""Which files a command line means: names, folders, patterns and addresses, and where each belongs below the output."""

from __future__ import annotations

import glob
import os
import urllib.parse
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from codec.audio.web.client import is_address
from codec.errors import TokenFileError

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac", ".oga", ".aiff", ".aif"})
"""What folders and patterns are searched for. A file named outright may end in anything: its content decides."""


@dataclass(frozen=True, slots=True)
class Found:
    """One input: a file, or an address (str), and its place below the folder of the outputs."""

    source: Path | str
    place: PurePosixPath


def is_one_file(words: Sequence[str]) -> bool:
    """Whether `words` name a single file or address outright, rather than a folder, a pattern or several."""
    if len(words) != 1:
        return False
    word = words[0]
    return is_address(word) or not (os.path.isdir(word) or _is_pattern(word))


def find_inputs(words: Sequence[str], suffixes: Iterable[str]) -> list[Found]:
    """Every input that `words` mean, in order and each once. Folders and patterns are searched for files that end in
    one of `suffixes`; hidden names and linked folders are left out.

    Folders keep their structure; with several words each folder keeps its own name too. A file named outright need not
    be there: whoever opens it says so. Raises TokenFileError (exit 66) where there is nothing at all.
    """
    endings = frozenset(suffixes)
    found: dict[str, Found] = {}
    files = [word for word in words if is_one_file([word]) and not is_address(word)]
    base = _common_folder(files)
    for word in words:
        for item in _expand(word, endings, base, alone=len(words) == 1):
            found.setdefault(str(item.source), item)
    if not found:
        kinds = "/".join(sorted(ending.removeprefix(".") for ending in endings))
        raise TokenFileError(f"Nothing to do in {', '.join(words)} — expected files that end in {kinds}")
    return list(found.values())


def output_places(places: Sequence[PurePosixPath], suffix: str, strip: Iterable[str]) -> list[PurePosixPath]:
    """Where each input's output goes: the ending is exchanged for `suffix` where it is one of `strip`, else `suffix` is
    added. Inputs that would meet in one output (talk.wav, talk.flac) all keep their whole names (talk.wav.vwt)."""
    endings = frozenset(strip)
    short = [
        place.with_suffix(suffix) if place.suffix.lower() in endings else place.with_name(place.name + suffix)
        for place in places
    ]
    taken = Counter(str(place).casefold() for place in short)  # some disks know no case
    return [
        place if taken[str(place).casefold()] == 1 else whole.with_name(whole.name + suffix)
        for place, whole in zip(short, places, strict=True)
    ]


def safe_place(name: str) -> PurePosixPath:
    """A recording's name as a place below a folder. Raises TokenFileError for one that leads out of it."""
    place = PurePosixPath(name)
    if not place.name or place.is_absolute() or ".." in place.parts or "\0" in name:
        raise TokenFileError(f"{name!r} is no name for a file below a folder")
    return place


def _expand(word: str, endings: frozenset[str], base: Path, *, alone: bool) -> list[Found]:
    if is_address(word):
        return [Found(word, _place_of_address(word))]
    path = Path(word)
    if path.is_dir():
        head = PurePosixPath() if alone else PurePosixPath(path.resolve().name)
        return [Found(file, head / file.relative_to(path).as_posix()) for file in _files_below(path, endings)]
    if _is_pattern(word):
        return _match(word, endings)
    return [Found(path, PurePosixPath(path.absolute().relative_to(base).as_posix()))]


def _match(pattern: str, endings: frozenset[str]) -> list[Found]:
    """The files a pattern matches, those below matching folders too, placed from where its fixed part ends."""
    parts = Path(pattern).parts
    fixed = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    root = Path(*parts[:fixed])
    files: list[Path] = []
    for match in sorted(glob.glob(pattern, recursive=True)):
        path = Path(match)
        if path.is_dir():
            files.extend(_files_below(path, endings))
        elif path.suffix.lower() in endings:
            files.append(path)
    return [Found(file, PurePosixPath(file.relative_to(root).as_posix())) for file in files]


def _files_below(folder: Path, endings: frozenset[str]) -> list[Path]:
    found: list[Path] = []
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found.extend(
            Path(here, name)
            for name in sorted(names)
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in endings
        )
    return found


def _common_folder(files: Sequence[str]) -> Path:
    parents = [Path(file).absolute().parent for file in files]
    return Path(os.path.commonpath(parents)) if parents else Path()


def _is_pattern(word: str) -> bool:
    return glob.has_magic(word) and not os.path.exists(word)


def _place_of_address(address: str) -> PurePosixPath:
    parts = urllib.parse.urlsplit(address)
    name = PurePosixPath(urllib.parse.unquote(parts.path, errors="replace").replace("\0", "")).name
    return PurePosixPath(name if name not in ("", "..") else parts.hostname or "address")

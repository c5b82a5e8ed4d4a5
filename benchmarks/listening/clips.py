"""The recordings that are listened to, and what is known about them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.contenders import RATE_HZ
from codec import read_audio

LISTENING = Path(__file__).resolve().parents[2] / "docs" / "listening"
ORIGINALS = LISTENING / "original"
MANIFEST = "manifest.jsonl"

_SUFFIXES = (".flac", ".wav", ".ogg", ".mp3")
_LANGUAGES = {
    **{"bg": "Bulgarian", "de": "German", "en": "English", "es": "Spanish", "fr": "French", "hu": "Hungarian"},
    **{"it": "Italian", "nl": "Dutch", "pl": "Polish", "pt": "Portuguese", "ru": "Russian", "sk": "Slovak"},
}

Samples = NDArray[np.float32]


class ListeningError(Exception):
    """There is nothing to listen to, or it cannot be used; the text says what and what to do."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording. name: short, for files and addresses; about: as in `English, a woman`, or nothing."""

    name: str
    path: Path
    about: str

    def read(self) -> Samples:
        """All of it, mono, [T] at RATE_HZ."""
        return read_audio(self.path, RATE_HZ)


def find_clips(folder: Path) -> list[Clip]:
    """The recordings in `folder` by name, described where a manifest lies beside them. Raises ListeningError."""
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in _SUFFIXES) if folder.is_dir() else []
    if not files:
        raise ListeningError(f"there is no recording in {folder}: name a folder of FLAC or WAV files")
    known = _read_manifest(folder / MANIFEST)
    clips = [Clip(clip_name(path), path, _about(known.get(path.name, {}))) for path in files]
    names = [clip.name for clip in clips]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ListeningError(f"two files in {folder} would both be called {twice[0]}: rename one")
    return clips


def clip_name(path: Path) -> str:
    """A name of letters, digits and dashes, whatever the file is called."""
    return re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "clip"


def _read_manifest(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    try:
        rows = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        return {row["file"]: row for row in rows}
    except (ValueError, KeyError, TypeError) as error:
        raise ListeningError(
            f"{path} is no list of recordings, one JSON object with a `file` a line: {error}"
        ) from error


def _about(row: dict[str, Any]) -> str:
    language = str(row.get("language", ""))
    parts = [_LANGUAGES.get(language, language)]
    if voice := row.get("voice"):
        parts.append(f"a {voice}")
    return ", ".join(part for part in parts if part)

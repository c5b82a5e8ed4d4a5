"""The folder that `build` makes and `serve` plays: recordings, their versions, and one file that lists them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.listening.clips import ListeningError
from codec.files.whole_file import WholeFile

CONTENTS = "contents.json"
ORIGINAL = "original"
"""Name of the folder of originals, beside those of the versions."""
SUFFIX = ".ogg"
PICTURES, PICTURE_SUFFIX = "pictures", ".webp"


@dataclass(frozen=True, slots=True)
class ListedClip:
    """A recording. name: as in addresses; file: in the folder of originals; about: for people."""

    name: str
    file: str
    about: str


@dataclass(frozen=True, slots=True)
class ListedVersion:
    """A version. name: also of its folder; title: for people; kbps: payload, the mean over the recordings."""

    name: str
    title: str
    kbps: float


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in an album. codec: nano's version; weights: the hash of its weights, so that answers are told apart."""

    codec: str
    weights: str
    clips: tuple[ListedClip, ...]
    versions: tuple[ListedVersion, ...]

    def write(self, album: Path) -> None:
        """Write the list into the folder `album`."""
        with WholeFile(album / CONTENTS) as file:
            file.path.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, album: Path) -> Contents:
        """Raises ListeningError where there is no album, or another program's, or a file of it is missing."""
        path = album / CONTENTS
        try:
            given = json.loads(path.read_text())
            clips = tuple(ListedClip(**clip) for clip in given["clips"])
            versions = tuple(ListedVersion(**version) for version in given["versions"])
            contents = cls(codec=given["codec"], weights=given["weights"], clips=clips, versions=versions)
        except FileNotFoundError as error:
            raise ListeningError(f"there is no {path}: python -m benchmarks.listening build makes one") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ListeningError(f"{path} cannot be used: {error} — build it again") from error
        for missing in (file for file in contents.files(album) if not file.is_file()):
            raise ListeningError(f"{missing} is missing: build the album again")
        return contents

    def files(self, album: Path) -> list[Path]:
        """Every sound file of the album."""
        originals = [album / ORIGINAL / clip.file for clip in self.clips]
        return originals + [album / v.name / (clip.name + SUFFIX) for v in self.versions for clip in self.clips]

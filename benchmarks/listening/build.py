"""Make an album: every recording as every version, small files, pictures, the list of them and a page of links."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.listening.album import ORIGINAL, PICTURE_SUFFIX, PICTURES, SUFFIX, Contents, ListedClip, ListedVersion
from benchmarks.listening.clips import Clip, Samples, find_clips
from benchmarks.listening.ogg_opus import write_ogg_opus
from benchmarks.listening.page_of_links import page_of_links
from benchmarks.listening.pictures import draw_versions
from benchmarks.listening.versions import VERSIONS, Take, contenders, rebuild
from benchmarks.quality.contenders import RATE_HZ, Contender
from codec import Tokenizer
from codec.files.whole_file import WholeFile, make_folder


def build(speech: Path, album: Path, tokenizer: Tokenizer, *, on_clip: Callable[[int, str], None]) -> Contents:
    """Make or renew `album` from the recordings in `speech`; the same input gives the same bytes.

    on_clip: told how many recordings are done and which one is next. Raises ListeningError, ContenderError, and
    OutputFileError where the folder cannot be written.
    """
    clips = find_clips(speech)
    for name in (ORIGINAL, PICTURES, *(version.name for version in VERSIONS)):
        make_folder(album / name)
    codecs = contenders(tokenizer)
    listed, rates = [], []
    for number, clip in enumerate(clips):
        on_clip(number, clip.name)
        samples = clip.read()
        file = _keep_original(clip, samples, album)
        takes = _write_versions(clip, samples, album, codecs)
        listed.append(ListedClip(clip.name, file, clip.about))
        rates.append([take.kbps for take in takes])
    kbps = np.mean(rates, axis=0)
    versions = tuple(
        ListedVersion(version.name, version.title, round(float(rate), 2))
        for version, rate in zip(VERSIONS, kbps, strict=True)
    )
    spec = tokenizer.spec
    contents = Contents(spec.name, spec.weights_sha256, tuple(listed), versions)
    _remove_older(contents, album)
    contents.write(album)
    with WholeFile(album / "README.md") as page:
        page.path.write_text(page_of_links(contents, album))
    return contents


def _keep_original(clip: Clip, samples: Samples, album: Path) -> str:
    """The name of its file in the album; written only where the recording lies somewhere else."""
    folder = album / ORIGINAL
    if clip.path.resolve().parent == folder.resolve():
        return clip.path.name
    target = folder / f"{clip.name}.flac"
    with WholeFile(target) as file:
        soundfile.write(file.path, samples, RATE_HZ, format="FLAC", subtype="PCM_16", compression_level=1.0)
    return target.name


def _write_versions(clip: Clip, samples: Samples, album: Path, codecs: Sequence[Contender]) -> list[Take]:
    takes = list(rebuild(samples, codecs))
    for take in takes:
        write_ogg_opus(album / take.version.name / (clip.name + SUFFIX), take.samples)
    titles = [f"{take.version.title}, {take.kbps:.2f} kbit/s" for take in takes]
    panels = [("original", samples), *zip(titles, (take.samples for take in takes), strict=True)]
    heading = f"{clip.name} ({clip.about})" if clip.about else clip.name
    draw_versions(album / PICTURES / f"{clip.name}{PICTURE_SUFFIX}", panels, heading=heading)
    return takes


def _remove_older(contents: Contents, album: Path) -> None:
    """Take away what an earlier run wrote for a recording that is no longer there."""
    kept = {clip.name for clip in contents.clips}
    for folder, suffix in [(PICTURES, PICTURE_SUFFIX), *((version.name, SUFFIX) for version in contents.versions)]:
        for path in (album / folder).glob(f"*{suffix}"):
            if path.stem not in kept:
                path.unlink()

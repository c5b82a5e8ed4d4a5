"""The album's own page, in Markdown: a link to every file, and how they were made."""

from __future__ import annotations

from pathlib import Path

from benchmarks.listening.album import ORIGINAL, PICTURE_SUFFIX, PICTURES, SUFFIX, Contents, ListedClip
from benchmarks.listening.ogg_opus import BIT_RATE

_CREDITS = "CREDITS.md"


def page_of_links(contents: Contents, album: Path) -> str:
    """Its text; links are relative to `album`."""
    versions = contents.versions
    heads = ["recording", "original", *(f"{version.title}, {version.kbps:.2f} kbit/s" for version in versions), ""]
    lines = [
        "# Listen",
        "",
        f"What the codecs make of {len(contents.clips)} recordings that no training of nano has heard.",
        f"nano here is `{contents.codec}` with the weights `{contents.weights[:12]}`.",
        "",
        f"| {' | '.join(heads)} |",
        f"|{'---|' * len(heads)}",
        *(_row(contents, clip) for clip in contents.clips),
        "",
        "The rates are those of the payload of a running stream, counted in what the encoders wrote, without headers.",
        "Opus ran at a constant rate with frames of 20 ms. Codec2 knows 8 kHz only: nothing above 4 kHz comes back.",
        f"What came back was put in place under its original and stored as Ogg Opus of {BIT_RATE // 1000} kbit/s,",
        "which takes little from it; the pictures were drawn before that.",
        "",
        "Blindly, in a browser, without knowing which is which: `make listen`. All of this anew: "
        "`python -m benchmarks.listening build`.",
    ]
    if (album / ORIGINAL / _CREDITS).exists():
        lines += ["", f"[Who spoke, and under which licences.]({ORIGINAL}/{_CREDITS})"]
    lines += ["", "## Pictures", ""]
    for clip in contents.clips:
        lines += [
            f"![Spectrograms of {clip.name}: the original and its versions]({PICTURES}/{clip.name}{PICTURE_SUFFIX})",
            "",
        ]
    return "\n".join(lines)


def _row(contents: Contents, clip: ListedClip) -> str:
    links = [f"[original]({ORIGINAL}/{clip.file})"]
    links += [f"[{version.title}]({version.name}/{clip.name}{SUFFIX})" for version in contents.versions]
    about = f"{clip.name}: {clip.about}" if clip.about else clip.name
    return f"| {' | '.join([about, *links, f'[picture]({PICTURES}/{clip.name}{PICTURE_SUFFIX})'])} |"

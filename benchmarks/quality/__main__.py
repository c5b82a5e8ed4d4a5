"""nano by its first layers beside Opus, Codec2 and Speex: the same recordings, rebuilt and scored in one run."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

# One thread for each job, for the measures too: libraries ask for it while they are loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.harness import describe_machine, markdown_table
from benchmarks.quality.contenders import RATE_HZ, ContenderError, Nano
from benchmarks.quality.cost import cost_rows
from benchmarks.quality.field import Field, Result, run_all
from benchmarks.quality.options import Options, parse_options
from benchmarks.quality.plot import draw_quality
from benchmarks.quality.summary import for_people, mean_rows, remarks, score_rows
from codec import CodecError, read_audio
from codec.files.whole_file import WholeFile, make_folder
from codec.progress import Progress

NOTES = (
    "kbit/s: bits of the frames over the time that they last. Opus and Speex: the packets in the Ogg file, without its "
    "pages and headers. Codec2: 64, 48, 64, 48 and 28 bits a frame, the last of which c2enc fills up to 32. nano: 11 "
    "bits a layer and frame, without the envelope of a packet.",
    "Every codec is lined up with the original and brought to its power; figures are means over the recordings. PESQ "
    "and STOI compare with the original and are hard on codecs that rebuild speech. Codec2 and Opus at these rates "
    "carry nothing above 4 kHz: PESQ-NB is the fairer figure for them.",
    "real_time_factor: processor time of a step of one frame on one thread, over the 80 ms that it lasts; the median "
    "on speech or on silence, whichever is slower.",
)


def main(argv: Sequence[str] | None = None) -> int:
    """The command. Its exit code: 0, 2 for a wrong command line, 1 where it cannot be done."""
    try:
        return _compare(parse_options(argv))
    except (CodecError, ContenderError) as error:
        print(f"benchmarks.quality: {error}", file=sys.stderr)
        return 1


def _compare(options: Options) -> int:
    field = Field(options.nanos, options.layers)
    nanos = [contender for contender in field.contenders() if isinstance(contender, Nano)]
    machine = describe_machine(["numpy", "onnxruntime"])
    count = len(options.recordings)
    results = _run(field, options)
    speech = read_audio(options.recordings[0], RATE_HZ)
    cost = [row for nano in nanos for row in cost_rows(nano, speech)]
    rows, notes = mean_rows(results), [*remarks(results), *NOTES]
    title = f"{nanos[0].codec} beside other codecs, {count} recording{'s' * (count > 1)}"
    report = {"title": title, "machine": machine, "rows": rows, "cost": cost, "notes": notes}
    make_folder(options.json.parent)
    with WholeFile(options.json) as file:
        file.path.write_text(json.dumps({**report, "scores": score_rows(results)}, indent=1) + "\n")
    print(f"## {title}\n\n{markdown_table(for_people(rows))}\n\n{markdown_table(cost)}")
    for note in notes:
        print(f"\n{note}")
    print(f"\nwritten to {options.json}")
    if options.plot is not None:
        draw_quality(options.plot, rows, heading=title)
        print(f"drawn to {options.plot}")
    return 0


def _run(field: Field, options: Options) -> list[Result]:
    """Everybody on every recording, with a bar on a terminal."""
    done = 0
    with Progress("scored", len(options.recordings), unit="recordings") as progress:

        def on_result(result: Result) -> None:
            nonlocal done
            done += 1
            progress.update(done, result.recording)

        progress.update(0)
        return run_all(field, options.recordings, jobs=options.jobs, on_result=on_result)


if __name__ == "__main__":
    raise SystemExit(main())

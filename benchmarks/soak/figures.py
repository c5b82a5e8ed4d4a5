"""What was measured, for the table, for the JSON and in words."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.harness import Cell, Row, median, percentile
from benchmarks.room.ends import Stats
from benchmarks.soak.course import Course
from benchmarks.soak.listening import Listening


def process_row(course: Course) -> Row:
    """Of a process that was sampled at least once. Threads and descriptors: fewest and most after the warm-up."""
    megabytes = [rss / 1e6 for rss in course.rss]
    slope = course.megabytes_per_h
    threads, descriptors = course.threads[course.warm], course.descriptors[course.warm]
    return {
        "process": course.name,
        "cpu_percent": course.cpu_percent,
        "rss_mb_first": megabytes[0],
        "rss_mb_last": megabytes[-1],
        "rss_mb_max": max(megabytes),
        # JSON has no infinity.
        "slope_mb_per_h": slope.slope if slope.known else None,
        "plus_minus": slope.uncertainty if slope.known else None,
        "threads_min": min(threads),
        "threads_max": max(threads),
        "descriptors_min": min(descriptors),
        "descriptors_max": max(descriptors),
        "samples": len(megabytes),
    }


def sound_figures(listening: Listening, sent: Stats, played: Stats) -> dict[str, Cell]:
    """For the JSON. None: nothing was heard, or too little for a slope."""
    drift = listening.drift_ms_per_h
    return {
        "utterances": listening.said,
        "utterances_heard": listening.heard,
        "rounds": listening.rounds,
        "rounds_not_said": listening.unsaid_rounds,
        "latency_ms_p50": median(listening.latency_ms) if listening.latency_ms else None,
        "latency_ms_p95": percentile(listening.latency_ms, 95) if listening.latency_ms else None,
        "latency_ms_max": max(listening.latency_ms, default=None),
        "latency_ms_per_h": drift.slope if drift.known else None,
        "latency_ms_per_h_plus_minus": drift.uncertainty if drift.known else None,
        "frames_encoded": sent["frames_encoded"],
        "frames_due": played["frames_due"],
        "frames_played": played["frames_played"],
        "underruns": played["underruns"],
        "sink_underflows": played["sink_underflows"],
        "input_overflows": sent["input_overflows"],
    }


def sound_sentence(listening: Listening, sent: Stats, played: Stats) -> str:
    """The same for people."""
    if not listening.heard:
        return "Nothing was heard."
    figures, drift = sound_figures(listening, sent, played), listening.drift_ms_per_h
    drifting = f"drifting {drift.slope:+.1f} ± {drift.uncertainty:.1f} ms an hour" if drift.known else "drift unknown"
    return (
        f"{figures['utterances_heard']} of {figures['utterances']} utterances were heard, "
        f"p50 {figures['latency_ms_p50']:.0f} ms, p95 {figures['latency_ms_p95']:.0f} ms, most "
        f"{figures['latency_ms_max']:.0f} ms from mouth to ear, {drifting}; {figures['frames_played']} of "
        f"{figures['frames_due']} frames played, {figures['underruns']} underruns, {figures['sink_underflows']} of the "
        f"card, {figures['input_overflows']} input overflows."
    )


def last_line(
    courses: Sequence[Course],
    listening: Listening,
    played: Stats,
    *,
    judge_memory: bool,
    faults: Sequence[str],
) -> str:
    """All that a log's reader looks for, on one line."""
    parts = [_in_short(course, judge_memory=judge_memory) for course in courses]
    late = f", p95 {percentile(listening.latency_ms, 95):.0f} ms" if listening.latency_ms else ""
    parts.append(f"{listening.heard} of {listening.said} heard{late}")
    parts.append(f"{played['frames_played']} of {played['frames_due']} frames")
    verdict = f"FAILED ({len(faults)})" if faults else "kept" if judge_memory else "kept, memory not judged"
    hours = max((course.at_s[-1] for course in courses if course.at_s), default=0.0) / 3600.0
    return f"soak {verdict}: {hours:.2f} h; {'; '.join(parts)}"


def _in_short(course: Course, *, judge_memory: bool) -> str:
    slope = course.megabytes_per_h
    growth = "too short for the slope"
    if judge_memory:
        growth = f"{slope.slope:+.2f} ± {slope.uncertainty:.2f} MB/h"
    threads, descriptors = _span(course.threads[course.warm]), _span(course.descriptors[course.warm])
    return f"{course.name} {growth}, threads {threads}, descriptors {descriptors}"


def _span(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low}" if low == high else f"{low} to {high}"

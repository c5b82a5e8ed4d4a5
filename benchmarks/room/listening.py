"""From a recording of the room: which of the words said were heard, how well, and how much later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.room.recorder import Recorder
from benchmarks.room.speech import Place, find, intelligibility

SAID, HEARD = 0, 1
"""The channels of a recording of the room."""


class NotSaidError(RuntimeError):
    """The mouth did not say it: a machine that is busy holds up the sound server. This is the room's fault."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One utterance. said_at_s, length_s: in the recording. latency_s: from the mouth to the ear; None: not heard.
    likeness, 0 to 1: of its loudness over time.
    """

    said_at_s: float
    length_s: float
    latency_s: float | None
    likeness: float


def listen(recorder: Recorder, pieces: list[NDArray[np.float32]], *, start_s: float, patience_s: float) -> list[Heard]:
    """Find each utterance, at the card's rate, in what was said from `start_s` of the recording on, in their order,
    and then in what was heard up to `patience_s` later. NotSaidError where one was not said."""
    results: list[Heard] = []
    for piece in pieces:
        said = _find_said(recorder, piece, start_s)
        results.append(_listen_for(recorder, piece, said.at_s, patience_s=patience_s))
        start_s = said.at_s + len(piece) / recorder.rate
    return results


def _find_said(recorder: Recorder, piece: NDArray[np.float32], start_s: float) -> Place:
    place = find(piece, recorder.read(SAID, start_s=start_s), recorder.rate)
    if not place.found:
        raise NotSaidError("the mouth did not say it: this is the room's fault, not Voxwire's")
    return Place(start_s + place.at_s, place.likeness)


def _listen_for(recorder: Recorder, piece: NDArray[np.float32], said_at_s: float, *, patience_s: float) -> Heard:
    length_s = len(piece) / recorder.rate
    heard = recorder.read(HEARD, start_s=said_at_s, end_s=said_at_s + length_s + patience_s)
    place = find(piece, heard, recorder.rate)
    return Heard(said_at_s, length_s, place.at_s if place.found else None, place.likeness)


def score(recorder: Recorder, results: list[Heard]) -> float:
    """STOI, 0 to 1, of all that was heard against all that was said. It takes seconds of speech to mean something."""
    said: list[NDArray[np.float32]] = []
    heard: list[NDArray[np.float32]] = []
    for result in results:
        if result.latency_s is not None:
            for channel, shift_s, parts in ((SAID, 0.0, said), (HEARD, result.latency_s, heard)):
                start_s = result.said_at_s + shift_s
                parts.append(recorder.read(channel, start_s=start_s, end_s=start_s + result.length_s))
    if not said:
        return 0.0
    return intelligibility(np.concatenate(said), np.concatenate(heard), recorder.rate)

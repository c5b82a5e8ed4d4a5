from __future__ import annotations

from itertools import chain

from benchmarks.wire.cases import FRAMES, LAYERS, OTHERS, OURS, batches


def test_ours_are_measured_in_every_combination() -> None:
    ours = {
        (case.frames, case.qos, case.tls, case.mqtt, case.layers, case.variant.entropy)
        for case in chain.from_iterable(batches())
        if case.what == OURS
    }
    expected = {
        (frames, qos, tls, mqtt, layers, entropy)
        for frames in FRAMES
        for qos in (0, 1)
        for tls in (False, True)
        for mqtt in ("5", "3.1.1")
        for layers in LAYERS
        for entropy in (False, True)
    }
    assert ours == expected


def test_the_others_are_measured_at_every_length_and_both_levels_of_quality_of_service() -> None:
    cases = list(chain.from_iterable(batches()))
    assert len(cases) == len(set(cases))
    for what in OTHERS:
        found = {(case.frames, case.qos) for case in cases if case.what == what and not case.tls}
        assert found == {(frames, qos) for frames in FRAMES for qos in (0, 1)}


def test_no_batch_sends_more_messages_than_are_answered_in_time() -> None:
    for batch in batches():
        assert sum(12.5 / case.frames for case in batch if case.frames) <= 300

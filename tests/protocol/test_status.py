from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import Fault, MessageError
from protocol.limits import MAX_REASON_LENGTH
from protocol.status import StatusMessage, decode_status, encode_status
from protocol.untrusted import clean_text

STATUS = StatusMessage(role="edge", id="kitchen", state="online", session=7, stats={"frames_due": 3})

stats = st.dictionaries(
    st.text("abcdefghijklmnopqrstuvwxyz0123456789_.-", min_size=1, max_size=10),
    st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.just("cpu"),
    max_size=20,
)


@settings(deadline=None)
@given(
    role=st.sampled_from(["gateway", "edge"]),
    state=st.sampled_from(["online", "offline", "refused", "waiting"]),
    session=st.integers(0, 2**64 - 1),
    reason=st.none() | st.text().map(lambda text: clean_text(text, MAX_REASON_LENGTH)),
    epoch=st.none() | st.integers(0, 2**64 - 1),
    figures=stats,
)
def test_status_messages_round_trip(role: Any, state: Any, session: int, reason: Any, epoch: Any, figures: Any) -> None:
    status = StatusMessage(role, "a-1", state, session, reason, epoch, figures)
    assert decode_status(encode_status(status)) == status


def test_an_older_will_does_not_supersede_a_newer_session() -> None:
    will_of_the_first = replace(STATUS, state="offline")
    second = replace(STATUS, session=8)
    assert second.supersedes(STATUS)
    assert will_of_the_first.supersedes(STATUS)
    assert not will_of_the_first.supersedes(second)
    assert STATUS.supersedes(None)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"v": 2}, Fault.VERSION),
        ({"v": None}, Fault.TYPE),
        ({"role": "broker"}, Fault.RANGE),
        ({"role": ["edge"]}, Fault.TYPE),
        ({"id": "a/b"}, Fault.RANGE),
        ({"id": None}, Fault.TYPE),
        ({"state": "ONLINE"}, Fault.RANGE),
        ({"state": True}, Fault.TYPE),
        ({"session": 7}, Fault.TYPE),
        ({"session": "7"}, Fault.RANGE),
        ({"reason": ""}, Fault.RANGE),
        ({"reason": "a\nb"}, Fault.RANGE),
        ({"reason": "x" * 201}, Fault.RANGE),
        ({"reason": 5}, Fault.TYPE),
        ({"epoch": "0" * 17}, Fault.RANGE),
        ({"stats": []}, Fault.STRUCTURE),
        ({"stats": {"a": None}}, Fault.TYPE),
        ({"stats": {"a": True}}, Fault.TYPE),
        ({"stats": {"a": [1]}}, Fault.TYPE),
        ({"stats": {"a": 2**53}}, Fault.RANGE),
        ({"stats": {"a": 10**400}}, Fault.RANGE),
        ({"stats": {"a": "\x00"}}, Fault.RANGE),
        ({"stats": {"a": "x" * 129}}, Fault.RANGE),
        ({"stats": {"A b": 1}}, Fault.RANGE),
        ({"stats": {f"s{number}": 0 for number in range(65)}}, Fault.RANGE),
    ],
)
def test_a_field_out_of_its_range_is_refused(change: dict[str, object], reason: Fault) -> None:
    fields = {**json.loads(encode_status(STATUS)), **change}
    with pytest.raises(MessageError) as refused:
        decode_status(json.dumps(fields).encode())
    assert refused.value.reason is reason


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_figures_must_be_finite_at_both_ends(number: float) -> None:
    with pytest.raises(MessageError, match="finite"):
        replace(STATUS, stats={"rtf": number})
    payload = encode_status(STATUS).replace(b"3}", json.dumps(number).encode() + b"}")
    with pytest.raises(MessageError):
        decode_status(payload)


def test_a_figure_that_overflows_a_double_is_refused() -> None:
    with pytest.raises(MessageError, match="finite"):
        decode_status(encode_status(STATUS).replace(b"3}", b"1e999}"))


def test_a_status_that_is_too_long_says_so() -> None:
    stats = {f"a_counter_with_a_long_name_{number}": 2**53 - 1 for number in range(64)}
    with pytest.raises(MessageError, match=r"at most 2048 bytes.*send fewer stats"):
        encode_status(replace(STATUS, stats=stats))


def test_keys_of_a_later_version_are_ignored() -> None:
    assert decode_status(encode_status(STATUS)[:-1] + b',"later":[{}]}') == STATUS


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("fine", "fine"),
        ("two\nlines\t\x1b[0m", "two lines [0m"),
        ("", "-"),
        ("\ud800", "-"),
        ("x" * 300, "x" * 12 + "…"),
    ],
)
def test_any_text_can_be_made_a_reason(text: str, clean: str) -> None:
    assert clean_text(text, 13) == clean


def test_every_truncation_is_refused() -> None:
    payload = encode_status(STATUS)
    for length in range(len(payload)):
        with pytest.raises(MessageError):
            decode_status(payload[:length])


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_any_mutation_gives_a_status_or_an_error(data: st.DataObject) -> None:
    payload = bytearray(encode_status(STATUS))
    for _ in range(data.draw(st.integers(1, 5))):
        start = data.draw(st.integers(0, len(payload)))
        payload[start : start + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    try:
        status = decode_status(bytes(payload))
    except MessageError:
        return
    assert decode_status(encode_status(status)) == status

"""The description of a codec."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace

import pytest

from codec.errors import SpecError
from codec.spec import CodecSpec

NANO = CodecSpec(
    name="nano",
    sample_rate=16000,
    frame_size=1280,
    num_layers=16,
    codebook_size=2048,
    delay_samples=480,
    weights_sha256="0" * 64,
)


def test_rates_and_bits_are_derived() -> None:
    assert NANO.frame_rate == 12.5
    assert NANO.frame_duration_s == 0.08
    assert NANO.bits_per_code == 11
    assert NANO.bits_per_frame == 176
    assert NANO.bit_rate == 2200


@pytest.mark.parametrize(("size", "bits"), [(2, 1), (3, 2), (1024, 10), (1025, 11), (65536, 16)])
def test_bits_hold_every_index_of_the_codebook(size: int, bits: int) -> None:
    assert replace(NANO, codebook_size=size).bits_per_code == bits


def test_a_spec_survives_json() -> None:
    assert CodecSpec.from_dict(json.loads(json.dumps(NANO.to_dict()))) == NANO


def test_fields_of_later_versions_are_ignored() -> None:
    assert CodecSpec.from_dict(NANO.to_dict() | {"colour": "blue"}) == NANO


def test_a_spec_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        NANO.sample_rate = 8000  # type: ignore[misc]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "Na no"),
        ("name", 7),
        ("name", "x" * 33),
        ("sample_rate", 0),
        ("sample_rate", True),
        ("sample_rate", 16000.0),
        ("sample_rate", 10**9),
        ("frame_size", -1),
        ("num_layers", 65),
        ("codebook_size", 1),
        ("codebook_size", 65537),
        ("delay_samples", -1),
        ("delay_samples", None),
        ("weights_sha256", "0" * 63),
        ("weights_sha256", "G" * 64),
        ("weights_sha256", 0),
    ],
)
def test_impossible_fields_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(SpecError, match=field) as caught:
        CodecSpec.from_dict(NANO.to_dict() | {field: value})
    assert caught.value.exit_code == 76


def test_missing_fields_are_named() -> None:
    with pytest.raises(SpecError, match="lacks frame_size, num_layers"):
        CodecSpec.from_dict(
            {key: value for key, value in NANO.to_dict().items() if key not in ("frame_size", "num_layers")}
        )


def test_anything_but_an_object_is_refused() -> None:
    with pytest.raises(SpecError, match="JSON object"):
        CodecSpec.from_dict([1])  # type: ignore[arg-type]

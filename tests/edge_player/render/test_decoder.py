"""Who may decode what, and how a decoder is brought to the middle of a stream."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from codec.spec import CodecSpec
from edge_player.errors import ModelMismatchError
from edge_player.render.decoder import check_identity, prime
from protocol.manifest import StreamManifest


def test_the_same_codec_and_weights_are_accepted(spec: CodecSpec, make_manifest: Callable[..., StreamManifest]) -> None:
    check_identity(spec, make_manifest().codec)
    check_identity(dataclasses.replace(spec, delay_samples=0), make_manifest().codec)  # a figure, not an identity


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "other"),
        ("sample_rate", 24000),
        ("frame_size", 1920),
        ("codebook_size", 16),
        ("weights_sha256", "c" * 64),
    ],
)
def test_the_first_difference_is_named(
    field: str, value: object, spec: CodecSpec, make_manifest: Callable[..., StreamManifest]
) -> None:
    with pytest.raises(ModelMismatchError, match=field) as caught:
        check_identity(dataclasses.replace(spec, **{field: value}), make_manifest().codec)  # type: ignore[arg-type]
    assert caught.value.field == field
    assert caught.value.got == value
    assert caught.value.exit_code == 76


def test_priming_decodes_the_first_frame_and_keeps_nothing(decoder: Any) -> None:
    prime(decoder, np.array([7, 7, 7, 7]), frames=3)
    assert decoder.decoded == [7, 7, 7]

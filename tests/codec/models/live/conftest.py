"""Both codecs for live streams: nano as it is packaged, and a narrow qwen3-12hz with lively weights."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from codec.models.factory import TorchCodec, load_torch_codec
from codec.models.qwen3.lively import save_lively, small_document


@pytest.fixture(scope="session")
def live_qwen3(tmp_path_factory: pytest.TempPathFactory) -> TorchCodec:
    return load_torch_codec("qwen3-12hz", save_lively(small_document(), tmp_path_factory.mktemp("live") / "release"))


@pytest.fixture(scope="session")
def live_nano() -> TorchCodec:
    return load_torch_codec("nano", None)


@pytest.fixture(params=["qwen3-12hz", "nano"])
def live_codec(request: pytest.FixtureRequest, live_qwen3: TorchCodec, live_nano: TorchCodec) -> TorchCodec:
    return live_qwen3 if request.param == "qwen3-12hz" else live_nano


def noise(frames: int, frame_size: int, *, seed: int) -> NDArray[np.float32]:
    """Noise that swells and fades, [frames * frame_size]."""
    generator = np.random.default_rng(seed)
    swell = 0.3 * (1.1 + np.sin(np.arange(frames * frame_size) / 5000 + seed))
    return (swell * generator.standard_normal(frames * frame_size)).astype(np.float32)

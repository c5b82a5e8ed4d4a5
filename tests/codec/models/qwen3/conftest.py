"""A release of toy size with weights that are all heard."""

from __future__ import annotations

from pathlib import Path

import pytest

from codec.models.qwen3 import Qwen3Tokenizer, load_qwen3
from codec.models.qwen3.lively import save_lively, small_document


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder, as a user has it from the hub."""
    return save_lively(small_document(), tmp_path_factory.mktemp("qwen3"))


@pytest.fixture(scope="session")
def tokenizer(release: Path) -> Qwen3Tokenizer:
    return load_qwen3(release)[0]

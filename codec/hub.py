"""Models by the name of their repository on the Hugging Face hub: fetched once, then read from the cache.

The cache is the hub library's own (HF_HOME moves it). What lies there whole is taken without a question to the network,
so weights never change underfoot and a machine without network works; to have newer ones, delete them there. A
repository that wants a login gets the token in HF_TOKEN, never one that another program stored.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import sys
from pathlib import Path
from typing import Protocol, cast

from codec.errors import CheckpointError, CodecError, DownloadError

logger = logging.getLogger(__name__)

QWEN3_REPOSITORY = "Qwen/Qwen3-TTS-Tokenizer-12Hz"
"""Where the released weights are."""
CONFIG_NAME = "config.json"
MODEL_TYPES = ("qwen3_tts_tokenizer_12hz",)
"""What a repository must hold before more than its configuration is fetched: others are many gigabytes."""
WEIGHTS_NAME, INDEX_NAME = "model.safetensors", "model.safetensors.index.json"
NEEDED = (CONFIG_NAME, WEIGHTS_NAME, INDEX_NAME, "model-*.safetensors")
"""All that the codec reads; no code, no pickled file."""
MODEL_FILES = (".onnx", ".safetensors", ".json")
BY_HAND = "or copy the folder from another machine and name it"

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_GATED, _MISSING, _OFFLINE = "GatedRepoError", "RepositoryNotFoundError", "LocalEntryNotFoundError"


class _Snapshot(Protocol):
    """What we use of huggingface_hub.snapshot_download, in every version since 0.30."""

    def __call__(
        self,
        repo_id: str,
        *,
        allow_patterns: list[str],
        cache_dir: str | None,
        endpoint: str | None,
        token: str | bool,
        local_files_only: bool,
    ) -> str: ...


def is_repository(model: Path | str) -> bool:
    """Whether `model` can only be a repository "owner/name".

    A slip in the path of a file or folder here is no reason to ask the network: it is none where a folder has the
    owner's name, or where it ends as a model file does.
    """
    text = str(model)
    return bool(_REPOSITORY.fullmatch(text)) and not text.endswith(MODEL_FILES) and not Path(text).parent.exists()


def resolve_model(model: Path | str) -> Path:
    """The folder of `model`: a path stays what it is, "owner/name" is fetched unless the cache has it.

    Raises DownloadError where that fails, CheckpointError where the repository holds something else, CodecError where
    the library for it is not installed.
    """
    if not is_repository(model):
        return Path(model)
    repository = str(model)
    snapshot = _snapshot_download(repository)
    cached = _cached(snapshot, repository)
    if cached is not None:
        return cached
    logger.info("fetching %s into the cache (once)", repository)
    _require_codec(repository, _fetch(snapshot, repository, [CONFIG_NAME]))
    folder = _fetch(snapshot, repository, list(NEEDED))
    if not _is_whole(folder):
        raise CheckpointError(f"{repository} has no {WEIGHTS_NAME}: expected the release of a codec")
    logger.info("%s is in %s", repository, folder)
    return folder


def _snapshot_download(repository: str) -> _Snapshot:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        from huggingface_hub import snapshot_download
    except ModuleNotFoundError as error:
        raise CodecError(
            f"Fetching {repository} needs {error.name}: pip install 'voxwire[torch]', {BY_HAND}"
        ) from error
    return cast(_Snapshot, snapshot_download)


def _call(snapshot: _Snapshot, repository: str, patterns: list[str], *, cache_only: bool) -> Path:
    """With what the environment says now; the library itself reads it once, when it is imported."""
    folder = snapshot(
        repository,
        allow_patterns=patterns,
        cache_dir=os.environ.get("HF_HUB_CACHE"),
        endpoint=os.environ.get("HF_ENDPOINT"),
        token=os.environ.get("HF_TOKEN") or False,
        local_files_only=cache_only,
    )
    return Path(folder)


def _cached(snapshot: _Snapshot, repository: str) -> Path | None:
    """The folder in the cache, if all of it is there."""
    try:
        folder = _call(snapshot, repository, list(NEEDED), cache_only=True)
    except OSError:  # the library's own "not here", "not all of it"
        return None
    return folder if _is_whole(folder) else None


def _is_whole(folder: Path) -> bool:
    """Whether a snapshot has its configuration and every file of weights: an interrupted one lacks some."""
    if not (folder / CONFIG_NAME).exists():
        return False
    if (folder / WEIGHTS_NAME).exists():
        return True
    try:
        pieces = set(json.loads((folder / INDEX_NAME).read_bytes())["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return all(isinstance(name, str) and (folder / name).exists() for name in pieces)


def _require_codec(repository: str, folder: Path) -> None:
    try:
        kind = json.loads((folder / CONFIG_NAME).read_bytes())["model_type"]
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        raise CheckpointError(f"{repository} has no {CONFIG_NAME} that tells what it is: expected a codec") from error
    if kind not in MODEL_TYPES:
        raise CheckpointError(
            f"{repository} holds a model of type {kind!r}, expected {', '.join(MODEL_TYPES)} as in {QWEN3_REPOSITORY}: "
            "its weights were not fetched"
        )


def _fetch(snapshot: _Snapshot, repository: str, patterns: list[str]) -> Path:
    try:
        return _call(snapshot, repository, patterns, cache_only=False)
    except Exception as error:
        # Of whatever kind: the library's transport was requests, then httpx, then httpx2, each with errors of its own.
        raise _explained(error, repository) from error


def _explained(error: Exception, repository: str) -> DownloadError:
    """`error` of the hub library as a sentence for the user, and a reason for programs."""
    names = [kind.__name__ for kind in type(error).__mro__]
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DownloadError(
            f"The disk is full while {repository} is fetched: make room, or move the cache with HF_HOME; what has "
            "come is kept",
            reason="full",
        )
    if _GATED in names:
        return DownloadError(
            f"{repository} is not open to you: accept its terms on the hub and give a token in HF_TOKEN, {BY_HAND}",
            reason="gated",
        )
    if _MISSING in names:
        return DownloadError(
            f"{repository} is no folder here and no repository on the hub that you can read: check the name, or give a "
            "token in HF_TOKEN",
            reason="missing",
        )
    if _OFFLINE in names or "OfflineModeIsEnabled" in names:
        return DownloadError(
            f"{repository} is not in the cache and the hub cannot be reached: connect, {BY_HAND}", reason="offline"
        )
    why = " ".join(str(error).split()) or type(error).__name__
    return DownloadError(f"Fetching {repository} failed ({why}): try again, what has come is kept", reason="failed")

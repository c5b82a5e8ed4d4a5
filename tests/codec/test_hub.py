"""Weights by the name of their repository, against a small hub of our own and the real client library."""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from codec import hub
from codec.errors import CheckpointError, CodecError, DownloadError
from codec.hub import is_repository, resolve_model
from codec.load import load_encoder
from codec.models.qwen3.lively import save_lively, small_document

COMMIT = "0123456789abcdef" * 2 + "01234567"
CODEC = json.dumps({"model_type": "qwen3_tts_tokenizer_12hz"}).encode()
WEIGHTS = bytes(range(256)) * 8192


@dataclass
class Hub:
    """What the server has, and what it was asked: repositories are files by name, or the name of an error."""

    repositories: dict[str, dict[str, bytes] | str]
    address: str = ""
    fetched: list[str] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)
    cut: set[str] = field(default_factory=set)
    """Files whose next download breaks off in the middle."""


def handler(site: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """The four questions that a client asks: what a revision is, what it holds, about a file, and for it."""

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def log_message(self, *_: object) -> None:
            pass

        def answer(self, *, body: bool) -> None:
            site.tokens.add(self.headers.get("Authorization"))
            parts = urlsplit(self.path).path.strip("/").split("/")
            api = parts[:2] == ["api", "models"]
            parts = parts[2:] if api else parts
            files = site.repositories.get("/".join(parts[:2]), "RepoNotFound")
            if isinstance(files, str):
                self.reply(403 if files == "GatedRepo" else 404, b"{}", body, {"X-Error-Code": files})
            elif not api:
                self.send_file(files, parts[-1], body)
            elif "tree" in parts:
                tree: list[dict[str, Any]] = [
                    {"type": "file", "path": name, "size": len(data), "oid": sha256(data).hexdigest()[:40]}
                    for name, data in files.items()
                ]
                self.reply(200, json.dumps(tree).encode(), body, {})
            else:
                about = {"id": "/".join(parts[:2]), "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
                self.reply(200, json.dumps(about).encode(), body, {})

        def send_file(self, files: dict[str, bytes], name: str, body: bool) -> None:
            data = files[name]
            headers = {"ETag": f'"{sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
            start = 0
            if body:
                site.fetched.append(name)
                start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            broken = body and name in site.cut
            if broken:
                site.cut.remove(name)
            self.reply(206 if start else 200, data[start:], body, headers, broken=broken)

        def reply(self, status: int, data: bytes, body: bool, headers: dict[str, str], *, broken: bool = False) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(data[: len(data) // 2] if broken else data)
            self.close_connection = True

    return Handler


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub on this machine with four repositories, and an empty cache."""
    release = {"config.json": CODEC, "model.safetensors": WEIGHTS, "README.md": b"words", "code.py": b"print()"}
    pieces = {"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}
    site = Hub(
        {
            "qwen/codec": release,
            "qwen/pieces": {
                "config.json": CODEC,
                "model.safetensors.index.json": json.dumps(pieces).encode(),
                "model-1-of-2.safetensors": b"1",
                "model-2-of-2.safetensors": b"2",
            },
            "qwen/speech": {"config.json": b'{"model_type": "qwen3_tts"}', "model.safetensors": WEIGHTS},
            "qwen/empty": {"config.json": CODEC},
            "qwen/gated": "GatedRepo",
        }
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(site))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    site.address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("HF_ENDPOINT", site.address)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.chdir(tmp_path)
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_repository_is_fetched_once_and_only_what_the_codec_reads(site: Hub) -> None:
    folder = resolve_model("qwen/codec")
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert sorted(site.fetched) == ["config.json", "model.safetensors"]
    assert site.tokens == {None}
    asked = len(site.fetched)
    assert resolve_model(Path("qwen/codec")) == folder
    assert len(site.fetched) == asked


def test_a_fetched_repository_is_there_without_the_network(site: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = resolve_model("qwen/codec")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert resolve_model("qwen/codec") == folder


def test_a_codec_is_loaded_by_the_name_of_its_repository(site: Hub, tmp_path: Path) -> None:
    release = save_lively(small_document(), tmp_path / "release")
    site.repositories["qwen/small"] = {path.name: path.read_bytes() for path in release.iterdir()}
    fetched, named = (load_encoder("qwen3-12hz", model=model, engine="torch") for model in ("qwen/small", release))
    assert fetched.spec == named.spec


def test_weights_in_pieces_are_fetched_whole(site: Hub) -> None:
    folder = resolve_model("qwen/pieces")
    assert {path.name for path in folder.glob("*.safetensors")} == {
        "model-1-of-2.safetensors",
        "model-2-of-2.safetensors",
    }
    (folder / "model-2-of-2.safetensors").unlink()
    assert resolve_model("qwen/pieces") == folder
    assert (folder / "model-2-of-2.safetensors").exists()


def test_a_download_that_breaks_off_goes_on_where_it_was(site: Hub) -> None:
    site.cut = {"model.safetensors"}
    with suppress(DownloadError):  # some versions of the library leave the second attempt to their caller
        resolve_model("qwen/codec")
    folder = resolve_model("qwen/codec")
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert site.fetched.count("model.safetensors") == 2


def test_the_token_of_the_environment_is_shown_and_no_other(site: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    resolve_model("qwen/codec")
    assert site.tokens == {"Bearer hf_secret"}


def test_of_another_model_only_the_configuration_is_fetched(site: Hub) -> None:
    with pytest.raises(CheckpointError, match="holds a model of type 'qwen3_tts', expected qwen3_tts_tokenizer_12hz"):
        resolve_model("qwen/speech")
    assert site.fetched == ["config.json"]


def test_a_repository_without_weights_says_so(site: Hub) -> None:
    with pytest.raises(CheckpointError, match=r"qwen/empty has no model\.safetensors"):
        resolve_model("qwen/empty")


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("qwen/gated", "gated", "accept its terms on the hub and give a token in HF_TOKEN"),
        ("qwen/nothing", "missing", "no folder here and no repository on the hub"),
    ],
)
def test_a_repository_that_refuses_is_explained(site: Hub, name: str, reason: str, words: str) -> None:
    with pytest.raises(DownloadError, match=words) as caught:
        resolve_model(name)
    assert (caught.value.reason, caught.value.exit_code) == (reason, 66)


def test_without_a_network_the_sentence_tells_the_other_way(site: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DownloadError, match="cannot be reached: connect, or copy the folder") as caught:
        resolve_model("qwen/codec")
    assert caught.value.reason == "offline"


@pytest.mark.parametrize(("number", "reason"), [(errno.ENOSPC, "full"), (errno.EIO, "failed")])
def test_a_disk_that_fails_is_told_apart(site: Hub, monkeypatch: pytest.MonkeyPatch, number: int, reason: str) -> None:
    def failing(repository: str, *, local_files_only: bool, **_: object) -> str:
        raise FileNotFoundError if local_files_only else OSError(number, "no")

    monkeypatch.setattr(hub, "_snapshot_download", lambda _: failing)
    with pytest.raises(DownloadError) as caught:
        resolve_model("qwen/codec")
    assert caught.value.reason == reason


def test_without_the_library_the_sentence_says_what_to_install(site: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(CodecError, match=r"needs huggingface_hub: pip install 'voxwire\[torch\]', or copy"):
        resolve_model("qwen/codec")


def test_what_lies_here_is_never_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    for path in ("models/gone", "models", "/models/qwen3", "./qwen/codec", "a/b/c", "out/decoder.onnx", "..", "qwen"):
        assert not is_repository(path)
        assert resolve_model(path) == Path(path)
    assert is_repository("Qwen/Qwen3-TTS-Tokenizer-12Hz")

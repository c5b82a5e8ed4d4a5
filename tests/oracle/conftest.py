"""The official package and ours over the same weights. It runs in an environment of its own, as a worker process."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.qwen3.agreement import Agreement
from benchmarks.qwen3.oracle import NEEDS, oracle_python, start_official
from benchmarks.qwen3.pipe import Worker
from codec import read_audio
from codec.models.factory import TorchCodec, load_torch_codec
from codec.models.layers import SplitResidualQuantizer
from codec.models.qwen3.lively import released_document, save_lively, small_document
from export.parity import TOLERANCE

CODEC = "qwen3-12hz"
VERSIONS = ("torch", "qwen-tts", "transformers")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("oracle")
    group.addoption("--full", action="store_true", help="the long form of the oracle tests too")
    group.addoption("--report", type=Path, metavar="FILE", help="write what the oracle tests measured, as JSON")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without --full the long cases are not skipped but absent: nobody is to read their names as something missing."""
    if config.getoption("--full", default=False):
        return
    absent = [item for item in items if item.get_closest_marker("full")]
    if absent:
        config.hook.pytest_deselected(items=absent)
        items[:] = [item for item in items if not item.get_closest_marker("full")]


@dataclass
class Release:
    """One folder, read by both sides."""

    name: str
    folder: Path
    ours: TorchCodec

    @property
    def frame_size(self) -> int:
        """Samples per frame."""
        return self.ours.spec.frame_size

    @property
    def encoder_quantizer(self) -> SplitResidualQuantizer:
        """The one that searches."""
        assert isinstance(self.ours.encoder.quantizer, SplitResidualQuantizer)
        return self.ours.encoder.quantizer


@dataclass
class Releases:
    """Makes each release when it is first asked for: the real one is 682 MB."""

    root: Path
    made: dict[str, Release] = field(default_factory=dict)

    def get(self, name: str) -> Release:
        """`name` is "small" (the same architecture, narrow) or "real" (the configuration of the release)."""
        if name not in self.made:
            document = small_document() if name == "small" else released_document()
            folder = save_lively(document, self.root / name)
            self.made[name] = Release(name, folder, load_torch_codec(CODEC, folder))
        return self.made[name]


@dataclass
class Official:
    """The official package, with whichever release is compared."""

    worker: Worker

    def ask(
        self, release: Release, operation: str, arrays: Mapping[str, NDArray[Any]] | None = None, **parameters: Any
    ) -> dict[str, NDArray[Any]]:
        """What `operation` makes of `arrays` with the weights of `release`."""
        self.load(release)
        return self.worker.ask(operation, arrays, **parameters).arrays

    def load(self, release: Release) -> dict[str, Any]:
        """What it says of the release's folder."""
        return self.worker.ask("load", folder=str(release.folder)).values


class Report:
    """What was measured, case by case."""

    def __init__(self) -> None:
        self.cases: list[dict[str, Any]] = []

    def add(self, case: str, release: Release, agreement: Agreement) -> Agreement:
        """Note and print `agreement`; gives it back."""
        self.cases.append({"case": case, "release": release.name, **agreement.to_dict()})
        print(
            f"\n{case}, {release.name}, {agreement.frames} frames: largest difference {agreement.largest:.1e}"
            f", {agreement.differing} frames with other codes ({agreement.ties} near-ties)"
        )
        return agreement

    def to_json(self, versions: dict[str, str]) -> str:
        """All of it. "real" is the released configuration; its weights are random, see `codec.models.qwen3.lively`."""
        in_all = self.real_codes().to_dict()
        document = {"tolerance": TOLERANCE, "versions": versions, "real_encoder_in_all": in_all, "cases": self.cases}
        return json.dumps(document, indent=1) + "\n"

    def real_codes(self) -> Agreement:
        """All cases of the real release's encoder together."""
        cases = [case for case in self.cases if case["case"].startswith("encoder") and case["release"] == "real"]
        return Agreement(
            frames=sum(case["frames"] for case in cases),
            largest=max((case["largest"] for case in cases), default=0.0),
            differing=sum(case["differing"] for case in cases),
            ties=sum(case["ties"] for case in cases),
        )


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    return Releases(tmp_path_factory.mktemp("releases"))


@pytest.fixture(scope="session")
def official() -> Iterator[Official]:
    python = oracle_python()
    if python is None:
        pytest.skip(NEEDS)
    with start_official(python) as worker:
        yield Official(worker)


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Iterator[Report]:
    collected = Report()
    yield collected
    path: Path | None = request.config.getoption("--report", default=None)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(collected.to_json(_versions()))


def _versions() -> dict[str, str]:
    """Of both sides: the official one's packages stand beside its interpreter, not ours."""
    python = oracle_python()
    assert python is not None
    beside = [str(path) for path in python.parents[1].glob("lib/python*/site-packages")]
    found = {dist.name: dist.version for dist in metadata.distributions(path=beside)}
    return {"torch": torch.__version__} | {name: found[name] for name in VERSIONS if name in found}


@pytest.fixture(scope="session")
def speech() -> NDArray[np.float32]:
    """More than a minute of speech at 24 kHz, in which nothing is said twice at the same place of a frame."""
    with as_file(files("gateway").joinpath("assets", "demo_speech.flac")) as path:
        clip = read_audio(path, 24_000)
    # Of odd length: each repetition meets the frames' grid elsewhere.
    clip = clip[: len(clip) - 1 + len(clip) % 2]
    return np.resize(clip, 3 * len(clip)).astype(np.float32)

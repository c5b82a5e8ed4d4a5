"""The shape of the repository: who may import whom, what starts without torch, what a package shows to others."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

PACKAGES = ("protocol", "codec", "export", "gateway", "edge_player")
# Packages whose names are for others to import: `from codec import CodecSpec`.
LIBRARIES = ("protocol", "protocol.transport", "protocol.service", "codec", "gateway", "edge_player")
# What may not even be importable where an edge device or a gateway with an ONNX codec starts.
TORCH_SIDE = ("torch", "onnx", "onnxscript", "safetensors", "tqdm", "export", "codec.models")

# Runs before any other import of the child: a finder that refuses stands for a machine without these.
BLOCK_TORCH = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        for absent in {TORCH_SIDE!r}:
            if name == absent or name.startswith(absent + "."):
                raise ModuleNotFoundError(f"{{name}} is not here, on purpose", name=name)
sys.meta_path.insert(0, Refuse())
"""


def run_without_torch(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BLOCK_TORCH + program],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def torch_free_modules(package: str) -> list[str]:
    """Every module of a package, the torch side and the `__main__` files left out."""
    root = importlib.import_module(package)
    names = [package]
    for module in pkgutil.walk_packages(root.__path__, prefix=f"{package}.", onerror=lambda _: None):
        if not module.name.startswith(TORCH_SIDE) and not module.name.endswith("__main__"):
            names.append(module.name)
    return names


def test_the_torch_blocker_itself_blocks() -> None:
    child = run_without_torch("import torch")
    assert child.returncode != 0
    assert "not here, on purpose" in child.stderr


@pytest.mark.parametrize("package", ["protocol", "codec", "gateway", "edge_player"])
def test_every_module_of_both_ends_imports_where_torch_is_not_installed(package: str) -> None:
    names = torch_free_modules(package)
    child = run_without_torch(
        f"import importlib\nfor name in {names!r}:\n    importlib.import_module(name)\n"
        "import sys\nassert 'torch' not in sys.modules\n"
    )
    assert child.returncode == 0, child.stderr


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("gateway.cli", ["--help"]),
        ("gateway.cli", ["run", "--help"]),
        ("gateway.cli", ["check", "--help"]),
        ("edge_player.cli", ["--help"]),
        ("edge_player.cli", ["run", "--help"]),
        ("edge_player.cli", ["check", "--help"]),
        ("codec.cli", ["--help"]),
        ("codec.cli", ["info", "--help"]),
    ],
)
def test_commands_answer_where_torch_is_not_installed(module: str, arguments: list[str]) -> None:
    child = run_without_torch(f"from {module} import main\nraise SystemExit(main({arguments!r}))")
    assert child.returncode == 0, child.stderr
    assert "usage" in child.stdout.lower()


@pytest.mark.parametrize("half", ["encoder", "decoder"])
def test_the_packaged_codec_runs_where_torch_is_not_installed(half: str) -> None:
    child = run_without_torch(
        f"import codec.load\nwith codec.load.load_{half}().session() as session:\n    session.reset()\n"
        "import sys\nassert 'torch' not in sys.modules\n"
    )
    assert child.returncode == 0, child.stderr


@pytest.mark.parametrize("name", LIBRARIES)
def test_public_names_are_listed_and_exist(name: str) -> None:
    module = importlib.import_module(name)
    public = getattr(module, "__all__", None)
    assert public, f"{name} has no __all__"
    assert len(set(public)) == len(public)
    missing = [entry for entry in public if not hasattr(module, entry)]
    assert not missing, f"{name}.__all__ names what is not there: {missing}"


def test_import_contracts_hold(repository: Path) -> None:
    command = Path(sys.executable).with_name("lint-imports")
    found = str(command) if command.exists() else shutil.which("lint-imports")
    assert found, "lint-imports is missing: pip install -e '.[dev]'"
    result = subprocess.run(
        [found, "--no-cache"], cwd=repository, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_package_says_it_is_typed(repository: Path) -> None:
    assert [name for name in PACKAGES if not (repository / name / "py.typed").is_file()] == []


def test_no_package_lies_below_tests(repository: Path) -> None:
    # tests/protocol/__init__.py would shadow the real `protocol`.
    assert sorted((repository / "tests").rglob("__init__.py")) == []


def test_console_scripts_name_functions_that_exist(repository: Path) -> None:
    scripts = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["scripts"]
    for command, target in scripts.items():
        module, _, function = target.partition(":")
        assert callable(getattr(importlib.import_module(module), function, None)), f"{command} -> {target}"


def test_every_console_script_is_also_a_module_to_run(repository: Path) -> None:
    for package in ("gateway", "edge_player", "codec", "export"):
        source = (repository / package / "__main__.py").read_text()
        assert "__main__" in source, f"python -m {package} must start nothing when it is only imported"


def test_the_base_install_names_neither_torch_nor_a_second_engine(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    light = project["dependencies"] + extras["cpu"] + extras["cuda"] + extras["demo"]
    names = {re.split(r"[\[<>=~! ;]", requirement)[0] for requirement in light}
    assert names.isdisjoint({"torch", "torchaudio", "onnx", "onnxscript", "safetensors", "tensorflow"})
    assert not any(requirement.startswith("onnxruntime") for requirement in project["dependencies"])


def third_party_imports(folders: Iterable[Path]) -> dict[str, str]:
    """Top-level names that are neither ours nor the standard library's, each with one file that imports it."""
    found: dict[str, str] = {}
    for path in (path for folder in folders for path in sorted(folder.rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            else:
                continue
            found |= {name.partition(".")[0]: str(path) for name in names}
    ours = {*PACKAGES, "benchmarks", "tests"}
    return {name: path for name, path in found.items() if name not in ours | sys.stdlib_module_names}


def test_every_library_that_is_imported_is_asked_for_in_pyproject(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    # The official package stands in an environment of its own, which only benchmarks/qwen3/official.py runs in.
    lists.append([line for line in (repository / "scripts/oracle.txt").read_text().splitlines() if line[:1].isalpha()])
    declared = {re.split(r"[\[<>=~! ;]", requirement)[0] for requirements in lists for requirement in requirements}
    distributions = packages_distributions()
    imported = third_party_imports(repository / folder for folder in (*PACKAGES, "benchmarks", "tests"))
    undeclared = {
        name: path
        for name, path in imported.items()
        if declared.isdisjoint(distributions.get(name, [name.replace("_", "-")]))
    }
    assert not undeclared


def test_torch_is_pinned_for_every_install(repository: Path) -> None:
    assert "torch==2.13.0" in (repository / "constraints.txt").read_text().splitlines()

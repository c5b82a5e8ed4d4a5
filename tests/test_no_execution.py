"""Nothing that comes from the network is executed: what both ends are made of cannot run code it is given.

Over the syntax of every file, so that an import inside a function counts too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

FORBIDDEN_MODULES = frozenset(
    {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "marshal", "shelve", "yaml", "subprocess", "pty", "code",
     "codeop", "runpy", "imp", "ctypes", "cffi", "xmlrpc", "multiprocessing"}
)  # fmt: skip
FORBIDDEN_CALLS = frozenset({"eval", "exec", "compile", "__import__", "breakpoint", "import_module"})
FORBIDDEN_OF_OS = ("system", "popen", "exec", "spawn", "posix_spawn", "fork", "startfile")

FOLDERS = ("protocol", "edge_player", "gateway")
ELSEWHERE = ("gateway/demo",)
"""Starts the processes of `gateway demo` and reads nothing from a network."""
BY_NAME = {"edge_player/__init__.py", "gateway/__init__.py"}
"""Import a public name of their own package on first use, from a table that is a constant."""


def sources(repository: Path) -> Iterator[tuple[str, ast.Module]]:
    for folder in FOLDERS:
        for path in sorted((repository / folder).rglob("*.py")):
            name = path.relative_to(repository).as_posix()
            if not name.startswith(ELSEWHERE):
                yield name, ast.parse(path.read_text(encoding="utf-8"))


def offences(tree: ast.Module) -> list[str]:
    """What in it could run code or another program."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.partition(".")[0] in FORBIDDEN_MODULES]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            if node.module.partition(".")[0] in FORBIDDEN_MODULES:
                found.append(node.module)
            if node.module in ("os", "importlib", "builtins"):
                found += [alias.name for alias in node.names if _is_forbidden(alias.name)]
        elif isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name) and function.id in FORBIDDEN_CALLS:
                found.append(function.id)
            elif isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
                owner, name = function.value.id, function.attr
                if owner in ("os", "importlib", "builtins", "sys") and _is_forbidden(name):
                    found.append(f"{owner}.{name}")
                elif any(word.arg == "allow_pickle" for word in node.keywords) and not _says_false(
                    node, "allow_pickle"
                ):
                    found.append(f"{name}(allow_pickle)")
    return found


def _is_forbidden(name: str) -> bool:
    return name in FORBIDDEN_CALLS or name.startswith(FORBIDDEN_OF_OS)


def _says_false(call: ast.Call, name: str) -> bool:
    return all(
        isinstance(word.value, ast.Constant) and word.value.value is False for word in call.keywords if word.arg == name
    )


def test_neither_end_can_run_what_it_is_given(repository: Path) -> None:
    found = {name: offences(tree) for name, tree in sources(repository)}
    assert len(found) > 100, "the folders moved?"
    assert {name: what for name, what in found.items() if what and name not in BY_NAME} == {}


def test_names_are_imported_from_constant_tables_only(repository: Path) -> None:
    for name in BY_NAME:
        tree = ast.parse((repository / name).read_text(encoding="utf-8"))
        assert offences(tree) == ["importlib.import_module"]
        (call,) = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "import_module"
        ]
        assert ast.unparse(call.args[0]) == "_HOME[name]"
        tables = {
            ast.unparse(node.targets[0]): node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and len(node.targets) == 1
        }
        assert ast.unparse(tables["_HOME"]) == "{name: module for module, names in _MODULES.items() for name in names}"
        modules = ast.literal_eval(tables["_MODULES"])
        assert all(module.startswith(f"{name.partition('/')[0]}.") for module in modules)


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "def f():\n    from pickle import loads",
        "import yaml.loader",
        "eval('1')",
        "import os\nos.system('x')",
        "from os import execvp",
        "import importlib\nimportlib.import_module(name)",
        "from importlib import import_module",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "__import__('os')",
    ],
)
def test_the_rule_finds_what_it_forbids(text: str) -> None:
    assert offences(ast.parse(text))


@pytest.mark.parametrize(
    "text",
    ["import os\nos.replace(a, b)", "re.compile('x')", "np.load(path, allow_pickle=False)", "import importlib.util"],
)
def test_the_rule_leaves_the_rest_alone(text: str) -> None:
    assert not offences(ast.parse(text))

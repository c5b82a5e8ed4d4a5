"""`config print` and `config check`, the same for every program: what holds in the end, and what is wrong with it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from protocol.service.arguments import add_command, distribution_version, setting_flags
from protocol.service.config import load_and_explain
from protocol.service.effective import effective_settings, holds_login, settings_to_dict, settings_to_toml
from protocol.service.errors import ConfigError
from protocol.service.exit_codes import ExitCode
from protocol.service.given import GivenSetting, foreign_variables, refuse
from protocol.service.settings import FILE_SUFFIX, SettingKind, list_settings

_OTHERS_MAY_READ: Final = 0o004


def add_config_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    cls: type[Any],
    *,
    program: str,
    sample: str,
    add_settings: Callable[[argparse.ArgumentParser], None],
    cautions: Callable[[Any], Iterable[str]],
) -> None:
    """Add `config print` and `config check` for the settings of `cls`; both take every flag of `run`.

    sample: a file name for the examples. cautions: what of a valid configuration a careful person would change.
    """
    config = commands.add_parser("config", help="show the settings that hold, or check them")
    verbs = config.add_subparsers(required=True, metavar="VERB")

    def show(arguments: argparse.Namespace) -> int:
        return _print(arguments, cls, program, flag_names(printing))

    def check(arguments: argparse.Namespace) -> int:
        return _check(arguments, cls, cautions)

    printing = add_command(
        verbs,
        "print",
        show,
        summary="print the settings that hold as TOML, each with where it came from; secrets are masked",
        example=f"examples:\n  {program} config print --config {sample}\n  {program} config print > {sample}",
    )
    checking = add_command(
        verbs,
        "check",
        check,
        summary="say everything that is wrong with the settings, without starting anything",
        example=f"example:\n  {program} config check --config {sample}",
    )
    add_settings(printing)
    add_settings(checking)


def flag_names(parser: argparse.ArgumentParser) -> dict[str, str]:
    """The flag of every setting that has one, by dotted name."""
    return {
        action.dest: action.option_strings[-1]
        for action in parser._actions
        if "." in action.dest and action.option_strings
    }


def _print(arguments: argparse.Namespace, cls: type[Any], program: str, flags: dict[str, str]) -> int:
    config, given = load_and_explain(
        cls, path=arguments.config, environ=os.environ, flags=setting_flags(arguments), report=refuse
    )
    settings = effective_settings(config, given, flags=flags)
    if arguments.json:
        print(json.dumps({"settings": settings_to_dict(settings)}))
    else:
        heading = f"Settings of {program} {distribution_version()}; a flag beats the environment, that beats the file."
        print(settings_to_toml(settings, heading=heading))
    return 0


def _check(arguments: argparse.Namespace, cls: type[Any], cautions: Callable[[Any], Iterable[str]]) -> int:
    problems: list[ConfigError] = []
    config, given = load_and_explain(
        cls, path=arguments.config, environ=os.environ, flags=setting_flags(arguments), report=problems.append
    )
    known = {setting.name: setting for setting in list_settings(cls)}
    warnings = [
        *_secrets_in_the_open(known, given, arguments.config),
        *(f"{name} is no setting of this command and is ignored" for name in foreign_variables(known, os.environ)),
        *([] if config is None else cautions(config)),
    ]
    exit_code = int(ExitCode.CONFIGURATION if problems else ExitCode.OK)
    if arguments.json:
        found = {"problems": [str(problem) for problem in problems], "warnings": warnings}
        print(json.dumps({"ok": not problems, "exit_code": exit_code, **found}))
        return exit_code
    for problem in problems:
        print(f"error: {' '.join(str(problem).split())}", file=sys.stderr)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if not problems:
        print(f"The settings are valid: {len(given)} of {len(known)} given, the others at their defaults.")
    return exit_code


def _secrets_in_the_open(
    known: dict[str, SettingKind], given: dict[str, GivenSetting], path: Path | None
) -> Iterable[str]:
    """Passwords where others on this machine can read them."""
    for name, setting in given.items():
        if name.endswith(FILE_SUFFIX):
            twin = known.get(name.removesuffix(FILE_SUFFIX))
            if twin is not None and twin.secret:
                file = Path(str(setting.value)).expanduser()
                file = file if setting.folder is None else setting.folder / file
                if _open_to_others(file):
                    yield f"{file} holds a password that everybody on this machine may read: chmod 600 {file}"
            continue
        if not (known[name].secret or (isinstance(setting.value, str) and holds_login(setting.value))):
            continue
        if setting.from_flag:
            yield f"'{name}' has a password on the command line, which everybody on this machine can see: use a file"
        elif path is not None and setting.origin == str(path) and _open_to_others(path):
            yield f"{path} holds a password that everybody on this machine may read: chmod 600 {path}"


def _open_to_others(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & _OTHERS_MAY_READ)
    except OSError:
        return False  # that it cannot be read is said elsewhere

"""What was said about a command's settings, and where: in a TOML file, in the environment, by flags."""

from __future__ import annotations

import difflib
import logging
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from protocol.service.errors import ConfigError
from protocol.service.settings import ENVIRONMENT_PREFIX, FILE_SUFFIX, SECTION_SEPARATOR

logger = logging.getLogger(__name__)

Report: TypeAlias = Callable[[ConfigError], object]
"""What becomes of a problem: `refuse` ends at the first, `list.append` collects them all."""


def refuse(problem: ConfigError) -> NoReturn:
    """The report of those who need every setting right."""
    raise problem


@dataclass(frozen=True, slots=True)
class GivenSetting:
    """One value as it was given, and where, for error texts."""

    value: object
    origin: str
    from_text: bool  # environment and flags carry text; TOML carries types, which are then taken strictly
    folder: Path | None = None  # relative paths in a file mean: relative to that file
    from_flag: bool = False


def gather(
    known: Mapping[str, Any], *, path: Path | None, environ: Mapping[str, str], flags: Mapping[str, Any], report: Report
) -> dict[str, GivenSetting]:
    """Everything that was given, by dotted name, the stronger source winning: flag, then environment, then file.

    A name of `known` with `_file` behind it stands for a file that holds the value.
    """
    given: dict[str, GivenSetting] = {}
    if path is not None:
        given.update(_from_file(path, known, report))
    _merge(given, _from_environment(environ, known, report))
    _merge(given, _from_flags(flags, known))
    return given


def foreign_variables(known: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
    """Variables that look like settings and belong to no section here: meant for another command, or misspelt."""
    sections = {name.split(".")[0] for name in known if "." in name}
    names = [(variable, _name_of(variable)) for variable in environ if variable.startswith(ENVIRONMENT_PREFIX)]
    return sorted(
        variable for variable, name in names if not _stands_for(name, known) and name.split(".")[0] not in sections
    )


def _merge(given: dict[str, GivenSetting], higher: dict[str, GivenSetting]) -> None:
    """Let `higher` win; a setting and its `_file` twin are one and the same, or a password would outlive its file."""
    for name in higher:
        twin = name.removesuffix(FILE_SUFFIX) if name.endswith(FILE_SUFFIX) else name + FILE_SUFFIX
        if twin not in higher:
            given.pop(twin, None)
    given.update(higher)


def _from_file(path: Path, known: Mapping[str, Any], report: Report) -> dict[str, GivenSetting]:
    table = _read(path, report)
    sections = {name.rpartition(".")[0] for name in known} - {""}
    sections |= {name.split(".")[0] for name in sections}
    given = {}
    for name, value in _flatten(table, sections):
        if name in sections:
            report(ConfigError(f"{path}: '{name}' is a section, write [{name}] and its keys below it"))
        elif _stands_for(name, known):
            given[name] = GivenSetting(value, str(path), from_text=False, folder=path.parent)
        else:
            report(ConfigError(f"{path}: unknown key '{name}'{_nearest(name, known, sections)}"))
    return given


def _read(path: Path, report: Report) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        report(ConfigError(f"configuration file not found at {path}"))
    except OSError as error:
        report(ConfigError(f"cannot read the configuration file {path}: {error.strerror}"))
    except ValueError as error:  # tomllib's own, Unicode's, and Python's for a number of more than 4300 digits
        report(ConfigError(f"{path} is not valid TOML: {error}"))
    except RecursionError:
        report(ConfigError(f"{path} is not valid TOML: brackets within brackets without end"))
    return {}


def _flatten(table: Mapping[str, Any], sections: set[str], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and name in sections:
            yield from _flatten(value, sections, f"{name}.")
        else:
            yield name, value


def _nearest(name: str, known: Mapping[str, Any], sections: set[str]) -> str:
    candidates = [*known, *sections]
    # First a right key in the wrong section, whose letters may be less like it than those of a neighbour there.
    last = name.rpartition(".")[2]
    close = [other for other in candidates if other.rpartition(".")[2] == last]
    close = close if len(close) == 1 else difflib.get_close_matches(name, close or candidates, n=1, cutoff=0.6)
    if close:
        return f"; the nearest known one is '{close[0]}'"
    return f"; known keys are {', '.join(sorted(known))}"


def _stands_for(name: str, known: Mapping[str, Any]) -> bool:
    return name in known or (name.endswith(FILE_SUFFIX) and name.removesuffix(FILE_SUFFIX) in known)


def _name_of(variable: str) -> str:
    return variable.removeprefix(ENVIRONMENT_PREFIX).lower().replace(SECTION_SEPARATOR, ".")


def _from_environment(environ: Mapping[str, str], known: Mapping[str, Any], report: Report) -> dict[str, GivenSetting]:
    sections = {name.split(".")[0] for name in known if "." in name}
    given = {}
    for variable, text in environ.items():
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        name = _name_of(variable)
        if _stands_for(name, known):
            given[name] = GivenSetting(text, variable, from_text=True)
        elif name.split(".")[0] in sections:
            report(ConfigError(f"unknown setting in the environment, {variable}{_nearest(name, known, set())}"))
        else:
            logger.debug("ignored %s: this command has no such setting", variable)  # meant for another command
    return given


def _from_flags(flags: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, GivenSetting]:
    unknown = [name for name in flags if name not in known]
    if unknown:
        raise ValueError(f"flags that name no setting: {unknown}; settings are {sorted(known)}")
    return {
        name: GivenSetting(value, "flag", from_text=True, from_flag=True)
        for name, value in flags.items()
        if value is not None
    }

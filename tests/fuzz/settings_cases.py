"""Configuration files and environments that a tired or a hostile hand has written."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

from protocol.service.settings import SettingKind
from tests.fuzz.mutations import damage, noise

_ODD: Final = (
    "true", "false", "0", "-1", "1", "16", "100", "65536", "9223372036854775807", "9223372036854775808",
    "1" + "0" * 400, "9" * 5000,
    "-" + "9" * 5000, "0x" + "f" * 5000, "0b1", "0o7", "1_000", "1__0", "01", "1.5", "1e300", "1e400", "-0.0", "nan",
    "inf", "-inf",
    '""', '"a"', '"lobby"', '"a/+/#"', '"mic"', '"auto"', '"cpu"', '"-"', '"null"', '"1,2"', '"\\u0000"', '"\\ud800"',
    '"\\U0010ffff"',
    '"\\x41"', "'''\na\n'''", '"""a', '"' + "x" * 5000 + '"', '"~nobody-here/x"', '"~"', '"/dev/null"', '"/"', '"."',
    '"mqtt://"',
    '"mqtts://[::1"', '"mqtt://a:b@c:99999"', '"mqtt://a:b@c:0,ws://d/e"', '"٣"', '"²"', "[]", "[1, 2]", '["a", "b"]',
    "[[[[1]]]]",
    "[" * 500, "[" * 500 + "]" * 500, "{}", "{a = 1}", "{a = {b = {c = 1}}}", "{a = 1, a = 2}", "1979-05-27",
    "1979-13-27",
    "1979-05-27T07:32:00Z", "07:32:00", "1979-05-27T07:32:00+99:99", "", "=", "nul",
)  # fmt: skip


class TomlCases:
    """Makes TOML out of a command's `settings`: some right, some wrong, in the right section or another."""

    def __init__(self, settings: Sequence[SettingKind], samples: Sequence[bytes]) -> None:
        self._settings = tuple(settings)
        self._sections = sorted({setting.section for setting in settings})
        self._samples = tuple(samples)

    def __call__(self, random: Random) -> bytes:
        kind = random.random()
        if kind < 0.05:
            return noise(random)
        if kind < 0.25:
            return damage(random.choice(self._samples), random, self._samples)
        data = "\n".join(self._lines(random)).encode("utf-8", "surrogatepass")
        return damage(data, random, self._samples) if kind < 0.4 else data

    def _lines(self, random: Random) -> list[str]:
        lines: list[str] = []
        for _ in range(random.randint(1, 3)):
            section = random.choice(self._sections)
            heading = random.choice(("[{0}]", "[{0}]", "[[{0}]]", "[{0}.{0}]", ""))
            lines.append(heading.format(section))
            for setting in random.sample(self._settings, random.randint(0, 3)):
                key = setting.key if setting.section == section or random.random() < 0.2 else f"{section}.{setting.key}"
                lines.append(f"{key}{random.choice(('', '', '', '_file'))} = {random.choice(_ODD)}")
        if random.random() < 0.05:
            lines.append(".".join("a" * random.choice((5, 100))) + " = 1")
        if random.random() < 0.1:
            lines.append(random.choice(lines))
        return lines


class EnvironmentCases:
    """Makes environments: `NAME=value` entries with a NUL byte between them, as the kernel keeps them."""

    def __init__(self, settings: Sequence[SettingKind]) -> None:
        self._settings = tuple(settings)

    def __call__(self, random: Random) -> bytes:
        entries = []
        for setting in random.sample(self._settings, random.randint(1, 3)):
            name = setting.variable + random.choice(("", "", "", "", "_FILE", "X", "__A"))
            text = random.choice(_ODD).strip('"').encode("utf-8", "surrogatepass")
            value = damage(text, random, (b"lobby", b"mqtt://127.0.0.1:1883")) if random.random() < 0.3 else text
            entries.append(name.encode() + b"=" + value.replace(b"\0", b""))
        return b"\0".join(entries)


def environment_of(case: bytes) -> dict[str, str]:
    """The environment as Python would show it."""
    pairs = (entry.decode("utf-8", "surrogateescape").partition("=") for entry in case.split(b"\0"))
    return {name: value for name, _, value in pairs if name}

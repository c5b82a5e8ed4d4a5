"""A small disk of our own that can be filled up: a tmpfs in the mount namespace of this process."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Final, Self

SIZE_BYTES: Final = 4 * 2**20
_BLOCK: Final = bytes(4096)


class Disk:
    """Mounted at `folder`, which is made. A context manager, not reusable; needs a mount namespace of our own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES}", "tmpfs", str(self.folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], capture_output=True, check=False)

    def fill(self) -> None:
        """Until not one byte more goes in."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(_BLOCK)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def free(self) -> None:
        """As it was."""
        self._filler.unlink()

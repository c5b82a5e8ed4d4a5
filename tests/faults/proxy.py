"""Where namespaces and TUN devices are not permitted: a TCP proxy that delays, slows and stops what passes.

It can lose nothing, because TCP would send it again: rows that need lost packets can not run on it.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from tests.faults.impairment import Spell, impairment_at

HOST = "127.0.0.1"
_CHUNK = 512
_LOOK_S = 0.05
_JOIN_S = 5.0


class ProxyLink:
    """Listens on a free port of loopback and passes on to `target_port`. A context manager, not reusable."""

    def __init__(self, spells: Sequence[Spell], *, target_port: int) -> None:
        self._spells = tuple(spells)
        self._target_port = target_port
        self._begun_at = math.inf
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy-link", daemon=True)
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(_JOIN_S):
            raise OSError("the proxy does not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_JOIN_S)

    def begin(self, at: float) -> None:
        """The faults' zero, by `time.monotonic`."""
        self._begun_at = at

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, HOST, 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self._target_port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer), return_exceptions=True)
        writer.close()
        far_writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction, in order: a chunk waits out darkness, then its delay, then the time it takes at that rate."""
        try:
            while chunk := await reader.read(_CHUNK):
                while (wrong := impairment_at(self._spells, time.monotonic() - self._begun_at)).dark:
                    await asyncio.sleep(_LOOK_S)
                wait_s = wrong.delay_ms / 1000
                if wrong.rate_kbps is not None:
                    wait_s += len(chunk) * 8 / 1000 / wrong.rate_kbps
                if wait_s:
                    await asyncio.sleep(wait_s)
                writer.write(chunk)
                await writer.drain()
        finally:
            writer.close()

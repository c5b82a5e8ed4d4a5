"""One step as a CUDA graph: a thousand kernels started at once instead of one by one."""

from __future__ import annotations

from collections.abc import Callable

import torch

WARM_UP_STEPS = 3
"""Runs before the capture, in which libraries choose their kernels and take their workspaces."""


class GraphCapture:
    """Captures steps on `device` whose graphs share one pool of memory, so they must run one at a time."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        # The default stream cannot be captured.
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()

    def capture(self, step: Callable[[], None]) -> Callable[[], None]:
        """What repeats all that `step` does on the device: `step` runs a few times, then once more to be captured.

        It must read and write the same memory at every run, and wait for the device nowhere. What it leaves anywhere
        but in memory from before the capture may be overwritten by the next graph. Raises RuntimeError where it fails.
        """
        with torch.cuda.device(self._device):
            here = torch.cuda.current_stream(self._device)
            self._stream.wait_stream(here)
            with torch.cuda.stream(self._stream):
                for _ in range(WARM_UP_STEPS):
                    step()
            here.wait_stream(self._stream)
            graph = torch.cuda.CUDAGraph()
            try:
                # thread_local: what other threads do on the device meanwhile is none of this capture's business.
                with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
                    step()
            finally:
                torch.cuda.set_stream(here)  # a capture that fails leaves its own stream behind as the current one
        return graph.replay

"""What a step would do on a GPU that breaks a graph of it, noted while it runs elsewhere."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

WAITING = ("_local_scalar_dense", "item", "nonzero", "is_nonzero", "equal", "unique", "masked_select")
"""Operations whose result the processor must wait for."""


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Names of the operations that run, and devices that they make tensors on."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()
        self.devices: set[str] = set()
        self.masks = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function.__name__.split(".")[0]
        self.names.add(name)
        if name in ("index", "index_put", "index_put_"):
            self.masks += sum(isinstance(index, Tensor) and index.dtype == torch.bool for index in args[1])
        result = function(*args, **(kwargs or {}))
        for made in result if isinstance(result, tuple | list) else [result]:
            if isinstance(made, Tensor):
                self.devices.add(made.device.type)
        return result

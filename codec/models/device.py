"""Which device torch runs on, named or an error, never another one than was asked for; and how exactly."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from codec.errors import DeviceError

logger = logging.getLogger(__name__)

_NAMES = re.compile(r"auto|cpu|cuda(?::\d{1,3})?")


def torch_device(name: str) -> torch.device:
    """The device called `name`: "cpu", "cuda" or "cuda:1"; "auto" is the first GPU where there is one, else the CPU.

    Which of the two is logged. Raises DeviceError where it is not there.
    """
    if _NAMES.fullmatch(name) is None:
        raise DeviceError(f"Unknown device {name!r} — known are auto, cpu, cuda and cuda:0, cuda:1, …")
    if name == "auto":
        name = "cuda:0" if torch.cuda.is_available() else "cpu"
        logger.info("torch runs on %s", name)
    if name == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise DeviceError(
            f"{name} was asked for but torch finds no GPU: use the device cpu, or install a CUDA build of torch"
        )
    index = int(name.partition(":")[2] or 0)
    if index >= torch.cuda.device_count():
        raise DeviceError(f"{name} was asked for but this machine has {torch.cuda.device_count()} GPUs, from cuda:0 on")
    return torch.device("cuda", index)


@contextmanager
def exact_float32(device: torch.device) -> Iterator[None]:
    """While it lasts, a GPU computes float32 as float32.

    Torch's own choice for convolutions is TF32, whose 10 bits of mantissa are enough to choose other codes. The
    switches are the process's own, so they are put back.
    """
    if device.type != "cuda":
        yield
        return
    convolution, product = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = convolution, product

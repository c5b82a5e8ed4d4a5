"""The official package, `qwen-tts` with transformers 4.57.3, as a worker: run by .venv-oracle, see scripts/oracle.sh.

Nothing of ours computes here. `--check` says whether it starts, and ends.
"""

from __future__ import annotations

import importlib.machinery
import os
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.proc import memory_bytes
from benchmarks.qwen3.pipe import Answer, Arrays, Operation, Parameters, Stopwatch, serve

SAMPLE_RATE = 24_000


def stand_in_for(name: str, *attributes: str) -> None:
    """Put an empty module `name` where an import looks for it; `attributes` are there, and must not be called.

    qwen_tts imports its 25 Hz tokenizer whatever one asks for, and that imports these. None is used at 12 Hz.
    """
    module = types.ModuleType(name)
    # transformers asks importlib whether a package is there, which takes a module without a spec for a fault.
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    for attribute in attributes:
        setattr(module, attribute, None)
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)


for _name in ("sox", "torchaudio", "torchaudio.compliance", "torchaudio.compliance.kaldi", "librosa"):
    stand_in_for(_name)
stand_in_for("librosa.filters", "mel")
stand_in_for("einops", "rearrange", "repeat")

from qwen_tts import Qwen3TTSTokenizer  # noqa: E402  # after the stand-ins
from qwen_tts.core import Qwen3TTSTokenizerV2Model  # noqa: E402
from transformers import EncodecFeatureExtractor  # noqa: E402
from transformers.masking_utils import create_sliding_window_causal_mask  # noqa: E402
from transformers.models.mimi import modeling_mimi  # noqa: E402


class Official:
    """The operations. `load` comes first, and says with which of the models so far the others work."""

    def __init__(self) -> None:
        self.model: Any = None
        self._models: dict[str, tuple[Any, Parameters]] = {}

    def operations(self) -> dict[str, Operation]:
        """By name."""
        names = ("load", "encode", "decode", "decode_window", "chunked_decode", "tokenizer_encode", "tokenizer_decode")
        return {name: getattr(self, name) for name in (*names, "memory")}

    def load(self, _: Arrays, parameters: Parameters) -> Answer:
        """The release in `folder`; `missing` and `surplus` name the tensors that file and model do not share."""
        folder = parameters["folder"]
        if folder not in self._models:
            model, notes = Qwen3TTSTokenizerV2Model.from_pretrained(folder, output_loading_info=True)
            said = {"missing": sorted(notes["missing_keys"]), "surplus": sorted(notes["unexpected_keys"])}
            said["dtypes"] = sorted({str(value.dtype) for value in model.parameters()})
            self._models[folder] = model.eval(), said
        self.model, said = self._models[folder]
        return Answer({}, said)

    def encode(self, arrays: Arrays, parameters: Parameters) -> Answer:
        """pcm [B, samples] to codes [B, 16, N] and latents [B, width, N], what was quantised.

        `windowed`: the attention sees `sliding_window` steps, the current one included, as the configuration says and
        as only flash attention does by itself.
        """
        pcm = torch.from_numpy(arrays["pcm"])
        latents: list[Tensor] = []
        hook = self.model.encoder.downsample.register_forward_hook(lambda _, __, output: latents.append(output))
        try:
            with torch.inference_mode(), sliding_window(bool(parameters.get("windowed"))), Stopwatch() as watch:
                codes = self.model.encode(pcm, torch.ones_like(pcm, dtype=torch.long)).audio_codes
        finally:
            hook.remove()
        stacked = torch.stack([row.T for row in codes])
        return _timed({"codes": stacked.numpy(), "latents": latents[0].numpy()}, watch)

    def decode(self, arrays: Arrays, _: Parameters) -> Answer:
        """codes [B, K, N] to pcm [B, samples], in one pass. K below 16: those layers, then all that follows."""
        codes = torch.from_numpy(arrays["codes"])
        decoder = self.model.decoder
        with torch.inference_mode(), Stopwatch() as watch:
            if codes.shape[1] == decoder.config.num_quantizers:
                pcm = decoder(codes)
            else:
                pcm = _after_quantizer(decoder, decoder.quantizer.decode(codes))
        return _timed({"pcm": pcm[:, 0].numpy()}, watch)

    def decode_window(self, arrays: Arrays, parameters: Parameters) -> Answer:
        """The last frame of codes [B, 16, 1 + context]: one step of `chunked_decode` with a chunk of 1, under way."""
        codes, count = torch.from_numpy(arrays["codes"]), int(parameters.get("count", 1))
        decoder = self.model.decoder
        skipped = (codes.shape[-1] - 1) * int(decoder.total_upsample)
        cpu, wall = [], []
        with torch.inference_mode():
            for _ in range(count):
                with Stopwatch() as watch:
                    pcm = decoder(codes)[..., skipped:]
                cpu.append(watch.cpu_s)
                wall.append(watch.wall_s)
        return Answer({"pcm": pcm[:, 0].numpy(), "cpu_s": np.array(cpu), "wall_s": np.array(wall)}, {})

    def chunked_decode(self, arrays: Arrays, parameters: Parameters) -> Answer:
        """codes [B, 16, N] to pcm by the package's own method, with its own defaults unless told `chunk`, `context`."""
        settings = {"chunk_size": "chunk", "left_context_size": "context"}
        given = {theirs: parameters[ours] for theirs, ours in settings.items() if ours in parameters}
        with torch.inference_mode(), Stopwatch() as watch:
            pcm = self.model.decoder.chunked_decode(torch.from_numpy(arrays["codes"]), **given)
        return _timed({"pcm": pcm[:, 0].numpy()}, watch)

    def tokenizer_encode(self, arrays: Arrays, _: Parameters) -> Answer:
        """Recordings of any length by `Qwen3TTSTokenizer.encode`, as one batch: codes [T, 16] by the same names."""
        codes = self._tokenizer().encode(list(arrays.values()), sr=SAMPLE_RATE).audio_codes
        return Answer({name: value.numpy() for name, value in zip(arrays, codes, strict=True)}, {})

    def tokenizer_decode(self, _: Arrays, parameters: Parameters) -> Answer:
        """pcm of the .pt file `path`, by `Qwen3TTSTokenizer.decode`, read without running code from it."""
        waves, rate = self._tokenizer().decode(torch.load(parameters["path"], weights_only=True))
        return Answer({str(index): wave for index, wave in enumerate(waves)}, {"sample_rate": rate})

    def memory(self, _: Arrays, __: Parameters) -> Answer:
        """Bytes resident now, and the most there ever were."""
        own = os.getpid()
        return Answer({}, {"now": memory_bytes(own), "peak": memory_bytes(own, "VmHWM")})

    def _tokenizer(self) -> Qwen3TTSTokenizer:
        """The official front of the model that is loaded, with the feature extractor of the release."""
        tokenizer = Qwen3TTSTokenizer()
        tokenizer.model, tokenizer.config, tokenizer.device = self.model, self.model.config, torch.device("cpu")
        tokenizer.feature_extractor = EncodecFeatureExtractor(feature_size=1, sampling_rate=SAMPLE_RATE)
        return tokenizer


@contextmanager
def sliding_window(wanted: bool) -> Iterator[None]:
    """Give Mimi's transformer the package's own sliding mask: asked for by its configuration, left out by its code."""
    plain = modeling_mimi.create_causal_mask
    if wanted:
        modeling_mimi.create_causal_mask = create_sliding_window_causal_mask
    try:
        yield
    finally:
        modeling_mimi.create_causal_mask = plain


def _after_quantizer(decoder: Any, hidden: Tensor) -> Tensor:
    """What the decoder's forward does after its quantiser, which it only lets have all 16 layers."""
    hidden = decoder.pre_conv(hidden).transpose(1, 2)
    hidden = decoder.pre_transformer(inputs_embeds=hidden).last_hidden_state.permute(0, 2, 1)
    for stage in decoder.upsample:
        for part in stage:
            hidden = part(hidden)
    for part in decoder.decoder:
        hidden = part(hidden)
    return hidden.clamp(min=-1, max=1)


def _timed(arrays: Arrays, watch: Stopwatch) -> Answer:
    return Answer(arrays, {"cpu_s": watch.cpu_s, "wall_s": watch.wall_s})


def main() -> int:
    if "--check" in sys.argv[1:]:
        return 0
    torch.set_num_threads(1)
    return serve(Official().operations())


if __name__ == "__main__":
    raise SystemExit(main())

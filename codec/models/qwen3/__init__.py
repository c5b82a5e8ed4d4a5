"""Qwen3-TTS-Tokenizer-12Hz: the codec of record. 24 kHz mono, 16 layers of 2048 at 12.5 Hz, 2.2 kbit/s.

Our own implementation, on the shared streaming layers, of what the released config.json and the tensor names of the
released weights describe: a SEANet encoder and a transformer as in Mimi, a split residual quantiser, and a decoder of
transformer, ConvNeXt upsampling and SnakeBeta blocks. Everything is causal: a stream gives what one pass gives.
Sources: Qwen3-TTS technical report (Qwen team, 2026); Moshi (Défossez et al., 2024) for Mimi.
"""

from codec.models.qwen3.config import Qwen3Config, Qwen3DecoderConfig, Qwen3EncoderConfig
from codec.models.qwen3.decoder import Qwen3Decoder
from codec.models.qwen3.encoder import Qwen3Encoder
from codec.models.qwen3.model import Qwen3Tokenizer
from codec.models.qwen3.weights import load_qwen3

__all__ = [
    "Qwen3Config",
    "Qwen3Decoder",
    "Qwen3DecoderConfig",
    "Qwen3Encoder",
    "Qwen3EncoderConfig",
    "Qwen3Tokenizer",
    "load_qwen3",
]

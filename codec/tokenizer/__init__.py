"""The codec as a Python object: recordings in, tokens out, and back; of any length, in bounded memory.

    tokenizer = Tokenizer.load("Qwen/Qwen3-TTS-Tokenizer-12Hz", device="cuda")
    tokens = tokenizer.encode(["talk.flac", "https://host/talk.mp3", (samples, 44100)])
    waves, rate = tokenizer.decode(tokens)

Whoever streams, frame by frame, takes the sessions of `load_encoder` and `load_decoder` instead.
"""

from codec.tokenizer.tokenizer import Tokenizer
from codec.tokenizer.tokens import Tokens

__all__ = ["Tokenizer", "Tokens"]

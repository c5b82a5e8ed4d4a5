"""Qwen3-TTS-Tokenizer-12Hz: ours and the official package side by side."""

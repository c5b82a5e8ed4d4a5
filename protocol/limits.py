"""Every limit of the wire, in one place. SPEC.md repeats them; tests keep both equal."""

from __future__ import annotations

from typing import Final

WIRE_VERSION: Final = 1
"""The number in the topics and in the JSON messages."""

MAX_FRAMES_PER_PACKET: Final = 25
"""Two seconds at 12.5 frames a second: nobody waits longer for one packet."""
MAX_LAYERS: Final = 32
MAX_CODEBOOK_SIZE: Final = 65536
"""Codes are 16-bit unsigned integers at both ends."""
MAX_TIERS: Final = 4
"""Topics t0 to t3."""

MAX_PACKET_BYTES: Final = 2048
"""The largest packet (25 frames x 32 layers x 16 bits) has 1616 bytes; the rest is room for later fields."""
MAX_CLIP_BYTES: Final = 65536
MAX_EVENT_BYTES: Final = 256
MAX_MANIFEST_BYTES: Final = 600
"""What a gateway may write. It is kept by the broker and comes first to every player, on the thinnest link too."""
MAX_MANIFEST_READ_BYTES: Final = 1024
"""What a player reads: more than gateways write today, so that later fields fit."""
MAX_STATUS_BYTES: Final = 2048
MAX_TABLES_BYTES: Final = 4_194_304
"""Of a file of entropy tables; those of nano have a tenth of it."""

MAX_RATE_FACTOR: Final = 4
"""A stream that sends more than so many times its usual number of packets a second is a flood."""
MAX_BURST_S: Final = 15
"""Packets of so many seconds may come at once: a sender or a broker that catches up after a stall."""

MAX_ARRAY_FIELDS: Final = 16
MAX_TEXT_BYTES: Final = 256
"""The longest msgpack string in an array, in bytes of UTF-8."""

MAX_EPOCH: Final = 2**64 - 1
MAX_EPOCH_LOW7: Final = 127
MAX_SERIAL: Final = 2**32 - 1
MAX_FRAME_INDEX: Final = 2**53 - 1
"""Extended indices and times stay exact in every language, also where all numbers are doubles."""
MAX_UTC_MS: Final = 2**53 - 1

MIN_SAMPLE_RATE: Final = 8000
MAX_SAMPLE_RATE: Final = 96000
MAX_CODEC_DELAY_S: Final = 10
MAX_PLAYOUT_DELAY_MS: Final = 60_000
MAX_TITLE_LENGTH: Final = 64
MAX_REASON_LENGTH: Final = 200
MAX_STATS: Final = 64
MAX_STAT_TEXT_LENGTH: Final = 128
MAX_PRIORITY: Final = 9
MAX_RATE_PPM: Final = 100_000.0
"""Ten percent: no sound card is that wrong, so more is an error of measurement."""
MAX_GAP_FRAMES: Final = 2**31 - 1

"""What nano's entropy tables save, by layers and frames a packet: payload bytes of packets coded and packed.

On speech that the tables were not learned from, by default the originals of docs/listening (eight voices in five
languages). Time is of one packet on one core. Damage: single bits of coded strings flipped, and how often it is found.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Options, Row, add_report_options, describe_machine, median, pin_to_core, report
from codec import Tokenizer
from codec.packaged import PACKAGED_VERSIONS, packaged_folder
from protocol.entropy import TABLES_NAME, CodesCoder, EntropyTables, decode_tables
from protocol.errors import PacketError
from protocol.packing import bits_per_code, packed_bytes

SPEECH: Final = Path(__file__).parents[1] / "docs/listening/original"
LAYERS: Final = (16, 8, 4, 2)
FRAMES_PER_PACKET: Final = (1, 2, 5, 10, 25)
FRAMES_PER_S: Final = 12.5
TIMED_PACKETS: Final = 100
FLIPS: Final = 2000


@dataclass(frozen=True, slots=True)
class _Packet:
    codes: NDArray[np.uint16]
    packed: int
    """Bytes."""
    coded: bytes

    @property
    def sent(self) -> int:
        """Bytes: of what is shorter."""
        return min(self.packed, len(self.coded))


def main() -> int:
    summary = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.entropy", description=summary)
    parser.add_argument("--speech", type=Path, default=SPEECH, metavar="DIR", help="FLAC or WAV (default: %(default)s)")
    parser.add_argument("--tables", type=Path, metavar="FILE", help="default: those of the package")
    add_report_options(parser, "entropy")
    given = parser.parse_args()
    pin_to_core(given.core)
    packaged = packaged_folder(PACKAGED_VERSIONS["nano"]).joinpath(TABLES_NAME)
    data = (given.tables or packaged).read_bytes()
    tables = decode_tables(data)
    recordings = _encode(given.speech)
    seconds = sum(codes.shape[1] for codes in recordings) / FRAMES_PER_S
    rows = [_measure(tables, recordings, layers, frames) for layers in LAYERS for frames in FRAMES_PER_PACKET]
    found = _found_share(tables, recordings)
    report(
        Options(core=given.core, seconds=seconds, out=given.out, json=given.json),
        title=f"Entropy coding of nano, {len(recordings)} recordings, {seconds:.0f} s, tables of {len(data)} bytes",
        rows=rows,
        machine=describe_machine(["numpy"]),
        notes=[
            "bytes: of the codes alone, mean; coded_percent of the packets are shorter coded, the others sent packed.",
            "ms: of one packet, median; decoding includes encoding it again, which finds damage.",
            f"single flipped bits found: {100 * found:.0f} % of {FLIPS}, five frames a packet; in packed codes none is",
        ],
    )
    return 0


def _encode(folder: Path) -> list[NDArray[np.uint16]]:
    files = sorted(path for path in folder.iterdir() if path.suffix in (".flac", ".wav"))
    if not files:
        raise SystemExit(f"{folder} has no FLAC or WAV files")
    return [codes.astype(np.uint16) for codes in Tokenizer.load("nano", device="cpu").encode(files).codes]


def _packets(coder: CodesCoder, recordings: Sequence[NDArray[np.uint16]], layers: int, frames: int) -> list[_Packet]:
    packed = packed_bytes(layers, frames, bits_per_code(coder.codebook_size))
    packets = []
    for codes in recordings:
        for first in range(0, codes.shape[1] - frames + 1, frames):
            part = np.ascontiguousarray(codes[:layers, first : first + frames])
            packets.append(_Packet(part, packed, coder.encode(part)))
    return packets


def _measure(tables: EntropyTables, recordings: Sequence[NDArray[np.uint16]], layers: int, frames: int) -> Row:
    coder = CodesCoder(tables, num_layers=layers)
    packets = _packets(coder, recordings, layers, frames)
    packed, sent = (sum(sizes) / len(packets) for sizes in ([p.packed for p in packets], [p.sent for p in packets]))
    encode_ms, decode_ms = [], []
    for packet in packets[:TIMED_PACKETS]:
        started = time.perf_counter()
        coder.encode(packet.codes)
        encoded = time.perf_counter()
        assert np.array_equal(coder.decode(packet.coded, frames), packet.codes)
        encode_ms.append(1000 * (encoded - started))
        decode_ms.append(1000 * (time.perf_counter() - encoded))
    return {
        "layers": layers,
        "frames": frames,
        "packed_bytes": packed,
        "sent_bytes": round(sent, 2),
        "packed_bits_per_frame": round(8 * packed / frames, 1),
        "sent_bits_per_frame": round(8 * sent / frames, 1),
        "saved_percent": round(100 * (1 - sent / packed), 2),
        "saved_bit_per_s": round(8 * (packed - sent) / frames * FRAMES_PER_S, 1),
        "coded_percent": round(100 * sum(p.sent < p.packed for p in packets) / len(packets)),
        "encode_ms": round(median(encode_ms), 3),
        "decode_ms": round(median(decode_ms), 3),
    }


def _found_share(tables: EntropyTables, recordings: Sequence[NDArray[np.uint16]]) -> float:
    random = np.random.default_rng(0)
    coder = CodesCoder(tables, num_layers=LAYERS[0])
    coded = [packet.coded for packet in _packets(coder, recordings, LAYERS[0], 5) if len(packet.coded) < packet.packed]
    found = 0
    for _ in range(FLIPS):
        damaged = bytearray(coded[random.integers(len(coded))])
        bit = int(random.integers(8 * len(damaged)))
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            coder.decode(bytes(damaged), 5)
        except PacketError:
            found += 1
    return found / FLIPS


if __name__ == "__main__":
    raise SystemExit(main())

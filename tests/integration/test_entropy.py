"""nano with its packaged tables: what real speech codes to, and a coded stream through Mosquitto to a player."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from codec import Tokenizer
from codec.packaged import PACKAGED_VERSIONS, packaged_folder
from protocol.entropy import CodesCoder, EntropyTables, find_tables
from protocol.packing import bits_per_code, packed_bytes
from tests.integration.nano_path import (
    CLIP,
    NanoStream,
    assert_every_frame_was_played,
    finish,
    play_through,
    processes,
    start_mosquitto,
)
from tests.integration.watcher import TOPICS, Watcher

SECONDS = 4
WITHOUT_TABLES = "import protocol.entropy.finding\nprotocol.entropy.finding.TABLES_NAME = 'none.vwe'\n"


@pytest.fixture(scope="module")
def tables() -> EntropyTables:
    folder = packaged_folder(PACKAGED_VERSIONS["nano"])
    spec = Tokenizer.load("nano", device="cpu").spec
    found = find_tables(
        [folder],
        weights_sha256=spec.weights_sha256,
        num_layers=spec.num_layers,
        codebook_size=spec.codebook_size,
    )
    assert found is not None, f"no tables of {spec.name} in {folder}"
    return found


def test_the_packaged_tables_are_those_of_the_release(tables: EntropyTables) -> None:
    """nano-1's stay as they are: players in the field have them."""
    assert tables.fingerprint == "dc65745bb01e8f0e"


@pytest.mark.parametrize("layers", [1, 4, 16])
@pytest.mark.parametrize("frames", [1, 5, 25])
def test_the_codes_of_speech_come_back_and_are_shorter_in_long_packets(
    tables: EntropyTables, layers: int, frames: int
) -> None:
    codes = Tokenizer.load("nano", device="cpu").encode(CLIP).codes[0].astype(np.uint16)[:layers]
    coder = CodesCoder(tables, num_layers=layers)
    sent = 0
    packed = packed_bytes(layers, frames, bits_per_code(tables.codebook_size))
    packets = range(0, codes.shape[1] - frames + 1, frames)
    for first in packets:
        part = np.ascontiguousarray(codes[:, first : first + frames])
        string = coder.encode(part)
        np.testing.assert_array_equal(coder.decode(string, frames), part)
        sent += min(packed, len(string))
    assert sent < (0.985 if frames == 25 else 1.001) * packed * len(packets)


@pytest.mark.broker
@pytest.mark.slow
def test_a_coded_stream_sounds_the_same_in_fewer_bytes(tmp_path: Path, tables: EntropyTables) -> None:
    options = [["--link", "wan", "--frames-per-packet", "10", "--entropy", entropy] for entropy in ("off", "auto")]
    packed, coded = play_through(tmp_path, options, seconds=SECONDS)
    assert (packed.gateway["entropy"], coded.gateway["entropy"]) == ("off", tables.fingerprint)
    for run in (packed, coded):
        assert_every_frame_was_played(run)
        assert run.player["packets_bad"] == run.player["manifests_refused"] == 0
    saved = packed.gateway["payload_bytes"] - coded.gateway["payload_bytes"]
    assert coded.gateway["entropy_bytes_saved"] == saved > 0
    sounds = [np.trim_zeros(soundfile.read(run.wav, dtype="int16")[0]) for run in (packed, coded)]
    np.testing.assert_array_equal(*sounds)
    assert len(sounds[0]) > (SECONDS - 1) * 16000


@pytest.mark.broker
def test_a_player_that_lacks_the_tables_says_so_and_ends_with_76(tmp_path: Path, tables: EntropyTables) -> None:
    with start_mosquitto(tmp_path / "broker") as broker, Watcher(broker.url) as watcher, processes() as start:
        stream = NanoStream("bare", start=start, watcher=watcher, broker=broker, folder=tmp_path)
        gateway = stream.start_gateway("--for", "20s", "--entropy", "on")
        watcher.wait_for_count(TOPICS.manifest("bare"), 1)
        arguments = ("run", "--stream", "bare", "--broker", broker.url, "--id", "bare", "--out", "null")
        player = start("edge_player", *arguments, prelude=WITHOUT_TABLES)
        _, err = player.communicate(timeout=30)
        assert player.returncode == 76
        assert f"is entropy-coded by the tables {tables.fingerprint}, this player has no tables of nano-1" in err
        _, refused = watcher.wait_for_status(
            stream.player_status, lambda status: status.state == "refused", "the refusal"
        )
        assert refused.reason is not None
        assert "put the gateway's entropy.vwe beside the decoder" in refused.reason
        gateway.terminate()
        finish(gateway)

"""Streams that are entropy-coded, at players that have the tables and at those that do not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from codec.spec import CodecSpec
from edge_player.buffer.jitter_buffer import Ready
from edge_player.errors import ModelMismatchError
from edge_player.intake.inbox import InboxKind, InboxMessage
from protocol.entropy import CodesCoder, EntropyTables
from protocol.manifest import StreamManifest
from protocol.packet import TokenPacket, encode_packet
from tests.edge_player.intake.post import Post
from tests.small_tables import likely_codes, small_tables

MakeManifest = Callable[..., StreamManifest]


@pytest.fixture
def tables(spec: CodecSpec) -> EntropyTables:
    return small_tables(spec.num_layers, spec.codebook_size, weights_sha256=spec.weights_sha256)


@pytest.fixture
def manifest(make_manifest: MakeManifest, tables: EntropyTables) -> StreamManifest:
    return dataclasses.replace(make_manifest(), entropy=tables.fingerprint)


def coded(tables: EntropyTables, manifest: StreamManifest, frames: int = 5) -> tuple[TokenPacket, bytes]:
    """A packet of the stream whose payload is shorter than packed."""
    packet = TokenPacket(manifest.epoch_low7, 0, likely_codes(tables, frames))
    coder = CodesCoder(tables, num_layers=tables.num_layers)
    payload = encode_packet(packet, codebook_size=tables.codebook_size, coder=coder)
    assert len(payload) < len(encode_packet(packet, codebook_size=tables.codebook_size))
    return packet, payload


def test_coded_packets_play_the_codes_that_were_sent(
    spec: CodecSpec, tables: EntropyTables, manifest: StreamManifest
) -> None:
    post = Post(spec, tables=tables, playout_delay_ms=0)
    post.manifest(manifest)
    packet, payload = coded(tables, manifest)
    post.raw(InboxKind.TOKENS, payload)
    for frame in range(5):
        pulled = post.timeline.pull(0.001 + 0.08 * frame)
        assert isinstance(pulled, Ready)
        np.testing.assert_array_equal(pulled.codes, packet.codes[:, frame])
    assert post.receiver.stats.packets_bad == 0


def test_packets_that_are_packed_play_in_the_same_stream(
    spec: CodecSpec, tables: EntropyTables, manifest: StreamManifest
) -> None:
    """A gateway sends packed what would be no shorter coded."""
    post = Post(spec, tables=tables, playout_delay_ms=0)
    post.manifest(manifest)
    packet, _ = coded(tables, manifest)
    post.raw(InboxKind.TOKENS, encode_packet(packet, codebook_size=spec.codebook_size))
    assert isinstance(post.timeline.pull(0.001), Ready)


def test_a_stream_whose_tables_are_missing_here_is_refused_in_words_and_counted(
    spec: CodecSpec, manifest: StreamManifest
) -> None:
    post = Post(spec)
    post.manifest(manifest)
    assert post.receiver.stats.manifests_refused == 1
    assert post.timeline.newest_epoch is None
    (state,) = post.states
    assert state.state == "refused"
    assert isinstance(state.error, ModelMismatchError)
    assert (state.error.exit_code, state.error.field, state.error.got) == (76, "entropy", None)
    assert str(state.error) == (
        f"The stream lobby is entropy-coded by the tables {manifest.entropy}, this player has no tables of toy: put "
        "the gateway's entropy.vwe beside the decoder, or start the gateway with --entropy off"
    )


def test_a_stream_of_other_tables_is_refused(spec: CodecSpec, manifest: StreamManifest) -> None:
    others = small_tables(spec.num_layers, spec.codebook_size, weights_sha256=spec.weights_sha256, seed=9)
    post = Post(spec, tables=others)
    post.manifest(manifest)
    assert post.receiver.stats.manifests_refused == 1
    assert f"this player has {others.fingerprint}" in str(post.states[0].reason)


def test_a_stream_that_is_not_coded_plays_with_and_without_tables(
    spec: CodecSpec, tables: EntropyTables, make_manifest: MakeManifest
) -> None:
    for had in (None, tables):
        post = Post(spec, tables=had)
        post.manifest(make_manifest())
        assert post.states[0].state == "online"


def test_a_coded_packet_in_a_stream_that_is_not_coded_is_a_bad_one(
    spec: CodecSpec, tables: EntropyTables, make_manifest: MakeManifest
) -> None:
    """What a player of before would make of coded packets: none of them is ever taken for codes."""
    post = Post(spec, tables=tables)
    manifest = make_manifest()
    post.manifest(manifest)
    post.raw(InboxKind.TOKENS, coded(tables, manifest)[1])
    assert post.receiver.stats.packets_bad == 1


def test_a_coded_string_that_no_writer_makes_is_counted_as_bad(
    spec: CodecSpec, tables: EntropyTables, manifest: StreamManifest
) -> None:
    post = Post(spec, tables=tables)
    post.manifest(manifest)
    _, payload = coded(tables, manifest)
    cut = payload[:-1].replace(bytes([0xC4, payload[5]]), bytes([0xC4, payload[5] - 1]), 1)
    post.raw(InboxKind.TOKENS, cut)
    assert post.receiver.stats.packets_bad == 1


def test_each_tier_is_decoded_alone(spec: CodecSpec, tables: EntropyTables, make_manifest: MakeManifest) -> None:
    manifest = dataclasses.replace(make_manifest(tiers=((0, 1), (1, 3))), entropy=tables.fingerprint)
    post = Post(spec, tables=tables, playout_delay_ms=0)
    post.manifest(manifest)
    codes = likely_codes(tables, 2)
    for tier, (first, count) in enumerate(((0, 1), (1, 3))):
        coder = CodesCoder(tables, first_layer=first, num_layers=count)
        packet = TokenPacket(manifest.epoch_low7, 0, codes[first : first + count].copy())
        payload = encode_packet(packet, codebook_size=spec.codebook_size, coder=coder)
        post.receiver.handle(InboxMessage(InboxKind.TOKENS, payload, 0.0, tier))
    pulled = post.timeline.pull(0.001)
    assert isinstance(pulled, Ready)
    np.testing.assert_array_equal(pulled.codes, codes[:, 0])

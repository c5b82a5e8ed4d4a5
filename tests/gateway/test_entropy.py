"""Whether a gateway codes its packets."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from codec.errors import ModelMissingError
from codec.spec import CodecSpec
from gateway import entropy
from gateway.config import CodecConfig, GatewayConfig, StreamConfig
from gateway.entropy import MIN_FRAMES, choose_tables
from gateway.publisher import Publisher
from protocol.entropy import TABLES_NAME, CodesCoder, EntropyTables, encode_tables
from protocol.packet import PacketLimits, TokenPacket, decode_packet
from protocol.service import PathOrName
from tests.small_tables import likely_codes, small_tables


@pytest.fixture
def tables(spec: CodecSpec) -> EntropyTables:
    return small_tables(spec.num_layers, spec.codebook_size, weights_sha256=spec.weights_sha256)


@pytest.fixture
def model(tmp_path: Path, tables: EntropyTables) -> Path:
    """A folder of a model with its tables."""
    (tmp_path / TABLES_NAME).write_bytes(encode_tables(tables))
    return tmp_path


def config(model: Path | None, **stream: Any) -> GatewayConfig:
    codec = CodecConfig(model=None if model is None else PathOrName(model))
    return GatewayConfig(stream=StreamConfig(**stream), codec=codec)


@pytest.mark.parametrize(
    ("setting", "frames", "coded"),
    [
        ("on", 1, True),
        ("off", 25, False),
        ("auto", MIN_FRAMES - 1, False),
        ("auto", MIN_FRAMES, True),
    ],
)
def test_packets_are_coded_where_that_is_asked_for_or_pays(
    spec: CodecSpec, model: Path, tables: EntropyTables, setting: str, frames: int, coded: bool
) -> None:
    chosen = choose_tables(config(model, entropy=setting, frames_per_packet=frames), spec)
    assert (chosen is not None) == coded
    assert chosen is None or chosen.fingerprint == tables.fingerprint


@pytest.mark.parametrize(("link", "coded"), [("lan", False), ("wan", False), ("narrow", True)])
def test_by_default_only_the_narrow_link_codes(spec: CodecSpec, model: Path, link: str, coded: bool) -> None:
    assert (choose_tables(config(model, link=link), spec) is not None) == coded


def test_the_tables_lie_beside_a_model_that_is_named_by_its_file(spec: CodecSpec, model: Path) -> None:
    file = model / "encoder.onnx"
    file.write_bytes(b"")
    assert choose_tables(config(file, entropy="on"), spec) is not None


def test_without_tables_auto_packs_and_on_is_refused_in_words(spec: CodecSpec, tmp_path: Path) -> None:
    assert choose_tables(config(tmp_path, link="narrow"), spec) is None
    with pytest.raises(ModelMissingError, match="no entropy tables of toy") as refused:
        choose_tables(config(tmp_path, entropy="on"), spec)
    assert refused.value.exit_code == 66
    assert TABLES_NAME in str(refused.value)


def test_tables_of_other_weights_or_another_shape_are_not_taken(
    spec: CodecSpec, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / TABLES_NAME
    place.write_bytes(encode_tables(small_tables(4, 64, weights_sha256="cd" * 32)))
    assert choose_tables(config(tmp_path, link="narrow"), spec) is None
    place.write_bytes(encode_tables(small_tables(3, 64)))
    assert choose_tables(config(tmp_path, link="narrow"), spec) is None
    assert "another number of layers" in caplog.text


def test_a_damaged_file_of_tables_is_said_and_done_without(
    spec: CodecSpec, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = model / TABLES_NAME
    place.write_bytes(place.read_bytes()[:-1])
    assert choose_tables(config(model, link="narrow"), spec) is None
    assert "cannot be used: the file is cut short" in caplog.text


def test_the_packaged_tables_serve_an_export_of_the_same_weights(
    spec: CodecSpec, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entropy, "packaged_folder", lambda name: model)
    exported = tmp_path / "exported"
    exported.mkdir()
    assert choose_tables(config(exported, entropy="on"), spec) is not None


def test_what_is_shorter_coded_goes_out_coded_and_the_rest_packed(connection: Any, tables: EntropyTables) -> None:
    coder = CodesCoder(tables, num_layers=4)
    publisher = Publisher(connection, topic="vw/v1/s/lobby/t0", qos=1, codebook_size=64, coder=coder)
    likely = TokenPacket(epoch=3, first_frame=0, codes=likely_codes(tables, 5))
    random = np.random.default_rng(1).integers(0, 64, (4, 5), dtype=np.uint16)
    unlikely = TokenPacket(epoch=3, first_frame=5, codes=random)
    for packet in (likely, unlikely):
        publisher.publish(packet)
    short, packed = (said.payload for said in connection.said)
    assert len(short) < len(packed) == 6 + 15
    assert publisher.bytes_saved == len(packed) - len(short)
    limits = PacketLimits(num_layers=4, codebook_size=64, coder=coder)
    assert [decode_packet(payload, limits) for payload in (short, packed)] == [likely, unlikely]


def test_the_manifest_and_the_statistics_name_the_tables(
    encoder: Any, make_source: Any, tables: EntropyTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.pipeline import Pipeline

    pipeline = Pipeline(config(None), encoder, make_source([]), stop=threading.Event(), tables=tables)
    assert pipeline.stats()["entropy"] == tables.fingerprint
    assert pipeline.plan.manifest(0.0).entropy == tables.fingerprint
    plain = Pipeline(config(None), encoder, make_source([]), stop=threading.Event())
    assert plain.stats()["entropy"] == "off"
    assert plain.plan.manifest(0.0).entropy is None

from __future__ import annotations

import pickle

import pytest

from protocol.errors import Fault, ManifestError, MessageError, PacketError, ProtocolError, TopicError

KINDS = [PacketError, ManifestError, MessageError, TopicError]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_a_protocol_error_with_a_reason_and_one_sentence(kind: type[ProtocolError]) -> None:
    error = kind(Fault.RANGE, "epoch: expected 0 to 127, got 128")
    assert isinstance(error, ProtocolError)
    assert error.reason is Fault.RANGE
    assert str(error) == "epoch: expected 0 to 127, got 128"


def test_a_reason_is_a_slug_that_fits_in_the_name_of_a_counter() -> None:
    assert f"packets_bad_{Fault.LENGTH}" == "packets_bad_length"
    assert all(str(fault).isalpha() and str(fault).islower() for fault in Fault)


def test_an_error_survives_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(PacketError(Fault.CODE, "text")))
    assert (error.reason, str(error)) == (Fault.CODE, "text")


def test_only_a_wrong_id_is_the_fault_of_the_command_line() -> None:
    assert TopicError.exit_code == 2
    assert PacketError.exit_code == 1

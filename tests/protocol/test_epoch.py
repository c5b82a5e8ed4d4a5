from __future__ import annotations

from protocol.epoch import epoch_low7, new_epoch


def test_a_new_epoch_has_64_bits_and_is_random() -> None:
    epochs = {new_epoch() for _ in range(200)}
    assert len(epochs) == 200
    assert all(0 <= epoch < 2**64 for epoch in epochs)
    assert max(epochs) >= 2**60


def test_a_new_epoch_differs_from_the_one_before_in_its_low_7_bits() -> None:
    previous = new_epoch()
    for _ in range(500):
        epoch = new_epoch(previous)
        assert epoch_low7(epoch) != epoch_low7(previous)
        previous = epoch


def test_low_7_bits_are_what_fits_in_one_byte_of_msgpack() -> None:
    assert epoch_low7(0xFFFF_FFFF_FFFF_FFFF) == 127
    assert epoch_low7(0x80) == 0

"""What PortAudio's error numbers mean for whoever wanted a sound card."""

from __future__ import annotations

import errno

from codec.audio.cards.card import SoundCard
from codec.errors import SoundCardError, SoundCardFault

# From portaudio.h, PaErrorCode.
_UNANTICIPATED_HOST_ERROR = -9999
_INVALID_CHANNEL_COUNT = -9998
_INVALID_SAMPLE_RATE = -9997
_INVALID_DEVICE = -9996
_SAMPLE_FORMAT_NOT_SUPPORTED = -9994
_BAD_IO_DEVICE_COMBINATION = -9993  # ALSA: the device could not be opened and is not busy
_DEVICE_UNAVAILABLE = -9985

_FAULTS: dict[int, SoundCardFault] = {
    _INVALID_CHANNEL_COUNT: "format",
    _INVALID_SAMPLE_RATE: "format",
    _SAMPLE_FORMAT_NOT_SUPPORTED: "format",
    _INVALID_DEVICE: "missing",
    _BAD_IO_DEVICE_COMBINATION: "missing",
    _DEVICE_UNAVAILABLE: "busy",
}
_HOST_FAULTS: dict[int, SoundCardFault] = {
    -errno.EBUSY: "busy",
    -errno.ENODEV: "missing",
    -errno.ENOENT: "missing",
    -errno.EIO: "missing",  # ALSA's door to PulseAudio, when the server has no such sink
    -errno.ECONNREFUSED: "missing",
    -errno.EINVAL: "format",
}


def fault_of(error: Exception) -> SoundCardFault:
    """Which kind of refusal a PortAudioError is. Its arguments are text, code, (host API, host code, host text)."""
    code = error.args[1] if len(error.args) > 1 else 0
    if code == _UNANTICIPATED_HOST_ERROR and len(error.args) > 2:
        return _HOST_FAULTS.get(error.args[2][1], "failed")
    return _FAULTS.get(code, "failed")


def text_of(error: Exception) -> str:
    """PortAudio's own words, without its numbers."""
    text = str(error.args[0]) if error.args else str(error)
    if len(error.args) > 2 and error.args[2][2]:
        text = f"{text} ({error.args[2][2]})"
    return text.removeprefix("Error opening InputStream: ").removeprefix("Error opening OutputStream: ")


def explain(error: Exception, card: SoundCard) -> SoundCardError:
    """The sentence for a card that could not be opened or started, whatever rate and channels were asked."""
    reason = fault_of(error)
    if reason == "busy":
        return SoundCardError(
            f"The sound card {card.name} is in use by another program: end that, or choose a shared one (default)",
            reason=reason,
        )
    if reason == "missing":
        return SoundCardError(
            f"The sound card {card.name} is not there: it was unplugged, or its sound server does not run "
            f"({text_of(error)})",
            reason=reason,
        )
    return SoundCardError(f"The sound card {card.name} cannot be opened: {text_of(error)}", reason=reason)

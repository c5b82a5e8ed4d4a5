"""nano: our small causal codec. 16 kHz mono, 16 layers of 2048 at 12.5 Hz, 2.2 kbit/s.

log-mel and pitch at 100 Hz -> ConvNeXt blocks with strides 2, 2, 2 -> quantiser, the pitch in a layer of its own ->
mirrored upsampling -> harmonics and noise, shaped bin by bin.
"""

from codec.models.nano.config import NanoConfig
from codec.models.nano.decoder import NanoDecoder
from codec.models.nano.encoder import NanoEncoder
from codec.models.nano.model import Nano

__all__ = ["Nano", "NanoConfig", "NanoDecoder", "NanoEncoder"]

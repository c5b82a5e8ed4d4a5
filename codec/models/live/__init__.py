"""Many live streams in one batched step: rows come and go, and none waits for another.

`LiveEncoder` and `LiveDecoder` hold places for a fixed number of streams. Each stream pushes what it has; a step takes
one frame of every stream that has one. On a GPU the whole step is one CUDA graph.
"""

from codec.models.live.engine import ActiveMode, Mode
from codec.models.live.statistics import LiveStatistics
from codec.models.live.streams import LiveDecoder, LiveEncoder, StreamHandle

__all__ = ["ActiveMode", "LiveDecoder", "LiveEncoder", "LiveStatistics", "Mode", "StreamHandle"]

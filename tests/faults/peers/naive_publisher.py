"""The script that everybody writes first, its sending half: PCM on standard input, a msgpack map for each frame."""

from __future__ import annotations

import sys

import msgpack
import numpy as np
import onnxruntime
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

FRAME_SIZE = 1280


def main() -> None:
    """HOST PORT QOS ENCODER"""
    host, port, qos, model = sys.argv[1:]
    session = onnxruntime.InferenceSession(model)
    steps = np.zeros((1, 1), dtype=np.float32)
    on, off = np.array([True]), np.array([False])
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect(host, int(port))
    client.loop_start()
    number = 0
    while len(data := sys.stdin.buffer.read(2 * FRAME_SIZE)) == 2 * FRAME_SIZE:
        pcm = np.frombuffer(data, dtype="<i2").astype(np.float32).reshape(1, -1) / 32768
        codes, steps = session.run(None, {"pcm": pcm, "active": on, "reset": off, "steps": steps})
        frame = {"frame": number, "codes": codes[0, :, 0].tolist()}
        client.publish("speech/tokens", msgpack.packb(frame), qos=int(qos))
        number += 1


if __name__ == "__main__":
    main()

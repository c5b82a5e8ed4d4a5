"""The receiving half: what comes is queued, and played one after the other."""

from __future__ import annotations

import queue
import sys
from typing import Any

import msgpack
import numpy as np
import onnxruntime
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.faults.peers.card import Card

frames: queue.Queue[dict[str, Any]] = queue.Queue()


def main() -> None:
    """HOST PORT QOS DECODER"""
    host, port, qos, model = sys.argv[1:]
    session = onnxruntime.InferenceSession(model)
    steps = np.zeros((1, 1), dtype=np.float32)
    on, off = np.array([True]), np.array([False])
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda client, *_: client.subscribe("speech/tokens", int(qos))
    client.on_message = lambda client, userdata, message: frames.put(msgpack.unpackb(message.payload))
    client.connect(host, int(port))
    client.loop_start()
    card = Card(16000)
    while True:
        codes = np.array(frames.get()["codes"]).reshape(1, -1, 1)
        pcm, steps = session.run(None, {"codes": codes, "active": on, "reset": off, "steps": steps})
        card.write(pcm[0])


if __name__ == "__main__":
    main()

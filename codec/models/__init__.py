"""The torch side of the codecs: streaming layers, quantisers, the models and their training.

Nothing here is imported by an edge player, nor by a gateway that encodes with ONNX Runtime; `codec.load` reaches it
through `codec.models.factory` alone.
"""

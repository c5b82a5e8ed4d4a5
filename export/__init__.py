"""From torch weights to stateful ONNX files, and the proof that both agree."""

from export.errors import ExportError, FidelityError, ParityError, VariantError
from export.fidelity import FidelityReport, measure_fidelity
from export.onnx_export import OPSET_VERSION, export_half
from export.parity import ParityReport, measure_parity
from export.variants import Variant, export_with_proof

__all__ = [
    "OPSET_VERSION",
    "ExportError",
    "FidelityError",
    "FidelityReport",
    "ParityError",
    "ParityReport",
    "Variant",
    "VariantError",
    "export_half",
    "export_with_proof",
    "measure_fidelity",
    "measure_parity",
]

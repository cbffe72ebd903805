# SPDX-License-Identifier: Apache-2.0
"""Fast inference for image Transformers.

    engine = vitrum.compile("swinir.pth")
    y = engine(x)                    # NumPy, PyTorch, ...: [N, C, H, W]
    picture = engine.run("photo.png")
"""

from . import errors as errors  # first: the extension looks it up
from ._compile import compile, load
from ._core import (
    BenchResult,
    Cube,
    GoldenReport,
    Hyperparameter,
    Model,
    ModelInfo,
    OpProfile,
    Segment,
    Segments,
    TensorComparison,
    TensorInfo,
    doctor,
    version,
)
from ._engine import Engine
from ._tasks import restore, segment, spectral
from ._verify import AgainstReport, verify
from .errors import AccuracyError, Error, OutOfMemoryError, PrecisionWarning, UsageError

__version__ = version()

__all__ = [
    "AccuracyError",
    "AgainstReport",
    "BenchResult",
    "Cube",
    "Engine",
    "Error",
    "GoldenReport",
    "Hyperparameter",
    "Model",
    "ModelInfo",
    "OpProfile",
    "OutOfMemoryError",
    "PrecisionWarning",
    "Segment",
    "Segments",
    "TensorComparison",
    "TensorInfo",
    "UsageError",
    "__version__",
    "compile",
    "doctor",
    "load",
    "restore",
    "segment",
    "spectral",
    "verify",
]

# SPDX-License-Identifier: Apache-2.0
"""From pictures to what a network makes of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from . import _core
from .errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image as PilImage

    Picture: TypeAlias = str | os.PathLike[str] | NDArray[Any] | PilImage


def restore(
    engine: _core.Engine,
    picture: Picture,
    *,
    output: str | os.PathLike[str] | None = None,
    tile: int = -1,
    tile_overlap: int = -1,
    memory: int = 0,
    approximate: bool = False,
) -> Any:
    """Super-resolution, denoising, JPEG artefact removal.

    Gives an array [H, W, C] of the picture's own type, or [H, W] for such a
    one, and a PIL image for a PIL image.  `output` is also written, with the
    input file's metadata.  `tile` is the largest side of a tile in input
    pixels, 0 for none, -1 for what `memory` (bytes, 0: what is free) asks for.
    """
    result = _core.restore(
        engine,
        _picture(picture),
        tile=tile,
        tile_overlap=tile_overlap,
        memory=memory,
        approximate=approximate,
    )
    if output is not None:
        result.save(output)
    array = result.array()
    if _is_pil(picture):
        return _to_pil(array, picture)
    return array[:, :, 0] if getattr(picture, "ndim", 3) == 2 else array


def spectral(
    engine: _core.Engine,
    picture: Picture,
    *,
    mask: Any = None,
    normalise: str = "original",
    clip: bool = True,
    tile: int = -1,
    tile_overlap: int = -1,
    memory: int = 0,
    approximate: bool = False,
) -> _core.Cube:
    """The spectrum at every pixel of an RGB picture.

    A network for coded-aperture snapshots takes the snapshot and its `mask`,
    as arrays or files (docs/spectral.md has their shapes).
    """
    if _core.takes_snapshot(engine):
        if mask is None:
            raise UsageError(f"{engine.info.variant} needs the mask of the coded aperture: mask=")
        return _core.snapshot(
            engine,
            _measurement(picture, "snapshot"),
            _measurement(mask, "mask"),
            normalise=normalise,
            clip=clip,
            memory=memory,
        )
    if mask is not None:
        raise UsageError(f"{engine.info.variant} takes pictures, no snapshots: leave mask out")
    return _core.spectral(
        engine,
        _picture(picture),
        normalise=normalise,
        clip=clip,
        tile=tile,
        tile_overlap=tile_overlap,
        memory=memory,
        approximate=approximate,
    )


def segment(
    engine: _core.Engine,
    picture: Picture,
    *,
    kind: str = "auto",
    classes: str = "",
    rules: str = "original",
    threshold: float | None = None,
    overlap_threshold: float = 0.8,
    top_k: int = 100,
    short_edge: int | None = None,
    long_edge: int | None = None,
    memory: int = 0,
    tile: int = 0,
    tile_overlap: int = -1,
    approximate: bool = False,
) -> _core.Segments:
    """What a picture shows: panoptic, instance or semantic segments.

    The options are those of the command (docs/segment.md).
    """
    return _core.segment(
        engine,
        _picture(picture),
        kind=kind,
        classes=classes,
        rules=rules,
        threshold=threshold,
        overlap_threshold=overlap_threshold,
        top_k=top_k,
        short_edge=short_edge,
        long_edge=long_edge,
        memory=memory,
        tile=tile,
        tile_overlap=tile_overlap,
        approximate=approximate,
    )


by_kind: dict[str, Callable[..., Any]] = {
    "restore": restore,
    "spectral": spectral,
    "segment": segment,
}

# PIL's modes whose samples are what they look like; the rest is converted.
_PLAIN_MODES = ("L", "LA", "RGB", "RGBA", "I;16")


def _is_pil(picture: Any) -> bool:
    pil = sys.modules.get("PIL.Image")
    return pil is not None and isinstance(picture, pil.Image)


def _picture(picture: Picture) -> _core.Image:
    if isinstance(picture, (str, os.PathLike)):
        return _core.Image.load(os.fspath(picture))
    if _is_pil(picture):
        return _core.Image.from_array(_from_pil(picture))
    return _core.Image.from_array(picture)


def _from_pil(image: Any) -> NDArray[Any]:
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode not in _PLAIN_MODES:
        raise UsageError(f"a PIL image of mode {image.mode}: pass picture.convert('RGB')")
    import numpy as np

    return np.asarray(image)


def _to_pil(array: NDArray[Any], like: Any) -> Any:
    from PIL import Image

    result = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
    if "icc_profile" in like.info:
        result.info["icc_profile"] = like.info["icc_profile"]
    return result


def _measurement(numbers: Any, name: str) -> _core.Measurement:
    if isinstance(numbers, (str, os.PathLike)):
        return _core.Measurement.load(os.fspath(numbers))
    return _core.Measurement.from_array(numbers, name)

# SPDX-License-Identifier: Apache-2.0
"""What a typed program writes; test_types.py has mypy read it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import vitrum


def upscale(path: Path, pictures: list[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
    model: vitrum.Model = vitrum.load(path, img_range=255)
    flops: float = model.flops(1, 64, 64)
    facts: dict[str, str] = {h.name: h.value for h in model.info.hyperparameters}
    engine: vitrum.Engine = vitrum.compile(model, device="cpu", threads=2)
    engine.save(path.with_suffix(".vitrum"))
    again = vitrum.Engine.load(str(path), isa="AVX2")
    shape: tuple[int, ...] = again.inputs(1, 8, 8)[0].shape
    slowest = max(engine.profile(64, 64), key=lambda op: op.seconds)
    print(flops, facts, shape, slowest.provenance, engine.info.kind.upper())
    results: list[NDArray[np.float32]] = [engine(picture) for picture in pictures]
    return results


def see(engine: vitrum.Engine, path: str) -> NDArray[np.bool_]:
    found: vitrum.Segments = vitrum.segment(engine, path, kind="panoptic", short_edge=640)
    names = [found.class_names[s.class_index] for s in found.segments]
    labels = found.labels
    if labels is not None:
        print(names, labels.shape)
    return found.mask(0)


def rebuild(engine: vitrum.Engine, path: str) -> NDArray[np.float32]:
    cube: vitrum.Cube = vitrum.spectral(engine, path, clip=False)
    cube.save(Path("cube.mat"))
    return cube.values


def prove(path: Path) -> str | None:
    report: vitrum.AgainstReport = vitrum.verify(
        path, against="onnxruntime", size=(64, 96), layers=True, threads=1, sequence=8
    )
    names: list[str] = [layer.name for layer in report.layers]
    print(report, names, report.passed)
    return report.first_large


def look_up(engine: vitrum.Engine, ids: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
    kinds: list[str] = [tensor.dtype for tensor in engine.inputs(1, 8, 8)]
    print(engine.input_names, kinds)
    return engine.evaluate(ids)


def check(golden: Path) -> bool:
    try:
        report: vitrum.GoldenReport = vitrum.verify("model.pth", golden, tolerance=1e-4)
    except vitrum.UsageError as error:
        raise ValueError(str(error)) from error
    return report.passed and all(o.normalised < 1e-4 for o in report.outputs)

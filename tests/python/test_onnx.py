# SPDX-License-Identifier: Apache-2.0
"""ONNX files through the Python door."""

import cases
import numpy as np
import pytest

import vitrum

NAMES = sorted(p.name.removesuffix(".onnx") for p in (cases.DATA / "onnx").glob("*.onnx"))


@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_onnx_runtime(name):
    tensors, _ = cases.read_safetensors(cases.DATA / "onnx" / f"{name}.io.safetensors")
    y = vitrum.compile(cases.DATA / "onnx" / f"{name}.onnx")(tensors["input"])
    expected = tensors["output"]
    assert y.shape == expected.shape
    assert abs(y - expected).max() <= 1e-4 * expected.std()


def test_a_graph_without_pictures_is_called_with_arrays():
    engine = vitrum.compile(cases.DATA / "onnx" / "convolution_bands.onnx")
    assert engine.info.kind == "tensors"
    with pytest.raises(vitrum.UsageError, match="takes tensors"):
        engine.run(np.zeros((16, 16, 3), np.uint8))


def test_an_exported_family_is_that_family():
    engine = vitrum.compile(cases.DATA / "onnx" / "swinir_open_dynamo18.onnx")
    assert engine.info.family == "SwinIR"

# SPDX-License-Identifier: Apache-2.0
"""vitrum.verify, and python -m vitrum verify."""

import json

import cases
import numpy as np
import pytest

import vitrum
import vitrum.__main__
from vitrum import _core

CONVOLUTIONS = cases.DATA / "onnx" / "convolutions_open.onnx"
EMBEDDING = cases.DATA / "onnx" / "tensors_embedding.onnx"


def test_comparisons_count_what_is_not_finite():
    y = np.array([1, 2, 3, 4], np.float32)
    c = _core.compare_tensors("y", y, np.array([1, 2.5, 3, np.nan], np.float32), 4.0)
    assert (c.count, c.non_finite, c.absolute_max) == (4, 1, 0.5)
    assert c.normalised == pytest.approx(0.5 / y.std())
    with pytest.raises(vitrum.UsageError, match="as many values"):
        _core.compare_tensors("y", y, y[:2], 1.0)


def test_one_thing_is_compared_with():
    with pytest.raises(vitrum.UsageError, match="either a golden file or against"):
        vitrum.verify(CONVOLUTIONS)
    with pytest.raises(vitrum.UsageError, match="expected onnxruntime"):
        vitrum.verify(CONVOLUTIONS, against="tensorrt")
    with pytest.raises(TypeError, match="tolerance only"):
        vitrum.verify(CONVOLUTIONS, "io.safetensors", layers=True)


class TestAgainstOnnxRuntime:
    @pytest.fixture(autouse=True)
    def packages(self):
        pytest.importorskip("onnx", reason="onnx is not installed")
        pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

    def test_outputs_and_layers_agree(self):
        report = vitrum.verify(CONVOLUTIONS, against="onnxruntime", size=(9, 7), layers=True)
        assert report.passed and report.first_large is None
        assert [layer.name.split()[0] for layer in report.layers] == ["Conv", "Relu", "Conv", "DepthToSpace"]
        assert all(0 < c.normalised < 1e-4 for c in report.outputs + report.layers)
        assert str(report).endswith("1.0e-04")

    def test_the_first_large_error_is_marked(self):
        report = vitrum.verify(CONVOLUTIONS, against="onnxruntime", size=(9, 7), layers=True, tolerance=1e-12)
        assert not report.passed
        assert report.first_large == report.layers[0].name
        marked = [line for line in str(report).splitlines() if "<- the first" in line]
        assert len(marked) == 1 and marked[0].startswith(report.layers[0].name)

    def test_a_recognised_network_shows_its_files_layers(self):
        path = cases.DATA / "onnx" / "swinir_script17.onnx"
        report = vitrum.verify(path, against="onnxruntime", size=(8, 12), layers=True)
        assert report.passed
        assert sum(layer.name.startswith("LayerNormalization") for layer in report.layers) > 2

    def test_open_extents_by_name_and_given_inputs(self):
        report = vitrum.verify(EMBEDDING, against="onnxruntime", batch=2, sequence=3)
        assert report.passed and [c.count for c in report.outputs] == [18, 6, 1]
        inputs = {
            "ids": np.array([[3]]),
            "bias": np.ones((1, 1, 3), np.float32),
            "flag": np.array(False),
        }
        assert vitrum.verify(EMBEDDING, against="onnxruntime", inputs=inputs).passed
        types = cases.DATA / "onnx" / "tensors_types.onnx"
        with pytest.raises(vitrum.UsageError, match='extent 0 of input "x" is open'):
            vitrum.verify(types, against="onnxruntime")

    def test_the_shell_has_the_commands_exit_codes(self, capsys):
        verify = ["verify", str(CONVOLUTIONS), "--against", "onnxruntime", "--size", "9x7"]
        assert vitrum.__main__.main([*verify, "--json", "--layers"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["passed"] and len(report["layers"]) == 4
        assert vitrum.__main__.main([*verify, "--tolerance", "1e-12"]) == 3
        assert "FAILED" in capsys.readouterr().out
        assert vitrum.__main__.main([*verify, "--set", "unheard=3"]) == 2
        assert vitrum.__main__.main(["verify", "missing.onnx", "--against", "onnxruntime"]) == 1

# SPDX-License-Identifier: Apache-2.0
"""Every family, through every door, at the golden limit."""

import cases
import numpy as np
import pytest

import vitrum


@pytest.mark.parametrize("name", cases.NAMES)
def test_numpy_answers_as_pytorch_did(name):
    golden = cases.Golden(name)
    engine = vitrum.compile(cases.checkpoint(name))
    answer = engine(*golden.inputs.values())
    golden.check(answer)
    for array in answer.values() if isinstance(answer, dict) else [answer]:
        assert type(array) is np.ndarray and array.dtype == np.float32
        assert array.flags.c_contiguous and array.flags.writeable


@pytest.mark.parametrize("name", cases.NAMES)
def test_torch_tensors_give_torch_tensors(name):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    golden = cases.Golden(name)
    engine = vitrum.compile(cases.checkpoint(name))
    answer = engine(**{k: torch.tensor(v) for k, v in golden.inputs.items()})
    for tensor in answer.values() if isinstance(answer, dict) else [answer]:
        assert type(tensor) is torch.Tensor and tensor.dtype == torch.float32
        assert tensor.is_contiguous()
    golden.check(answer)


@pytest.mark.parametrize("name", ["swinir_jpeg_grey", "mst_cassi", "mask2former_swin_folder"])
def test_verify_reports_what_it_compared(name):
    report = vitrum.verify(cases.checkpoint(name), cases.DATA / f"{name}.io.safetensors")
    assert report.passed
    assert report.tolerance >= 1e-4
    assert {output.name for output in report.outputs} == set(cases.Golden(name).outputs)
    assert all(0 <= output.normalised < 2e-5 and output.non_finite == 0 for output in report.outputs)
    strict = vitrum.verify(
        cases.checkpoint(name), cases.DATA / f"{name}.io.safetensors", tolerance=1e-12
    )
    assert not strict.passed


@pytest.mark.parametrize("name", ["elan_light_x2", "mask2former_r26_folder", "mst_cassi"])
def test_saved_engines_answer_alike(name, tmp_path):
    golden = cases.Golden(name)
    engine = vitrum.compile(cases.checkpoint(name), threads=1)
    engine.save(tmp_path / "x.vitrum")
    loaded = vitrum.Engine.load(tmp_path / "x.vitrum", threads=1)
    golden.check(loaded(**golden.inputs))
    assert loaded.info.variant == engine.info.variant
    assert loaded.graph == engine.graph
    golden.check(vitrum.compile(tmp_path / "x.vitrum")(**golden.inputs))

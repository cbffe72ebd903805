# SPDX-License-Identifier: Apache-2.0
"""Loading, compiling and their errors."""

import os
import subprocess
import sys

import cases
import numpy as np
import pytest

import vitrum


def setting(model, name):
    return {h.name: h.value for h in model.info.hyperparameters}[name]


def test_info_is_data():
    info = vitrum.load(cases.checkpoint("swinir_lightweight_x2")).info
    assert (info.family, info.kind, info.scale) == ("SwinIR", "restore", 2)
    assert (info.in_channels, info.out_channels, info.value_range) == (3, 3, 1.0)
    assert info.format == "safetensors" and info.parameters > 0
    values = {h.name: h.value for h in info.hyperparameters}
    assert values["embed_dim"] == "12" and values["window_size"] == "8"
    assert all(h.evidence for h in info.hyperparameters)
    assert "SwinIR" in repr(info)


def test_flops_grow_with_the_picture():
    model = vitrum.load(cases.checkpoint("elan_light_x2"))
    assert model.flops(2, 32, 48) == pytest.approx(2 * model.flops(1, 32, 48))


def test_overrides_are_typed_as_python_types_them():
    path = cases.checkpoint("swinir_lightweight_x2")
    assert setting(vitrum.load(path), "img_range") == "1"
    assert setting(vitrum.load(path, img_range=255), "img_range") == "255"
    assert setting(vitrum.compile(path, img_range=255.0), "img_range") == "255"
    assert setting(vitrum.load(path, rgb_mean=(0, 0.5, 1)), "rgb_mean") == "0,0.5,1"
    with pytest.raises(vitrum.UsageError, match='SwinIR has no setting "scale"'):
        vitrum.load(path, scale=3)
    with pytest.raises(TypeError, match="vitrum.load"):
        vitrum.compile(vitrum.load(path), img_range=255)


def test_a_missing_file_is_an_error_with_its_name(tmp_path):
    for door in (vitrum.load, vitrum.compile, vitrum.Engine.load):
        with pytest.raises(vitrum.Error, match="nowhere.pth"):
            door(tmp_path / "nowhere.pth")


def test_errors_have_the_texts_of_the_command(tmp_path):
    if "VITRUM_COMMAND" not in os.environ:
        pytest.skip("VITRUM_COMMAND does not name the command")
    path = tmp_path / "web.pth"
    path.write_text("<!DOCTYPE html><html></html>")
    with pytest.raises(vitrum.Error) as caught:
        vitrum.load(path)
    done = subprocess.run(
        [os.environ["VITRUM_COMMAND"], "inspect", path], capture_output=True, text=True
    )
    assert str(caught.value) in done.stderr


def test_paths_may_hold_any_bytes(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.pth"
    with pytest.raises(vitrum.Error, match="caf"):
        vitrum.load(os.fsdecode(path))


def test_error_classes():
    assert issubclass(vitrum.UsageError, vitrum.Error) and issubclass(vitrum.UsageError, ValueError)
    assert issubclass(vitrum.OutOfMemoryError, MemoryError)
    assert issubclass(vitrum.AccuracyError, vitrum.Error)


@pytest.mark.parametrize(
    "options, text",
    [
        ({"device": "cuda:x"}, 'device "cuda:x"'),
        ({"device": "cpu:1"}, "device"),
        ({"isa": "Z80"}, "Z80"),
        ({"precision": "fp16"}, "fp32 only"),
        ({"precision": "half"}, 'precision "half"'),
        ({"threads": -1}, "threads"),
    ],
)
def test_impossible_options_are_refused(options, text):
    with pytest.raises(vitrum.Error, match=text):
        vitrum.compile(cases.checkpoint("elan_x2"), **options)


def test_what_compile_does_not_take():
    with pytest.raises(TypeError, match="not int"):
        vitrum.compile(3)


LITTLE_MEMORY = """
import resource, sys, numpy as np, vitrum
engine = vitrum.compile(sys.argv[1], threads=1)
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
try:
    engine(np.broadcast_to(np.float32(0.5), (1, 3, 1 << 14, 1 << 14)))
except MemoryError as error:
    assert isinstance(error, vitrum.OutOfMemoryError), error
    engine(np.zeros((1, 3, 8, 8), np.float32))
    sys.exit(7)
"""


def test_too_little_memory_is_a_memory_error():
    command = [sys.executable, "-c", LITTLE_MEMORY, cases.checkpoint("swinir_lightweight_x2")]
    assert subprocess.run(command).returncode == 7


def test_the_reference_device_agrees(picture, upscaler):
    reference = vitrum.compile(cases.checkpoint("swinir_lightweight_x2"), device="reference")
    assert (reference.device, upscaler.device) == ("reference", "cpu")
    assert np.allclose(reference(picture), upscaler(picture), atol=1e-5)


def test_facts_about_an_engine(upscaler):
    assert upscaler.threads == 1 and upscaler.isa
    assert upscaler.inputs(1, 24, 32)[0].shape == (1, 3, 24, 32)
    assert upscaler.outputs(1, 24, 32)[0].shape == (1, 3, 48, 64)
    assert upscaler.arena_bytes(1, 64, 64) > upscaler.arena_bytes(1, 16, 16) > 0
    assert upscaler.weight_bytes > 0 and upscaler.flops(1, 8, 8) > 0
    assert "WindowAttention" in upscaler.graph
    assert "SwinIR" in repr(upscaler) and "fp32" in repr(upscaler)


def test_profile_and_bench(upscaler):
    ops = upscaler.profile(16, 16, runs=2)
    assert any(op.op == "WindowAttention" and op.provenance.startswith("layers.0") for op in ops)
    assert all(op.seconds >= 0 and op.kernel for op in ops)
    result = upscaler.bench(16, 16, seconds=0.01)
    assert result.runs >= 10 and 0 < result.min_ms <= result.p50_ms <= result.max_ms
    with pytest.raises(vitrum.UsageError):
        upscaler.profile(16, 16, runs=0)


def test_doctor():
    facts = vitrum.doctor()
    assert facts["processor"] and facts["cores"]
    assert vitrum.__version__.count(".") == 2


class TestStateDict:
    @pytest.fixture
    def state(self):
        state, _ = cases.read_safetensors(cases.checkpoint("swinir_lightweight_x2"))
        return {name.removeprefix("params."): value for name, value in state.items()}

    def test_gives_what_the_file_gives(self, state, upscaler, picture):
        engine = vitrum.compile(state, threads=1)
        assert (engine(picture) == upscaler(picture)).all()
        assert engine.info.format == "tensors in memory"

    def test_in_containers(self, state, upscaler, picture):
        nested = {"epoch": 3, "params": {"module": state}, "optimizer": {"lr": [1e-3]}}
        assert (vitrum.compile(nested, threads=1)(picture) == upscaler(picture)).all()

    def test_of_other_strides_and_types(self, state, upscaler, picture):
        turned = {
            name: np.asfortranarray(value) if value.ndim > 1 else np.repeat(value, 2)[::2]
            for name, value in state.items()
        }
        assert (vitrum.compile(turned, threads=1)(picture) == upscaler(picture)).all()
        wide = {name: value.astype(np.float64) for name, value in state.items()}
        assert (vitrum.compile(wide, threads=1)(picture) == upscaler(picture)).all()

    def test_is_copied(self, state, upscaler, picture):
        state = {name: value.copy() for name, value in state.items()}
        engine = vitrum.compile(state, threads=1)
        for value in state.values():
            value.fill(np.nan)
        assert (engine(picture) == upscaler(picture)).all()

    def test_with_nan_is_refused(self, state):
        state["conv_first.weight"] = np.full_like(state["conv_first.weight"], np.nan)
        with pytest.raises(vitrum.Error, match="conv_first.weight.*NaN"):
            vitrum.compile(state)

    def test_of_no_family_names_the_nearest(self, state):
        del state["layers.0.residual_group.blocks.0.norm2.bias"]
        with pytest.raises(vitrum.Error, match="the state_dict.*nearest is SwinIR.*norm2.bias"):
            vitrum.compile(state)
        with pytest.raises(vitrum.Error, match="not a network that vitrum knows"):
            vitrum.compile({"fc.weight": np.zeros((3, 3))})
        with pytest.raises(vitrum.Error, match="holds no tensors"):
            vitrum.compile({})

    def test_with_overrides(self, state):
        assert setting(vitrum.compile(state, img_range=255), "img_range") == "255"

# SPDX-License-Identifier: Apache-2.0
"""Other libraries' arrays, and arrays of other devices, of which machines
without a GPU show how they are refused."""

import ctypes

import cases
import numpy as np
import pytest

import vitrum


class TestJax:
    @pytest.fixture(autouse=True)
    def jax(self):
        """On the host, also where it would take a GPU."""
        jax = pytest.importorskip("jax", reason="JAX is not installed")
        with jax.default_device(jax.devices("cpu")[0]):
            yield jax

    @pytest.fixture
    def numpy(self, jax):
        return jax.numpy

    def test_gives_arrays_of_its_own(self, jax, numpy, upscaler, picture):
        y = upscaler(numpy.asarray(picture))
        assert isinstance(y, jax.Array) and y.devices() == numpy.asarray(picture).devices()
        assert (np.asarray(y) == upscaler(picture)).all()
        assert float(jax.jit(lambda t: (t * 2).sum())(y)) == pytest.approx(2 * upscaler(picture).sum(), rel=1e-4)

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
    def test_types_come_back(self, numpy, upscaler, picture, dtype):
        x = numpy.asarray(picture).astype(dtype)
        y = upscaler(x)
        assert y.dtype == dtype
        assert (y == upscaler(x.astype("float32")).astype(dtype)).all()

    def test_several_outputs(self, jax, numpy, segmenter):
        x = np.random.default_rng(3).random((1, 3, 32, 64), np.float32)
        y, z = segmenter(numpy.asarray(x)), segmenter(x)
        assert all(isinstance(value, jax.Array) for value in y.values())
        assert all((np.asarray(y[name]) == z[name]).all() for name in z)

    def test_turned_arrays(self, numpy, upscaler, picture):
        x = numpy.transpose(numpy.asarray(picture), (0, 1, 3, 2))
        assert (np.asarray(upscaler(x)) == upscaler(np.asarray(x))).all()

    def test_integers_and_tracers_are_refused(self, jax, numpy, upscaler, picture):
        with pytest.raises(TypeError, match="int32 values, where the network takes float32"):
            upscaler(numpy.asarray(picture).astype("int32"))
        with pytest.raises(TypeError, match="cannot read DynamicJaxprTracer"):
            jax.jit(upscaler)(numpy.asarray(picture))


class Elsewhere:
    """An array that says to be on a device of DLPack's type."""

    def __init__(self, array, kind):
        self.array, self.kind = array, kind

    def __dlpack_device__(self):
        return self.kind, 1

    def __dlpack__(self, **named):
        capsule = self.array.__dlpack__()
        pointer = ctypes.pythonapi.PyCapsule_GetPointer
        pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        # A DLTensor begins with the pointer to its numbers, then comes the device.
        device = (ctypes.c_int32 * 2).from_address(pointer(capsule, b"dltensor") + ctypes.sizeof(ctypes.c_void_p))
        device[:] = self.kind, 1
        return capsule


def test_memory_pinned_for_gpus_is_read_as_it_is(upscaler, picture):
    assert (upscaler(Elsewhere(picture, 3)) == upscaler(picture)).all()


@pytest.mark.parametrize("kind, name", [(2, "cuda:1"), (13, "cuda:1"), (8, "a device of DLPack's type 8")])
def test_other_devices_are_refused(upscaler, picture, kind, name):
    text = f"input: the array is on {name}, the engine on the CPU; .*or compile with device=\"cuda\""
    with pytest.raises(vitrum.UsageError, match=text):
        upscaler(Elsewhere(picture, kind))


def test_a_device_that_lies_is_found_out(upscaler, picture):
    array = Elsewhere(picture, 2)
    array.__class__ = type("Liar", (Elsewhere,), {"__dlpack_device__": lambda self: (1, 0)})
    with pytest.raises(vitrum.UsageError, match="on another device"):
        upscaler(array)


def test_weights_on_other_devices_are_refused():
    state = dict(cases.read_safetensors(cases.checkpoint("mstpp_one_stage"))[0])
    name = next(iter(state))
    state[name] = Elsewhere(np.array(state[name]), 2)
    with pytest.raises(vitrum.UsageError, match=f"{name}: the array is on cuda:1; pass a copy in this process"):
        vitrum.compile(state)

# SPDX-License-Identifier: Apache-2.0
"""Layouts, types and frameworks of arrays, and what is refused."""

import ctypes

import cases
import numpy as np
import pytest

import vitrum


@pytest.fixture(scope="module")
def expected(upscaler):
    def answer(x):
        return upscaler(np.ascontiguousarray(x, np.float32))

    return answer


def channels_last(x):
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


LAYOUTS = {
    "channels last": channels_last,
    "every other row": lambda x: np.repeat(x, 2, axis=2)[:, :, ::2],
    "every other column": lambda x: np.repeat(x, 2, axis=3)[:, :, :, ::2],
    "columns first": lambda x: np.ascontiguousarray(x.transpose(0, 1, 3, 2)).transpose(0, 1, 3, 2),
    "turned over": lambda x: np.ascontiguousarray(x[:, ::-1, ::-1, ::-1])[:, ::-1, ::-1, ::-1],
    "out of a larger picture": lambda x: np.pad(x, ((0, 0), (1, 2), (3, 4), (5, 6)))[:, 1:-2, 3:-4, 5:-6],
    "read-only": lambda x: np.frombuffer(x.tobytes(), np.float32).reshape(x.shape),
    "one pixel spread out": lambda x: np.broadcast_to(x[:, :, :1, :1], x.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [(2, 16, 16), (1, 17, 33), (1, 1, 1), (1, 5, 40)])
def test_every_layout_gives_the_same(upscaler, expected, layout, size):
    n, h, w = size
    x = LAYOUTS[layout](np.random.default_rng(0).random((n, 3, h, w), np.float32))
    y = upscaler(x)
    assert y.shape == (n, 3, 2 * h, 2 * w)
    assert (y == expected(x)).all()


def test_a_batch_gives_what_its_pictures_give(upscaler, picture):
    other = picture[:, ::-1]
    both = upscaler(np.concatenate([picture, other]))
    assert np.allclose(both, np.concatenate([upscaler(picture), upscaler(other)]), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_floats_come_back_as_they_are(upscaler, picture, dtype):
    x = picture.astype(dtype)
    y = upscaler(x)
    assert y.dtype == dtype
    assert (y == upscaler(x.astype(np.float32)).astype(dtype)).all()


def test_half_precision_keeps_every_value(upscaler):
    """All 16-bit floats of the network's range on the way in; ties and subnormals on the way out."""
    bits = np.arange(0x3C00, dtype=np.uint16)  # 0 ... 1, without 1
    x = np.resize(bits, 3 * 72 * 72).view(np.float16).reshape(1, 3, 72, 72)
    assert (upscaler(x) == upscaler(x.astype(np.float32)).astype(np.float16)).all()


def test_half_precision_overflow_is_an_error():
    name = "mst_rgb"
    state, _ = cases.read_safetensors(cases.checkpoint("mstpp_one_stage"))
    state = {k: v * (1e7 if "conv_out" in k else 1) for k, v in state.items()}
    engine = vitrum.compile({k: v.astype(np.float32) for k, v in state.items()})
    x = cases.Golden(name).inputs["input"]
    assert np.isfinite(engine(x)).all()
    with pytest.raises(vitrum.AccuracyError, match="too large for the input's type; pass float32"):
        engine(x.astype(np.float16))


def test_nan_never_comes_out(upscaler, picture):
    picture[0, 1, 2, 3] = np.nan
    with pytest.raises(vitrum.AccuracyError, match="NaN or infinite"):
        upscaler(picture)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.bool_, np.complex64])
def test_other_types_are_refused(upscaler, picture, dtype):
    with pytest.raises(TypeError, match=f"{np.dtype(dtype).name} values.*float32"):
        upscaler(picture.astype(dtype))


@pytest.mark.parametrize("what", [None, "photo.png", [[1.0]], 3, b"\0" * 48])
def test_what_is_no_array_is_refused(upscaler, what):
    with pytest.raises(TypeError, match="expected an array"):
        upscaler(what)


def test_a_foreign_byte_order_is_refused(upscaler, picture):
    with pytest.raises(TypeError, match="byte order"):
        upscaler(picture.astype(">f4"))


@pytest.mark.parametrize(
    "shape, text",
    [
        ((3, 20, 28), r"shape is \[3, 20, 28\]; a batch of pictures is \[N, C, H, W\]"),
        ((1, 1, 3, 20, 28), r"\[N, C, H, W\]"),
        ((), r"shape is \[\]"),
        ((1, 4, 20, 28), "takes 3 channels"),
        ((1, 20, 28, 3), "takes 3 channels"),
        ((1, 3, 0, 28), "is empty"),
        ((0, 3, 20, 28), "is empty"),
    ],
)
def test_other_shapes_are_refused(upscaler, shape, text):
    with pytest.raises(vitrum.UsageError, match=text) as caught:
        upscaler(np.zeros(shape, np.float32))
    assert isinstance(caught.value, ValueError)


def test_several_inputs_by_place_or_name():
    engine = vitrum.compile(cases.checkpoint("mst_cassi"))
    golden = cases.Golden("mst_cassi")
    x, mask = golden.inputs["input"], golden.inputs["input_mask"]
    assert [i.name for i in engine.inputs(1, 8, 8)] == ["input", "input_mask"]
    for answer in (engine(x, mask), engine(x, input_mask=mask), engine(input_mask=mask, input=x)):
        golden.check(answer)
    with pytest.raises(TypeError, match="input_mask is missing"):
        engine(x)
    with pytest.raises(TypeError, match="takes 2 inputs"):
        engine(x, mask, mask)
    with pytest.raises(TypeError, match="input is given twice"):
        engine(x, input=x)
    with pytest.raises(TypeError, match="no input mask; its inputs: input, input_mask"):
        engine(x, mask=mask)
    with pytest.raises(vitrum.UsageError, match=r"input_mask: the array's shape is .*, the network's is"):
        engine(x, mask[..., :-1])


def test_several_outputs_are_a_dict(segmenter):
    x = np.zeros((2, 3, 32, 64), np.float32)
    answer = segmenter(x)
    assert list(answer) == ["output_logits", "output_masks"]
    shapes = {info.name: info.shape for info in segmenter.outputs(2, 32, 64)}
    assert {k: v.shape for k, v in answer.items()} == shapes
    assert len(shapes["output_logits"]) == 3 and shapes["output_masks"][2:] == (8, 16)


def test_results_outlive_the_engine(picture):
    engine = vitrum.compile(cases.checkpoint("swinir_lightweight_x2"), threads=1)
    first = engine(picture)
    copy = first.copy()
    second = engine(1 - picture)
    del engine
    assert (first == copy).all() and (first != second).any()


class SpeaksDlpack:
    """An array of a library that nobody has heard of."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **named):
        return self.array.__dlpack__(**named)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class HasNamespace(SpeaksDlpack):
    def __array_namespace__(self):
        return HasNamespace

    @staticmethod
    def from_dlpack(other):
        return HasNamespace(np.from_dlpack(other))


def test_any_dlpack_array_is_taken(upscaler, picture):
    assert (upscaler(SpeaksDlpack(picture)) == upscaler(picture)).all()
    answer = upscaler(HasNamespace(picture))
    assert type(answer) is HasNamespace
    assert (answer.array == upscaler(picture)).all()


def test_buffers_are_taken(upscaler, picture):
    buffer = (ctypes.c_float * picture.size).from_buffer_copy(picture)
    view = memoryview(buffer).cast("B").cast("f", picture.shape)
    assert (upscaler(view) == upscaler(picture)).all()


class TestTorch:
    @pytest.fixture(autouse=True)
    def torch(self):
        return pytest.importorskip("torch", reason="PyTorch is not installed")

    def test_types_come_back(self, torch, upscaler, picture):
        x = torch.tensor(picture)
        for dtype in (torch.float16, torch.bfloat16, torch.float64):
            y = upscaler(x.to(dtype))
            assert y.dtype == dtype
            assert torch.equal(y, upscaler(x.to(dtype).float()).to(dtype))

    def test_layouts(self, torch, upscaler, picture):
        x = torch.tensor(picture)
        y = upscaler(x)
        assert torch.equal(upscaler(x.contiguous(memory_format=torch.channels_last)), y)
        assert torch.equal(upscaler(x.expand(3, -1, -1, -1))[2:], upscaler(x.repeat(3, 1, 1, 1))[2:])

    def test_gradients_are_refused(self, torch, upscaler, picture):
        x = torch.tensor(picture, requires_grad=True)
        with pytest.raises(TypeError, match=r"requires a gradient.*x\.detach\(\)"):
            upscaler(x)
        upscaler(x.detach())

    def test_parameters_and_subclasses_are_tensors(self, torch, upscaler, picture):
        class Mine(torch.Tensor):
            pass

        x = torch.tensor(picture)
        assert isinstance(upscaler(x.as_subclass(Mine)), torch.Tensor)
        assert isinstance(upscaler(torch.nn.Parameter(x, requires_grad=False)), torch.Tensor)

    def test_numbers_that_stand_for_their_negatives(self, torch, upscaler, picture):
        x = torch.tensor(picture)
        negative = torch.complex(x, -x).conj().imag
        assert negative.is_neg()
        assert torch.equal(upscaler(negative), upscaler(x))

    def test_other_devices_are_refused(self, torch, upscaler, picture):
        with pytest.raises(vitrum.UsageError, match=r"input: the array is on meta, the engine on the CPU; pass a copy"):
            upscaler(torch.tensor(picture, device="meta"))

    def test_tensors_without_numbers_are_refused(self, torch, upscaler, picture):
        from torch._subclasses.fake_tensor import FakeTensorMode

        x = torch.tensor(picture)
        with FakeTensorMode(allow_non_fake_inputs=True):
            traced = x + 1
        for other in (traced, x.to_sparse()):
            with pytest.raises(TypeError, match="cannot read .*Tensor of torch"):
                upscaler(other)
        with pytest.raises(TypeError, match="cannot read Tensor"):
            torch.vmap(upscaler)(x[None])

    def test_other_element_types_are_refused(self, torch, upscaler, picture):
        x = torch.tensor(picture)
        for dtype in (torch.int64, torch.bool, torch.complex64, torch.float8_e4m3fn):
            with pytest.raises(TypeError, match="values, where the network takes float32"):
                upscaler(x.to(dtype))

    @pytest.mark.parametrize("shape", [(0, 3, 8, 8), (1, 3, 8, 0), (1, 0, 8, 8)])
    def test_empty_tensors_are_refused(self, torch, upscaler, shape):
        with pytest.raises(vitrum.UsageError, match=r"input: the array of shape .* is empty"):
            upscaler(torch.zeros(shape))

# SPDX-License-Identifier: Apache-2.0
"""Arrays in a GPU's memory: read and written there, in the order of the
caller's stream.  Skipped, with the reason, where there is no GPU."""

import threading
import warnings

import cases
import numpy as np
import pytest

import vitrum

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
if not torch.cuda.is_available():
    pytest.skip("PyTorch sees no GPU", allow_module_level=True)

LONG = 200_000_000  # cycles: a tenth of a second


def compiled(name, **options):
    try:
        return vitrum.compile(cases.checkpoint(name), device="cuda", **options)
    except vitrum.Error as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def upscaler():
    return compiled("swinir_lightweight_x2", precision="fp32")


@pytest.fixture
def picture():
    return torch.rand(2, 3, 20, 28, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def expected(upscaler, picture):
    return upscaler(picture)


def test_gives_the_bits_that_the_host_gets(upscaler, picture, expected):
    for _ in range(3):
        y = upscaler(picture.cuda())
        assert y.device == torch.device("cuda:0") and y.is_contiguous()
        assert torch.equal(y.cpu(), expected)


@pytest.mark.parametrize(
    "layout",
    [
        lambda x: x.contiguous(memory_format=torch.channels_last),
        lambda x: x.transpose(2, 3).contiguous().transpose(2, 3),
        lambda x: torch.stack([x, x], dim=-1)[..., 0],
        lambda x: torch.nn.functional.pad(x, (1, 2, 3, 4))[:, :, 3:-4, 1:-2],
    ],
)
def test_every_layout_gives_the_same(upscaler, picture, expected, layout):
    assert torch.equal(upscaler(layout(picture.cuda())).cpu(), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_come_back_as_they_are(upscaler, picture, dtype):
    x = picture.to(dtype)
    y = upscaler(x.cuda())
    assert y.dtype == dtype and torch.equal(y.cpu(), upscaler(x))


def test_several_outputs_and_inputs():
    segmenter = compiled("mask2former_swin_folder", precision="fp32")
    x = torch.rand(1, 3, 32, 64)
    y, z = segmenter(x.cuda()), segmenter(x)
    assert all(torch.equal(y[name].cpu(), z[name]) for name in z) and len(z) == 2
    spectral = compiled("mst_cassi_small", precision="fp32")
    inputs = [torch.rand(info.shape) for info in spectral.inputs(1, 16, 16)]
    assert torch.equal(spectral(*[x.cuda() for x in inputs]).cpu(), spectral(*inputs))
    with pytest.raises(vitrum.UsageError, match="one of the arrays is on the GPU and another is not"):
        spectral(inputs[0].cuda(), inputs[1])


def test_reads_and_writes_in_the_order_of_the_stream(upscaler, picture, expected):
    stream = torch.cuda.Stream()
    x = torch.full_like(picture, 0.25, device="cuda")
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(LONG)
        x.copy_(picture.cuda())
        y = upscaler.evaluate(x)["output"]
        assert not stream.query(), "nothing waits for the result"
        x.zero_()  # once it has been read
        z = y.clone()
        y.zero_()
        assert torch.equal(z.cpu(), expected)
        assert torch.equal(upscaler(picture.cuda()).cpu(), expected)


def test_threads_with_streams_of_their_own(upscaler, picture):
    pictures = [torch.rand(1, 3, 16 + 4 * i, 24) for i in range(3)]
    answers = [upscaler(x) for x in pictures]
    wrong = []

    def work(i):
        with torch.cuda.stream(torch.cuda.Stream()):
            for _ in range(20):
                y = upscaler.evaluate(pictures[i].cuda())["output"] + 0
                if not torch.equal(y.cpu(), answers[i]):
                    wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_is_no_part_of_a_cuda_graph(upscaler, picture, expected):
    x = picture.cuda()
    y = torch.zeros(1, device="cuda")
    not_called_yet = compiled("swinir_lightweight_x2", precision="fp32")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y += 1
        for call in (upscaler, upscaler.evaluate, not_called_yet):
            with pytest.raises(vitrum.UsageError, match="cannot be part of another CUDA graph"):
                call(x)
    graph.replay()
    assert y.item() == 1
    assert torch.equal(upscaler(x).cpu(), expected)


def test_what_is_not_finite_never_comes_out(upscaler, picture):
    x = picture.cuda()
    x[0, 0, 3, 3] = float("nan")
    with pytest.raises(vitrum.AccuracyError, match="NaN or infinite"):
        upscaler(x)
    assert upscaler.evaluate(x)["output"].isnan().any()


class SpeaksDlpack:
    """An array of a library that nobody has heard of."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **named):
        return self.array.__dlpack__(**named)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def __array_namespace__(self):
        return SpeaksDlpack

    @staticmethod
    def from_dlpack(other):
        return SpeaksDlpack(torch.from_dlpack(other))


def test_any_dlpack_array_is_taken(upscaler, picture, expected):
    for call in (upscaler, lambda x: upscaler.evaluate(x)["output"]):
        y = call(SpeaksDlpack(picture.cuda()))
        assert type(y) is SpeaksDlpack and y.array.is_cuda
        assert torch.equal(y.array.cpu(), expected)
    kept = y.array
    del y
    assert torch.equal(kept.cpu(), expected)


class TestCupy:
    @pytest.fixture(autouse=True)
    def cupy(self):
        return pytest.importorskip("cupy", reason="CuPy is not installed")

    def test_gives_arrays_of_its_own(self, cupy, upscaler, picture, expected):
        for call in (upscaler, lambda x: upscaler.evaluate(x)["output"]):
            y = call(cupy.asarray(picture.numpy()))
            assert isinstance(y, cupy.ndarray) and y.device.id == 0
            assert (y.get() == expected.numpy()).all()
            assert float((y * 2).sum()) == pytest.approx(2 * float(expected.sum()), rel=1e-4)

    def test_reads_in_the_order_of_its_stream(self, cupy, upscaler, picture, expected):
        waits = "long long t = clock64(); while (clock64() - t < n);"
        spin = cupy.RawKernel(f'extern "C" __global__ void spin(long long n) {{ {waits} }}', "spin")
        x = cupy.full(picture.shape, 0.25, cupy.float32)
        y = cupy.asarray(picture.numpy())
        cupy.cuda.Device().synchronize()
        for stream in (cupy.cuda.Stream(), cupy.cuda.Stream(non_blocking=True)):
            with stream:
                spin((1,), (1,), (LONG,))
                x[...] = y
                assert (upscaler.evaluate(x)["output"].get() == expected.numpy()).all()
                x[...] = 0.25

    def test_turned_arrays_and_other_floats(self, cupy, upscaler, picture):
        x = cupy.asarray(picture.numpy()).astype(cupy.float16).transpose(0, 1, 3, 2)
        y = upscaler(x)
        assert y.dtype == cupy.float16
        assert (y.get() == upscaler(x.get())).all()


class TestJaxOnTheGpu:
    @pytest.fixture(autouse=True)
    def jax(self):
        jax = pytest.importorskip("jax", reason="JAX is not installed")
        if jax.default_backend() != "gpu":
            pytest.skip("JAX sees no GPU")
        return jax

    def test_gives_arrays_of_its_own(self, jax, upscaler, picture, expected):
        later = jax.jit(lambda x: x * 2 - x)
        for call in (upscaler, lambda x: upscaler.evaluate(x)["output"]):
            x = later(jax.numpy.asarray(picture.numpy()))  # not computed yet
            y = call(x)
            assert isinstance(y, jax.Array) and y.devices() == x.devices()
            assert (np.asarray(y) == expected.numpy()).all()
            assert float(jax.jit(lambda t: (t * 2).sum())(y)) == pytest.approx(2 * float(expected.sum()), rel=1e-4)

    def test_bfloat16_comes_back(self, jax, upscaler, picture):
        x = jax.numpy.asarray(picture.numpy()).astype("bfloat16")
        y = upscaler(x)
        assert y.dtype == "bfloat16" and y.devices() == x.devices()


def test_arrays_of_the_host_stay_there(upscaler, picture, expected):
    assert upscaler(picture).device.type == "cpu"
    assert (upscaler(picture.numpy()) == expected.numpy()).all()


def test_other_gpus_are_refused(upscaler, picture):
    class OnAnother(SpeaksDlpack):
        def __dlpack_device__(self):
            return 2, 5

    with pytest.raises(vitrum.UsageError, match="on cuda:5, the engine on cuda:0; .*device=\"cuda:5\""):
        upscaler(OnAnother(picture.cuda()))


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one GPU")
class TestTwoGpus:
    def test_the_current_one_stays(self, picture):
        second = vitrum.compile(cases.checkpoint("swinir_lightweight_x2"), device="cuda:1", precision="fp32")
        expected = second(picture)
        x = picture.to("cuda:1")
        for current in (0, 1):
            torch.cuda.set_device(current)
            for call in (second, lambda x: second.evaluate(x)["output"]):
                y = call(x)
                assert torch.cuda.current_device() == current
                assert y.device == torch.device("cuda:1") and torch.equal(y.cpu(), expected)
                assert torch.zeros(1, device="cuda").device.index == current
            second(picture)
            assert torch.cuda.current_device() == current
        torch.cuda.set_device(0)
        del second
        assert torch.cuda.current_device() == 0

    def test_each_has_its_engine(self, upscaler, picture, expected):
        second = vitrum.compile(cases.checkpoint("swinir_lightweight_x2"), device="cuda:1", precision="fp32")
        assert torch.equal(second(picture.to("cuda:1")).cpu(), upscaler(picture.to("cuda:0")).cpu())
        with pytest.raises(vitrum.UsageError, match="on cuda:0, the engine on cuda:1"):
            second(picture.to("cuda:0"))


def test_shapes_and_types_are_looked_at(upscaler, picture):
    with pytest.raises(vitrum.UsageError, match=r"shape is \[3, 20, 28\]"):
        upscaler(picture.cuda()[0])
    with pytest.raises(TypeError, match="uint8 values"):
        upscaler((picture * 255).to(torch.uint8).cuda())


class TestGraphsOfOnnx:
    @pytest.fixture
    def engine(self, tmp_path):
        onnx = pytest.importorskip("onnx", reason="onnx is not installed")
        helper, types = onnx.helper, onnx.TensorProto
        node = helper.make_node("GatherElements", ["table", "places"], ["taken"], axis=1)
        graph = helper.make_graph(
            [node],
            "gather",
            [
                helper.make_tensor_value_info("table", types.FLOAT, ["a", "b"]),
                helper.make_tensor_value_info("places", types.INT64, ["a", "c"]),
            ],
            [helper.make_tensor_value_info("taken", types.FLOAT, ["a", "c"])],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.save(model, tmp_path / "gather.onnx")
        return vitrum.compile(tmp_path / "gather.onnx", device="cuda")

    def test_any_rank_type_and_order_is_taken(self, engine):
        table, places = torch.rand(5, 3), torch.tensor([[4, 0], [1, 1], [2, 3]])
        expected = torch.gather(table.T, 1, places)
        for dtype in (torch.float32, torch.float16):
            y = engine(table.to(dtype).cuda().T, places.cuda())
            assert y.is_cuda and torch.equal(y.cpu(), expected.to(dtype))


class TestModules:
    @pytest.fixture
    def model(self):
        torch.manual_seed(3)
        layers = [torch.nn.Conv2d(3, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(16, 3, 3, padding=1)]
        return torch.nn.Sequential(*layers).cuda().eval()

    def test_modules_stay_where_they_are(self, model):
        pytest.importorskip("onnxscript", reason="onnxscript is not installed")
        x = torch.rand(2, 3, 16, 24, device="cuda")
        fast = vitrum.compile(model, example_inputs=x, precision="fp32")
        with torch.inference_mode():
            y, z = fast(x), model(x)
        assert y.device == z.device and torch.allclose(y, z, atol=1e-3)

    def test_torch_compile_takes_tensors_where_they_are(self, model):
        pytest.importorskip("onnxscript", reason="onnxscript is not installed")
        import vitrum.dynamo  # noqa: F401

        fast = torch.compile(model, backend="vitrum", options={"precision": "fp32"})
        x = torch.rand(2, 3, 16, 24, device="cuda")
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.filterwarnings("error", message="vitrum leaves")
            y, z = fast(x), model(x)
        assert y.device == z.device and torch.allclose(y, z, atol=1e-3)

    @pytest.mark.parametrize("device", ["cpu", "reference"])
    def test_an_engine_elsewhere_is_left_to_pytorch(self, model, device):
        import vitrum.dynamo  # noqa: F401

        fast = torch.compile(model, backend="vitrum", options={"device": device})
        x = torch.rand(1, 3, 8, 8, device="cuda")
        with torch.inference_mode(), pytest.warns(UserWarning, match=f"on cuda:0, the engine is to be on {device}"):
            assert torch.equal(fast(x), model(x))

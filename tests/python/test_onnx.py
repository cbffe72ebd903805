# SPDX-License-Identifier: Apache-2.0
"""ONNX files through the Python door."""

import cases
import numpy as np
import pytest

import vitrum

NAMES = sorted(p.name.removesuffix(".io.safetensors") for p in (cases.DATA / "onnx").glob("*.io.safetensors"))


@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_onnx_runtime(name):
    tensors, _ = cases.read_safetensors(cases.DATA / "onnx" / f"{name}.io.safetensors")
    inputs = [tensor for key, tensor in tensors.items() if key.startswith("input")]
    found = vitrum.compile(cases.DATA / "onnx" / f"{name}.onnx")(*inputs)
    for output in (key for key in tensors if key.startswith("output")):
        expected = tensors[output]
        y = found[output] if isinstance(found, dict) else found
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


class TestTensors:
    """Graphs that take and give what is no picture (tensors() of zoo/make_onnx_cases.py)."""

    @pytest.fixture
    def embedding(self):
        return vitrum.compile(cases.DATA / "onnx" / "tensors_embedding.onnx", threads=1)

    @pytest.fixture
    def inputs(self):
        random = np.random.default_rng(1)
        return random.integers(0, 4, (2, 5)), random.random((2, 5, 3), np.float32), np.array(True)

    @staticmethod
    def rows(ids, bias):
        return (np.arange(12, dtype=np.float32).reshape(4, 3) / 8)[ids] + bias

    def test_types_and_ranks_are_the_files(self, embedding, inputs):
        assert embedding.input_names == ["ids", "bias", "flag"]
        y = embedding(*inputs)
        assert list(y) == ["sum", "twice", "not"]
        assert {k: v.dtype.name for k, v in y.items()} == {"sum": "float32", "twice": "int64", "not": "bool"}
        assert (y["sum"] == self.rows(*inputs[:2])).all()
        assert (y["twice"] == 2 * inputs[0]).all()
        assert y["not"].shape == () and not y["not"]

    @pytest.mark.parametrize("batch, length", [(1, 1), (3, 2), (2, 5)])
    def test_open_extents_follow_the_arrays(self, embedding, batch, length):
        ids = np.ones((batch, length), np.int64)
        bias = np.ones((batch, length, 3), np.float32)
        y = embedding(bias=bias, flag=np.array(False), ids=ids)
        assert (y["sum"] == self.rows(ids, bias)).all() and y["not"]

    def test_strides_are_free(self, embedding, inputs):
        ids, bias, flag = inputs
        y = embedding(ids[:, ::-1], np.repeat(bias, 2, axis=2)[:, ::-1, ::2], flag)
        assert (y["sum"] == self.rows(ids, bias)[:, ::-1]).all()
        assert (y["twice"] == 2 * ids[:, ::-1]).all()

    def test_float32_is_converted(self, embedding, inputs):
        ids, bias, flag = inputs
        y = embedding(ids, bias.astype(np.float16), flag)
        assert y["sum"].dtype == np.float16 and y["twice"].dtype == np.int64
        assert (y["sum"] == self.rows(ids, bias.astype(np.float16).astype(np.float32)).astype(np.float16)).all()

    @pytest.mark.parametrize(
        "change, error, text",
        [
            (lambda i, b, f: (i.astype(np.int32), b, f), TypeError, "ids: int32 values, .* takes int64"),
            (lambda i, b, f: (i, i, f), TypeError, "bias: int64 values, .* takes float32"),
            (lambda i, b, f: (i, b[:1], f), vitrum.UsageError, r'"bias" is \[batch, sequence, 3\] with batch = 2'),
            (lambda i, b, f: (i, b[0], f), vitrum.UsageError, r"the array is \[5, 3\]"),
            (lambda i, b, f: (i, b, f[None]), vitrum.UsageError, r'"flag" is \[\]'),
            (lambda i, b, f: (i, b * np.nan, f), vitrum.AccuracyError, "sum: the network gave NaN"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, embedding, inputs, change, error, text):
        with pytest.raises(error, match=text):
            embedding(*change(*inputs))
        embedding(*inputs)

    def test_evaluate_leaves_nan_as_it_is(self, embedding, inputs):
        ids, bias, flag = inputs
        bias[0, 1, 2] = np.nan
        found = embedding.evaluate(ids, bias, flag)["sum"]
        assert np.isnan(found).sum() == 1 and np.isnan(found[0, 1, 2])

    @pytest.mark.parametrize("shape", [(2, 3, 4, 5, 6), (1, 1, 1, 1, 1), (2, 0, 4, 5, 6)])
    def test_every_type_comes_out(self, shape):
        engine = vitrum.compile(cases.DATA / "onnx" / "tensors_types.onnx", threads=1)
        x = 100 * np.random.default_rng(2).random(shape, np.float32)
        for x in (x, x[::-1, :, ::-1]):
            y = engine(x)
            assert (y["turned"] == x.transpose(4, 3, 2, 1, 0)).all()
            for name, dtype in {"half": "f2", "double": "f8", "byte": "u1", "short": "i2"}.items():
                assert y[name].dtype == np.dtype(dtype) and (y[name] == x.astype(dtype)).all()
            assert y["brain"].dtype == np.float32, "NumPy has no bfloat16"
            assert np.allclose(y["brain"], x, rtol=2**-8)

    def test_overflow_of_a_half_is_an_error(self):
        engine = vitrum.compile(cases.DATA / "onnx" / "tensors_types.onnx", threads=1)
        with pytest.raises(vitrum.AccuracyError, match="half: the network gave NaN or infinite"):
            engine(np.full((1, 1, 1, 1, 1), 1e6, np.float32))

    @staticmethod
    def compiled(path, nodes, inputs, output_type=None):
        """A graph of one output, y, that the onnx package writes."""
        onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
        y = onnx.helper.make_tensor_value_info("y", output_type or onnx.TensorProto.FLOAT, None)
        nodes = [onnx.helper.make_node(op, ins, outs, **attributes) for op, ins, outs, attributes in nodes]
        graph = onnx.helper.make_graph(nodes, "graph", inputs(onnx), [y])
        onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)]), path)
        return vitrum.compile(path, threads=1)

    def test_a_graph_may_take_nothing(self, tmp_path):
        path = tmp_path / "constant.onnx"
        engine = self.compiled(path, [("Constant", [], ["y"], {"value_floats": [1.0, 2.5]})], lambda onnx: [])
        assert engine.input_names == []
        for _ in range(2):
            assert engine().tolist() == [1, 2.5]
        assert engine.evaluate()["y"].tolist() == [1, 2.5]
        with pytest.raises(TypeError, match="takes 0 inputs"):
            engine(np.zeros(1, np.float32))

    def test_types_that_no_array_has_are_refused(self, tmp_path):
        def inputs(onnx):
            return [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [3])]

        float8 = 17  # FLOAT8E4M3FN
        x = np.array([1.06, -3000, 0.2], np.float32)
        there = ("Cast", ["x"], ["y"], {"to": float8})
        with pytest.raises(vitrum.UsageError, match="no array can hold values of type float8_e4m3fn"):
            self.compiled(tmp_path / "out.onnx", [there], inputs, float8)(x)
        back = ("Cast", ["narrow"], ["y"], {"to": 1})
        engine = self.compiled(tmp_path / "inside.onnx", [("Cast", ["x"], ["narrow"], {"to": float8}), back], inputs)
        assert engine(x).tolist() == [1.0, -448.0, 0.203125]

    def test_tensors_of_pytorch(self, embedding, inputs):
        torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        y = embedding(*map(torch.from_numpy, inputs[:2]), torch.tensor(True))
        assert [v.dtype for v in y.values()] == [torch.float32, torch.int64, torch.bool]
        engine = vitrum.compile(cases.DATA / "onnx" / "tensors_types.onnx", threads=1)
        x = torch.rand(2, 3, 4, 5, 6)
        assert torch.equal(engine(x)["brain"], x.bfloat16())

#!/usr/bin/env python3
"""Writes the small ONNX files of the tests and the seeds of the fuzzer: zoo/make_onnx_cases.py (needs onnx, torch)."""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parent.parent
SEEDS = ROOT / "fuzz/corpus/onnx"


def graph(nodes, inputs, outputs, tensors=()):
    return helper.make_graph(nodes, "case", inputs, outputs, list(tensors))


def model(g, opset=17, **kwargs):
    m = helper.make_model(g, opset_imports=[helper.make_opsetid("", opset)], producer_name="cases", **kwargs)
    m.ir_version = 8
    return m


def picture(name, channels=3):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", channels, "height", "width"])


def seeds():
    """Structure only: every kind of field that the reader knows."""
    x, y = picture("x"), picture("y")
    weight = numpy_helper.from_array(np.arange(27, dtype=np.float32).reshape(1, 3, 3, 3), "w")
    typed = helper.make_tensor("t", TensorProto.FLOAT16, [2], [1.0, 2.0])
    yield "conv", model(graph([helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])], [x], [y], [weight, typed]))
    branch = lambda op: graph([helper.make_node(op, ["x"], ["b"])], [], [picture("b")])
    condition = helper.make_tensor("c", TensorProto.BOOL, [], [True])
    chosen = helper.make_node("If", ["c"], ["y"], then_branch=branch("Relu"), else_branch=branch("Neg"))
    yield "if", model(graph([chosen], [x], [y], [condition]))
    outside = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    outside.ClearField("float_data")
    outside.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "../secret"), ("offset", "4"), ("length", "4")):
        outside.external_data.add(key=key, value=value)
    yield "external", model(graph([helper.make_node("Mul", ["x", "w"], ["y"])], [x], [y], [outside]))
    body = helper.make_function("own", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])],
                                [helper.make_opsetid("", 17)])
    calls = graph([helper.make_node("Twice", ["x"], ["y"], domain="own")], [x], [y])
    yield "function", model(calls, functions=[body])


def main():
    SEEDS.mkdir(parents=True, exist_ok=True)
    for name, m in seeds():
        (SEEDS / name).write_bytes(m.SerializeToString())


if __name__ == "__main__":
    main()

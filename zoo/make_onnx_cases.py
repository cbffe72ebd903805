#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the ONNX files of the tests: tests/data/onnx, and the seeds in fuzz/corpus/onnx.

With names, only those networks.  Needs torch, onnx, onnxscript, onnxruntime, transformers, onnxsim and safetensors.  The outputs
beside each exported network are those of ONNX Runtime, or of PyTorch where ONNX Runtime cannot run the file.
"""

import pathlib
import sys
import zlib

import numpy as np
import onnx
import onnxruntime
import onnxsim
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization
from safetensors.numpy import save_file

import elan
import make_mst_cases
import make_test_cases
import mask2former
import mst
import swinir

ROOT = pathlib.Path(__file__).resolve().parent.parent
SEEDS = ROOT / "fuzz/corpus/onnx"
NETWORKS = ROOT / "tests/data/onnx"


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


def tensors():
    """Graphs that take and give what is no picture, for callers with tensors of their own."""
    value = helper.make_tensor_value_info
    steps = ["batch", "sequence"]
    table = numpy_helper.from_array(np.arange(12, dtype=np.float32).reshape(4, 3) / 8, "table")
    nodes = [helper.make_node("Gather", ["table", "ids"], ["rows"]), helper.make_node("Add", ["rows", "bias"], ["sum"]),
             helper.make_node("Add", ["ids", "ids"], ["twice"]), helper.make_node("Not", ["flag"], ["not"])]
    inputs = [value("ids", TensorProto.INT64, steps), value("bias", TensorProto.FLOAT, steps + [3]),
              value("flag", TensorProto.BOOL, [])]
    outputs = [value("sum", TensorProto.FLOAT, steps + [3]), value("twice", TensorProto.INT64, steps),
               value("not", TensorProto.BOOL, [])]
    yield "tensors_embedding", model(graph(nodes, inputs, outputs, [table]))
    types = {"half": "FLOAT16", "brain": "BFLOAT16", "double": "DOUBLE", "byte": "UINT8", "short": "INT16"}
    nodes = [helper.make_node("Transpose", ["x"], ["turned"], perm=[4, 3, 2, 1, 0])]
    outputs = [value("turned", TensorProto.FLOAT, None)]
    for name, kind in types.items():
        nodes.append(helper.make_node("Cast", ["x"], [name], to=getattr(TensorProto, kind)))
        outputs.append(value(name, getattr(TensorProto, kind), None))
    yield "tensors_types", model(graph(nodes, [value("x", TensorProto.FLOAT, list("abcde"))], outputs))


def exported():
    """Networks as PyTorch's two exporters write them: name, module, inputs, arguments of the export."""
    generator = torch.Generator().manual_seed(zlib.crc32(b"onnx"))
    config = dict(upscale=2, upsampler="pixelshuffledirect", embed_dim=12, depths=(2,), num_heads=(2,), window_size=4,
                  img_size=16)
    small = swinir.SwinIR(**config).eval()
    make_test_cases.randomise(small, generator)
    light = elan.Elan(scale=2, c_elan=15, m_elan=2, n_share=1, window_sizes=(2, 4, 8)).eval()
    make_test_cases.randomise_elan(light, generator)
    spectral = mst.MSTPlusPlus(dim=8, stage=1).eval()
    make_mst_cases.randomise(spectral, generator)
    picture = torch.rand(1, 3, 8, 12, generator=generator)
    script, dynamo = dict(opset_version=17, dynamo=False), dict(opset_version=18, dynamo=True, external_data=False)
    yield "swinir_script17", small, picture, script
    yield "swinir_dynamo18", small, picture, dynamo
    yield "elan_script11", light, 255 * torch.rand(1, 3, 8, 16, generator=generator), dict(script, opset_version=11)
    yield "mstpp_script17", spectral, picture, script
    convolutions = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(8, 12, 3, padding=1),
                                       torch.nn.PixelShuffle(2)).eval()
    snapshot = mst.CassiMST(dim=4, num_blocks=(1, 1)).eval()
    make_mst_cases.randomise(snapshot, generator)
    inputs = make_mst_cases.inputs_of(snapshot, (1, 32, 32), generator)
    yield "mst_cassi_script17", snapshot, tuple(inputs.values()), dict(script, input_names=list(inputs))
    backbone = mask2former.swin(embed_dim=4, depths=[1, 2, 1, 1], num_heads=[1, 1, 2, 2], window_size=4)
    sizes = dict(num_queries=6, hidden_dim=32, feature_size=32, mask_feature_size=16, encoder_layers=1, decoder_layers=4,
                 encoder_feedforward_dim=16, dim_feedforward=24)
    segmenter = mask2former.Network(backbone, 3, **sizes).eval()
    names = dict(input_names=["input"], output_names=list(segmenter.outputs))
    square = torch.randn(1, 3, 64, 96, generator=generator)
    yield "mask2former_script17", segmenter, square, dict(script, **names)
    open_network = dict(names, dynamic_axes={"input": {2: "height", 3: "width"}})
    yield "mask2former_open_script17", segmenter, square, dict(script, **open_network)
    yield "mask2former_dynamo18_onnxsim", segmenter, square, dict(dynamo, **names, simplified=True)
    open_sides = {"x": {0: "batch", 2: "height", 3: "width"}}
    yield "convolutions_open", convolutions, picture, dict(script, input_names=["x"], dynamic_axes=open_sides)
    bands = torch.nn.Conv2d(3, 5, 1).eval()
    yield "convolution_bands", bands, picture, script
    yield "convolution_pairs", bands, torch.cat([picture, picture]), script
    clipped = Clipped(**config).eval()
    clipped.load_state_dict(small.state_dict())
    yield "swinir_clipped", clipped, picture, script
    # Sizes in the graph, as the published network's own code leaves them there.
    for module in (swinir, elan):
        module.pad_to_multiple = pad_openly
    yield "swinir_open_script17", small, picture, dict(script, input_names=["x"], dynamic_axes=open_sides)
    sides = {0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    yield "swinir_open_dynamo18", small, torch.cat([picture, picture]), dict(dynamo, dynamic_shapes=(sides,))


class Pictures(quantization.CalibrationDataReader):
    def __init__(self):
        self.left = [{"x": np.random.default_rng(i).random((1, 3, 16, 24), np.float32)} for i in range(3)]

    def get_next(self):
        return self.left.pop() if self.left else None


def quantised(name, source):
    """Pairs of QuantizeLinear and DequantizeLinear in another network of these, its weights in int8."""
    path = NETWORKS / f"{name}.onnx"
    quantization.quantize_static(NETWORKS / f"{source}.onnx", path, Pictures(), per_channel=True)
    save_answers(name, path, None, {"input": np.random.default_rng(5).random((1, 3, 8, 12), np.float32)}, ["output"])


class Clipped(swinir.SwinIR):
    """The same weights and another network."""

    def forward(self, x):
        return super().forward(x).clamp(0, 1)


def pad_openly(x, multiple):
    h, w = x.shape[2:]
    return torch.nn.functional.pad(x, (0, -w % multiple, 0, -h % multiple), "reflect")


def without_notes(path):
    """PyTorch's notes on nodes and values, and names that are no parameter's, are most of a small file."""
    m = onnx.load(path)
    kept = {port.name for port in [*m.graph.input, *m.graph.output]} | {tensor.name for tensor in m.graph.initializer}
    short = {}
    for node in m.graph.node:
        del node.metadata_props[:]
        node.doc_string = node.name = ""
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name and name not in kept:
                    names[i] = short.setdefault(name, f"v{len(short)}")
    del m.graph.value_info[:]
    onnx.save(m, path)


def answers(path, module, inputs):
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:  # GridSample at float64
        with torch.inference_mode():
            made = module(*inputs)
        return [np.ascontiguousarray(y.numpy()) for y in made]
    return session.run(None, {port.name: x.numpy() for port, x in zip(session.get_inputs(), inputs)})


def export(name, module, inputs, arguments):
    path = NETWORKS / f"{name}.onnx"
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    is_simplified = arguments.pop("simplified", False)
    with torch.inference_mode():
        torch.onnx.export(module, inputs, path, verbose=False, **arguments)
    if is_simplified:
        onnx.save(onnxsim.simplify(onnx.load(path))[0], path)
    without_notes(path)
    names = arguments.get("input_names", ["input"]) if len(inputs) > 1 else ["input"]
    named = dict(zip(names, (x.numpy() for x in inputs)))
    save_answers(name, path, module, named, arguments.get("output_names", ["output"]))


def save_answers(name, path, module, inputs, outputs):
    made = answers(path, module, [torch.from_numpy(x) for x in inputs.values()])
    io = NETWORKS / f"{name}.io.safetensors"
    save_file({**inputs, **dict(zip(outputs, made))}, io)
    io.chmod(0o644)
    operators = sorted({node.op_type for node in onnx.load(path).graph.node})
    print(f"{name:20} {path.stat().st_size:8}  {' '.join(operators)}")


def main():
    NETWORKS.mkdir(parents=True, exist_ok=True)
    for case in exported():
        if case[0] in sys.argv[1:] or len(sys.argv) == 1:
            export(*case)
    quantised("convolutions_qdq", "convolutions_open")
    for name, m in tensors():
        onnx.save(m, NETWORKS / f"{name}.onnx")
    SEEDS.mkdir(parents=True, exist_ok=True)
    for name, m in seeds():
        (SEEDS / name).write_bytes(m.SerializeToString())


if __name__ == "__main__":
    main()

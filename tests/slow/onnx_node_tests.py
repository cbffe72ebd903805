#!/usr/bin/env python3
"""Runs the node tests of the onnx package and compares what passes with docs/onnx.md.

--write puts the result into docs/onnx.md. Exit code 77: the onnx package is missing.
"""

import argparse
import collections
import pathlib
import re
import subprocess
import sys
import tempfile
import warnings

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/onnx.md"
BEGIN, END = "<!-- node tests: begin -->", "<!-- node tests: end -->"


def write_cases(folder):
    """Writes each case as files; returns its node types, and those that no file can hold with the reason."""
    import numpy as np
    from onnx import TensorProto, numpy_helper
    from onnx.backend.test.case.node import collect_testcases

    def flat(values):
        """Lists' tensors one behind the other; absent values are none."""
        for value in values:
            if isinstance(value, list):
                yield from flat(value)
            elif value is not None:
                yield value

    operators, left_out = {}, {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    for case in cases:
        nodes = case.model.graph.node
        operators[case.name] = sorted({f"{n.domain}.{n.op_type}" if n.domain else n.op_type for n in nodes})
        inputs, outputs = (list(flat(values)) for values in case.data_sets[0])
        if not all(isinstance(v, (np.ndarray, np.generic, TensorProto)) for v in inputs + outputs):
            left_out[case.name] = "values that are neither tensors nor lists of them"
            continue
        target = folder / case.name
        target.mkdir()
        (target / "model.onnx").write_bytes(case.model.SerializeToString())
        (target / "tolerance").write_text(f"{case.rtol} {case.atol}\n")
        for stem, group in (("input", inputs), ("output", outputs)):
            for i, value in enumerate(group):
                tensor = value if isinstance(value, TensorProto) else numpy_helper.from_array(np.asarray(value))
                (target / f"{stem}_{i}.pb").write_bytes(tensor.SerializeToString())
    return operators, left_out


def run(runner, folder):
    lines = subprocess.run([runner, folder], check=True, capture_output=True, text=True).stdout.splitlines()
    return {name: (verdict, why) for name, verdict, why in (line.split("\t", 2) for line in lines)}


def reason(why):
    """Why a case is refused, without what differs from case to case."""
    why = re.sub(r'^[\w.]+ "[^"]*": ', "", why.split(".pb: ")[-1])
    why = re.sub(r'(tensor|output|input) "[^"]*"', r"a \1", why)
    why = re.sub(r"(\w+)\[[\d, ]*\]", r"\1[…]", why)
    return re.sub(r"byte \d+: ", "", why).replace("|", "\\|")


def page(operators, results, version):
    passed = [n for n, (v, _) in results.items() if v in ("passed", "folded")]
    folded = sum(v == "folded" for v, _ in results.values())
    by_operator = collections.defaultdict(lambda: [0, 0, collections.Counter()])
    for name, (verdict, why) in results.items():
        if "_expanded" in name:
            continue  # the same operator written as others; counted in the total only
        for operator in operators[name]:
            row = by_operator[operator]
            row[1] += 1
            row[0] += verdict in ("passed", "folded")
            if verdict not in ("passed", "folded"):
                row[2][reason(why) if verdict == "refused" else "differs"] += 1
    text = [f"onnx {version}: **{len(passed)} of {len(results)} node tests pass**, {folded} of them with inputs that "
            "shapes depend on known beforehand. Tests of functions written out as other operators count in the total; "
            "the table leaves them out.", "", "| operator | passed | of | why not |", "|---|---:|---:|---|"]
    for operator, (good, total, why) in sorted(by_operator.items()):
        text.append(f"| {operator} | {good} | {total} | {'; '.join(sorted(why))} |")
    return len(passed), "\n".join(text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runner", required=True)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--at-least", type=int, default=500)
    parser.add_argument("--list", action="store_true", help="print every case that does not pass")
    arguments = parser.parse_args()
    try:
        import onnx
    except ImportError:
        print("the package onnx is missing")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        operators, left_out = write_cases(pathlib.Path(folder))
        results = run(arguments.runner, folder)
    results.update({name: ("refused", why) for name, why in left_out.items()})
    passed, table = page(operators, results, onnx.__version__)
    if arguments.list:
        for name, (verdict, why) in sorted(results.items()):
            if verdict not in ("passed", "folded"):
                print(verdict, name, why, sep="\t")
    print(f"{passed} of {len(results)} node tests pass")
    wrong = sorted(name for name, (verdict, _) in results.items() if verdict == "wrong")
    if wrong:
        print("wrong results:", ", ".join(wrong))
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    fresh = f"{before}{BEGIN}\n{table}\n{END}{after}"
    if arguments.write:
        PAGE.write_text(fresh)
    elif fresh != text and f"onnx {onnx.__version__}:" in text:
        print("docs/onnx.md says something else; run this with --write and look at the difference")
        return 1
    return 0 if passed >= arguments.at_least else 1


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""python -m vitrum verify model.onnx --against onnxruntime: what the command leaves to Python."""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from typing import Any

from . import _core
from ._verify import AgainstReport, verify
from .errors import AccuracyError, Error, OutOfMemoryError, UsageError


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        report = verify(
            options.model,
            against=options.against,
            size=options.size,
            layers=options.layers,
            tolerance=options.tolerance,
            device=options.device,
            threads=options.threads,
            precision=options.precision,
            **dict(options.set),
        )
    except (Error, TypeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return _exit_code(error)
    print(json.dumps(_as_json(report)) if options.json else report)
    return 0 if report.passed else 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vitrum", description=__doc__)
    verbs = parser.add_subparsers(required=True)
    one = verbs.add_parser("verify", help="prove that an ONNX file gives what ONNX Runtime gives")
    one.add_argument("model", metavar="MODEL", help="an ONNX file")
    one.add_argument("--against", required=True, choices=["onnxruntime"])
    one.add_argument("--size", type=_size, default=(64, 64), metavar="HxW", help="of noise as input")
    one.add_argument("--layers", action="store_true", help="compare what every node gives too")
    one.add_argument("--tolerance", type=float, default=0.0, metavar="X", help="of the normalised error")
    one.add_argument("--device", default="cpu")
    one.add_argument("--threads", type=int, default=0, metavar="N")
    one.add_argument("--precision", default="auto")
    one.add_argument("--set", action="append", default=[], type=_setting, metavar="NAME=VALUE")
    one.add_argument("--json", action="store_true")
    return parser


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text}: expected HxW, like 64x96")
    return int(match[1]), int(match[2])


def _setting(text: str) -> tuple[str, int]:
    name, _, value = text.partition("=")
    if not name or not value.isdigit():
        raise argparse.ArgumentTypeError(f"{text}: expected NAME=VALUE, an extent that the file names")
    return name, int(value)


def _exit_code(error: Exception) -> int:
    if isinstance(error, (UsageError, TypeError)):
        return 2
    if isinstance(error, AccuracyError):
        return 3
    return 4 if isinstance(error, OutOfMemoryError) else 1


def _as_json(report: AgainstReport) -> dict[str, Any]:
    return {
        "passed": report.passed,
        "tolerance": report.tolerance,
        "first_large": report.first_large,
        "outputs": [_comparison(c) for c in report.outputs],
        "layers": [_comparison(c) for c in report.layers],
    }


def _comparison(c: _core.TensorComparison) -> dict[str, Any]:
    """As the command's JSON; infinity becomes null."""
    numbers = {
        "absolute": {"mean": c.absolute_mean, "median": c.absolute_median, "max": c.absolute_max},
        "relative": {"mean": c.relative_mean, "median": c.relative_median, "max": c.relative_max},
        "normalised": c.normalised if math.isfinite(c.normalised) else None,
        "psnr_db": c.psnr_db if math.isfinite(c.psnr_db) else None,
    }
    return {"name": c.name, "count": c.count, "non_finite": c.non_finite, **numbers}


if __name__ == "__main__":
    sys.exit(main())

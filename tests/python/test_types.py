# SPDX-License-Identifier: Apache-2.0
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

import vitrum


def test_mypy_accepts_the_package_and_a_typed_use_of_it(tmp_path):
    pytest.importorskip("mypy", reason="mypy is not installed")
    here = pathlib.Path(__file__).resolve().parent
    package = pathlib.Path(vitrum.__file__).parent
    assert (package / "py.typed").exists()
    # A copy, since mypy does not report errors of installed packages.
    (tmp_path / "vitrum").mkdir()
    for file in [*package.glob("*.py"), package / "_core.pyi"]:
        shutil.copy(file, tmp_path / "vitrum")
    settings = here.parents[1] / "pyproject.toml"
    command = [sys.executable, "-m", "mypy", "--config-file", settings, "--cache-dir", tmp_path / "cache"]
    done = subprocess.run(
        [*command, here / "typed_use.py"],
        capture_output=True,
        text=True,
        env={**os.environ, "MYPYPATH": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr

# SPDX-License-Identifier: Apache-2.0
import cases
import numpy as np
import pytest

import vitrum


@pytest.fixture(scope="session")
def upscaler():
    """SwinIR x2, RGB, 0 ... 1."""
    return vitrum.compile(cases.checkpoint("swinir_lightweight_x2"), threads=1)


@pytest.fixture(scope="session")
def segmenter():
    return vitrum.compile(cases.checkpoint("mask2former_swin_folder"), threads=1)


@pytest.fixture
def picture():
    return np.random.default_rng(1).random((1, 3, 20, 28), np.float32)

# SPDX-License-Identifier: Apache-2.0
"""Bicubic resizing as MATLAB's imresize does it, and the Set5 metric."""

import math

import numpy as np


def cubic(x):
    x = np.abs(x)
    near = 1.5 * x ** 3 - 2.5 * x ** 2 + 1
    far = -0.5 * x ** 3 + 2.5 * x ** 2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def resize_matrix(n, m):
    """m x n matrix of 1-D bicubic interpolation; shrinking widens the kernel."""
    scale = m / n
    stretch = min(scale, 1.0)
    support = 4 / stretch
    centre = (np.arange(m) + 0.5) / scale - 0.5
    taps = math.ceil(support) + 2
    left = np.floor(centre - support / 2)
    index = left[:, None] + np.arange(taps)
    weight = cubic((centre[:, None] - index) * stretch)
    weight /= weight.sum(1, keepdims=True)
    # Beyond the border the image is mirrored, the border sample included.
    index = index.astype(np.int64) % (2 * n)
    index = np.where(index < n, index, 2 * n - 1 - index)
    matrix = np.zeros((m, n))
    np.add.at(matrix, (np.arange(m)[:, None], index), weight)
    return matrix


def resize(image, height, width):
    """H W C, any real type -> float64, neither clamped nor rounded."""
    rows = resize_matrix(image.shape[0], height)
    columns = resize_matrix(image.shape[1], width)
    out = np.einsum("yh,hwc->ywc", rows, image.astype(np.float64),
                    optimize=True)
    return np.einsum("xw,ywc->yxc", columns, out, optimize=True)


def to_uint8(image):
    return np.clip(np.floor(image + 0.5), 0, 255).astype(np.uint8)


def low_resolution(hr, scale):
    """8-bit HR, its sides multiples of scale -> 8-bit LR.

    imresize keeps its input's type, so what lies between the two passes is
    rounded to 8 bits as well.
    """
    h, w = hr.shape[:2]
    rows = to_uint8(resize(hr, h // scale, w))
    return to_uint8(resize(rows, h // scale, w // scale))


def luma(rgb):
    """BT.601 Y of 8-bit RGB, not rounded."""
    r, g, b = np.moveaxis(rgb.astype(np.float64), -1, 0)
    return 16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255


def psnr_y(a, b, border):
    """PSNR in dB of the luma of two 8-bit RGB images, without their border."""
    d = luma(a) - luma(b)
    d = d[border:-border, border:-border] if border else d
    return 10 * math.log10(255 ** 2 / np.mean(d ** 2))

# SPDX-License-Identifier: Apache-2.0
"""ELAN (Zhang et al. 2022) in plain PyTorch.

Written for this project to make its test cases.  The parameter names are those
of the published checkpoints; `list_names` gives the second layout in use.
Pixels run from 0 to 255 and the mean is subtracted inside.
"""

import math
import re

import torch
import torch.nn.functional as F
from torch import nn

from swinir import RGB_MEAN, pad_to_multiple, unwindows, windows

LIGHT = dict(c_elan=60, m_elan=24, n_share=1)
FULL = dict(c_elan=180, m_elan=36, n_share=0)


def mean_shift(sign):
    """A 1x1 convolution that adds or subtracts the mean colour."""
    conv = nn.Conv2d(3, 3, 1)
    conv.weight.data = torch.eye(3)[:, :, None, None]
    conv.bias.data = sign * 255.0 * torch.tensor(RGB_MEAN)
    return conv.requires_grad_(False)


class ShiftConv(nn.Module):
    """Four fifths of the channels move by a pixel, then a 1x1 convolution."""

    def __init__(self, inputs, outputs):
        super().__init__()
        # A depthwise filter of one 1 per channel: the published name for it.
        shift = torch.zeros(inputs, 1, 3, 3)
        g = inputs // 5
        for group, (row, column) in enumerate(
                [(1, 2), (1, 0), (2, 1), (0, 1)]):
            shift[group * g:(group + 1) * g, 0, row, column] = 1
        shift[4 * g:, 0, 1, 1] = 1
        self.weight = nn.Parameter(shift, requires_grad=False)
        self.conv1x1 = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x):
        return self.conv1x1(
            F.conv2d(x, self.weight, padding=1, groups=x.shape[1]))


class Lfe(nn.Module):
    """Local feature extraction."""

    def __init__(self, dim, hidden):
        super().__init__()
        self.conv0 = nn.Module()
        self.conv0.shift_conv = ShiftConv(dim, hidden)
        self.conv1 = nn.Module()
        self.conv1.shift_conv = ShiftConv(hidden, dim)

    def forward(self, x):
        return self.conv1.shift_conv(F.relu(self.conv0.shift_conv(x)))


class Gmsa(nn.Module):
    """Group-wise multi-scale self-attention; shared ones reuse the maps."""

    def __init__(self, dim, window_sizes, shifted, shared):
        super().__init__()
        self.window_sizes = window_sizes
        self.shifted = shifted
        rows = dim if shared else 2 * dim
        self.project_inp = nn.Sequential(
            nn.Conv2d(dim, rows, 1), nn.BatchNorm2d(rows))
        self.project_out = nn.Conv2d(dim, dim, 1)

    def forward(self, x, maps):
        h, w = x.shape[2:]
        made, attended = [], []
        groups = self.project_inp(x).permute(0, 2, 3, 1).chunk(3, -1)
        for i, (group, size) in enumerate(zip(groups, self.window_sizes)):
            shift = size // 2 if self.shifted else 0
            group = windows(group.roll((-shift, -shift), (1, 2)), size)
            if maps is None:
                q, v = group.chunk(2, -1)
                made.append((q @ q.transpose(1, 2)).softmax(-1))
            else:
                v = group
                made.append(maps[i])
            y = unwindows(made[i] @ v, size, h, w)
            attended.append(y.roll((shift, shift), (1, 2)))
        y = torch.cat(attended, -1).permute(0, 3, 1, 2)
        return self.project_out(y), made


class Elab(nn.Module):
    """1 + n_share pairs of LFE and GMSA around one set of maps."""

    def __init__(self, dim, hidden, window_sizes, shifted, n_share):
        super().__init__()
        self.modules_lfe = nn.ModuleDict(
            (f"lfe_{i}", Lfe(dim, hidden)) for i in range(1 + n_share))
        self.modules_gmsa = nn.ModuleDict(
            (f"gmsa_{i}", Gmsa(dim, window_sizes, shifted, i > 0))
            for i in range(1 + n_share))

    def forward(self, x):
        maps = None
        for lfe, gmsa in zip(self.modules_lfe.values(),
                             self.modules_gmsa.values()):
            x = x + lfe(x)
            y, maps = gmsa(x, maps)
            x = x + y
        return x


class Elan(nn.Module):
    def __init__(self, scale=4, c_elan=60, m_elan=24, n_share=1, r_expand=2,
                 window_sizes=(4, 8, 16)):
        super().__init__()
        self.scale = scale
        self.multiple = math.lcm(*window_sizes)
        self.sub_mean = mean_shift(-1)
        self.add_mean = mean_shift(1)
        self.head = nn.Sequential(nn.Conv2d(3, c_elan, 3, padding=1))
        self.body = nn.Sequential(*(
            Elab(c_elan, c_elan * r_expand, window_sizes, i % 2 == 1, n_share)
            for i in range(m_elan // (1 + n_share))))
        self.tail = nn.Sequential(
            nn.Conv2d(c_elan, 3 * scale ** 2, 3, padding=1),
            nn.PixelShuffle(scale))

    def forward(self, x):
        h, w = x.shape[2:]
        x = self.head(self.sub_mean(pad_to_multiple(x, self.multiple)))
        x = self.add_mean(self.tail(x + self.body(x)))
        return x[:, :, :h * self.scale, :w * self.scale]


def list_names(name):
    """The name of a parameter where modules are kept in lists."""
    name = re.sub(r"^head\.0\.", "head.", name)
    name = re.sub(r"modules_(lfe|gmsa)\.(?:lfe|gmsa)_", r"modules_\1.", name)
    name = re.sub(r"\.conv([01])\.shift_conv\.conv1x1\.",
                  lambda m: f".lfe.{2 * int(m[1])}.", name)
    return re.sub(r"\.conv([01])\.shift_conv\.weight$",
                  lambda m: f".lfe.{2 * int(m[1])}.mask", name)

# SPDX-License-Identifier: Apache-2.0
"""MST++ and MST (Cai et al. 2022) in plain PyTorch.

Written for this project: it makes the test cases and is what the speed of the
CPU is compared with.  The parameter names are those of the published
checkpoints, so either side's weights load into the other.

One difference to the published code: there, every picture of a batch is
guided by the mask of the first.  Here each picture has its own, so that a
batch gives what its pictures give alone.
"""

import torch
import torch.nn.functional as F
from torch import nn

from swinir import pad_to_multiple

CASSI_BANDS = 28
CASSI_SHIFT = 2      # columns between neighbouring bands on the sensor
CASSI_ROWS = 256     # of the pictures that the shifts were designed for


def conv(i, o, kernel, stride=1, groups=1, bias=False):
    return nn.Conv2d(i, o, kernel, stride, (kernel - stride + 1) // 2,
                     groups=groups, bias=bias)


def shift_back(x):
    """Undo the dispersion: channel c moves left by its share of the shift.

    [B, C, H, H + ...] -> [B, C, H, H].  Coarser levels have more channels
    for the same bands and fewer columns: both shrink the step.
    """
    rows = x.shape[2]
    shrink = CASSI_ROWS // rows
    step = CASSI_SHIFT / (shrink * shrink)
    return torch.stack([x[:, c, :, int(step * c):int(step * c) + rows]
                        for c in range(x.shape[1])], 1)


class MaskGuide(nn.Module):
    """How far each pixel of each channel can be trusted, from the mask."""

    def __init__(self, dim, dispersed):
        super().__init__()
        self.dispersed = dispersed
        self.conv1 = conv(dim, dim, 1, bias=True)
        self.conv2 = conv(dim, dim, 1, bias=True)
        self.depth_conv = conv(dim, dim, 5, groups=dim, bias=True)

    def forward(self, mask):
        m = self.conv1(mask)
        m = m * torch.sigmoid(self.depth_conv(self.conv2(m))) + m
        return shift_back(m) if self.dispersed else m


class SpectralAttention(nn.Module):
    """Attention between channels; x and the result are B H W C."""

    def __init__(self, dim, heads, guide):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_k = nn.Linear(dim, dim, bias=False)
        self.to_v = nn.Linear(dim, dim, bias=False)
        self.rescale = nn.Parameter(torch.ones(heads, 1, 1))
        self.proj = nn.Linear(dim, dim)
        self.pos_emb = nn.Sequential(conv(dim, dim, 3, groups=dim), nn.GELU(),
                                     conv(dim, dim, 3, groups=dim))
        if guide:
            self.mm = MaskGuide(dim, guide == "dispersed")

    def forward(self, x, mask):
        b, h, w, c = x.shape

        def by_head(t):  # B H W C -> B heads C/heads HW
            return t.reshape(b, h * w, self.heads, -1).permute(0, 2, 3, 1)

        q, k, v = self.to_q(x), self.to_k(x), self.to_v(x)
        guided = v if mask is None else v * self.mm(mask).permute(0, 2, 3, 1)
        att = (F.normalize(by_head(k), dim=-1)
               @ F.normalize(by_head(q), dim=-1).transpose(-2, -1))
        y = (att * self.rescale).softmax(-1) @ by_head(guided)
        y = self.proj(y.permute(0, 3, 1, 2).reshape(b, h, w, c))
        return y + self.pos_emb(v.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class FeedForward(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.net = nn.Sequential(
            conv(dim, 4 * dim, 1), nn.GELU(),
            conv(4 * dim, 4 * dim, 3, groups=4 * dim), nn.GELU(),
            conv(4 * dim, dim, 1))

    def forward(self, x):
        return self.net(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class NormThen(nn.Module):
    def __init__(self, dim, fn):
        super().__init__()
        self.fn = fn
        self.norm = nn.LayerNorm(dim)

    def forward(self, x):
        return self.fn(self.norm(x))


class Blocks(nn.Module):
    def __init__(self, dim, heads, count, guide):
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.ModuleList([SpectralAttention(dim, heads, guide),
                           NormThen(dim, FeedForward(dim))])
            for _ in range(count))

    def forward(self, x, mask):
        x = x.permute(0, 2, 3, 1)
        for attention, feed_forward in self.blocks:
            x = attention(x, mask) + x
            x = feed_forward(x) + x
        return x.permute(0, 3, 1, 2)


class UShape(nn.Module):
    """Encoder, bottleneck and decoder: what all variants share."""

    def make_body(self, dim, num_blocks, guide):
        self.levels = len(num_blocks) - 1
        self.encoder_layers = nn.ModuleList()
        for i in range(self.levels):
            c = dim << i
            # The second convolution takes the mask down.
            down = [conv(c, 2 * c, 4, 2) for _ in range(2 if guide else 1)]
            self.encoder_layers.append(nn.ModuleList(
                [Blocks(c, 1 << i, num_blocks[i], guide), *down]))
        self.bottleneck = Blocks(dim << self.levels, 1 << self.levels,
                                 num_blocks[-1], guide)
        self.decoder_layers = nn.ModuleList()
        for i in reversed(range(self.levels)):
            c = dim << i
            self.decoder_layers.append(nn.ModuleList(
                [nn.ConvTranspose2d(2 * c, c, 2, 2), conv(2 * c, c, 1),
                 Blocks(c, 1 << i, num_blocks[i], guide)]))

    def body_of(self, x, mask=None):
        skips, masks = [], []
        for blocks, down, *mask_down in self.encoder_layers:
            skips.append(blocks(x, mask))
            masks.append(mask)
            x = down(skips[-1])
            if mask is not None:
                mask = mask_down[0](mask)
        x = self.bottleneck(x, mask)
        for up, fuse, blocks in self.decoder_layers:
            x = fuse(torch.cat([up(x), skips.pop()], 1))
            x = blocks(x, masks.pop())
        return x


class Stage(UShape):
    """One of MST++'s stages."""

    def __init__(self, dim, num_blocks):
        super().__init__()
        self.embedding = conv(dim, dim, 3)
        self.make_body(dim, num_blocks, None)
        self.mapping = conv(dim, dim, 3)

    def forward(self, x):
        return self.mapping(self.body_of(self.embedding(x))) + x


class MSTPlusPlus(nn.Module):
    """RGB [B, 3, H, W] -> bands [B, 31, H, W]."""

    def __init__(self, dim=31, stage=3, num_blocks=(1, 1, 1)):
        super().__init__()
        self.conv_in = conv(3, dim, 3)
        self.body = nn.Sequential(*(Stage(dim, num_blocks)
                                    for _ in range(stage)))
        self.conv_out = conv(dim, dim, 3)

    def forward(self, rgb):
        h, w = rgb.shape[2:]
        x = self.conv_in(pad_to_multiple(rgb, 8))
        return (self.conv_out(self.body(x)) + x)[:, :, :h, :w]


class MST(UShape):
    """RGB [B, 3, H, W] -> bands; the network makes its own mask."""

    def __init__(self, dim=31, num_blocks=(2, 2, 2)):
        super().__init__()
        self.embedding_1 = conv(3, dim, 3)
        self.embedding_2 = conv(3, dim, 3)
        self.make_body(dim, num_blocks, "aligned")
        self.mapping = conv(dim, dim, 3)

    def forward(self, rgb):
        h, w = rgb.shape[2:]
        rgb = pad_to_multiple(rgb, 8)
        mask = F.leaky_relu(self.embedding_1(rgb), 0.1)
        x = F.leaky_relu(self.embedding_2(rgb), 0.1)
        return (self.mapping(self.body_of(x, mask)) + x)[:, :, :h, :w]


class CassiMST(UShape):
    """Snapshot imaging: 28 bands [B, 28, H, H] shifted back, and the mask's
    bands [B, 28, H, H + 54] as the sensor sees them -> bands [B, 28, H, H]."""

    def __init__(self, dim=CASSI_BANDS, num_blocks=(2, 2, 2)):
        super().__init__()
        self.bands = dim
        self.embedding = conv(dim, dim, 3)
        self.make_body(dim, num_blocks, "dispersed")
        self.mapping = conv(dim, dim, 3)

    def forward(self, x, mask):
        y = F.leaky_relu(self.embedding(x), 0.1)
        return self.mapping(self.body_of(y, mask)) + x


def snapshot_inputs(bands, count, rows, generator):
    """Random bands and a random camera mask, each band at its place."""
    mask = torch.rand(rows, rows, generator=generator)
    shifted = torch.zeros(count, bands, rows,
                          rows + CASSI_SHIFT * (bands - 1))
    for c in range(bands):
        shifted[:, c, :, CASSI_SHIFT * c:CASSI_SHIFT * c + rows] = mask
    x = torch.rand(count, bands, rows, rows, generator=generator)
    return {"input": x, "input_mask": shifted}

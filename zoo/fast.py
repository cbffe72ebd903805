# SPDX-License-Identifier: Apache-2.0
"""The lightweight SwinIR's forward pass, arranged for training speed.

Takes its weights from a `swinir.SwinIR` and computes the same function at one
patch size.  Channel counts are padded with zeros to multiples of 16 (60 -> 64
channels, 10 -> 16 per head): matrix products of odd widths are several times
slower on GPUs.  The residual stream stays float32, products run in `dtype`.
"""

import torch
import torch.nn.functional as F
from torch import nn

import swinir


def up16(n):
    return -(-n // 16) * 16


class FastSwinIR(nn.Module):
    def __init__(self, model, size, dtype):
        super().__init__()
        assert model.upsampler == "pixelshuffledirect"
        assert size % model.window == 0
        self.model = model
        self.dtype = dtype
        self.size = size
        self.dim = model.norm.weight.numel()
        self.wide = up16(self.dim)
        w = model.window
        mask = swinir.shift_mask(size, size, w, w // 2)
        self.register_buffer("mask", mask[:, None].to(dtype))
        real = torch.zeros(self.wide)
        real[:self.dim] = 1
        self.register_buffer("real", real)
        self.register_buffer("mean", model.mean.clone())

    def widen(self, t, *sizes):
        """Pad the leading dimensions of t with zeros, and cast."""
        pad = []
        for have, want in zip(reversed(t.shape), reversed(sizes)):
            pad += [0, want - have]
        return F.pad(t, pad).to(self.dtype)

    def norm(self, x, layer):
        """LayerNorm over the real channels; the padding comes out zero."""
        mean = x.sum(-1, keepdim=True) / self.dim
        centred = (x - mean) * self.real
        var = (centred * centred).sum(-1, keepdim=True) / self.dim
        pad = self.wide - self.dim
        y = centred * torch.rsqrt(var + layer.eps)
        y = y * F.pad(layer.weight, (0, pad)) + F.pad(layer.bias, (0, pad))
        return y.to(self.dtype)

    def conv(self, x, layer, out=None):
        """3x3 convolution, NHWC in and out."""
        o, i = layer.weight.shape[:2]
        out, inner = out or up16(o), x.shape[-1]
        weight = self.widen(layer.weight, out, inner, 3, 3)
        bias = self.widen(layer.bias, out)
        weight = weight.contiguous(memory_format=torch.channels_last)
        y = F.conv2d(x.permute(0, 3, 1, 2), weight, bias, padding=1)
        return y.permute(0, 2, 3, 1)

    def linear(self, x, layer):
        o = up16(layer.weight.shape[0])
        return F.linear(x, self.widen(layer.weight, o, x.shape[-1]),
                        self.widen(layer.bias, o))

    def attention(self, x, attn, shifted):
        """x: windows x tokens x channels."""
        count, n, c = x.shape
        heads, d = attn.heads, self.dim // attn.heads
        wide = up16(d)
        weight = attn.qkv.weight.view(3, heads, d, self.dim)
        bias = attn.qkv.bias.view(3, heads, d)
        # The scale goes into q's weights: one multiplication less per token.
        scale = torch.ones(3, 1, 1, device=x.device)
        scale[0] = d ** -0.5
        weight = self.widen(weight * scale[..., None], 3, heads, wide, c)
        bias = self.widen(bias * scale, 3, heads, wide)
        qkv = F.linear(x, weight.flatten(0, 2), bias.flatten())
        q, k, v = qkv.view(count, n, 3, heads, wide).permute(2, 0, 3, 1, 4)
        att = q @ k.transpose(-1, -2)
        table = attn.bias().to(self.dtype)
        if shifted:
            att = att.view(-1, self.mask.shape[0], heads, n, n)
            att = (att + table + self.mask).view(count, heads, n, n)
        else:
            att = att + table
        att = att.float().softmax(-1).to(self.dtype)
        y = (att @ v).transpose(1, 2).reshape(count, n, heads * wide)
        proj = attn.proj.weight.view(self.dim, heads, d)
        proj = self.widen(proj, c, heads, wide).view(c, heads * wide)
        return F.linear(y, proj, self.widen(attn.proj.bias, c))

    def block(self, x, block):
        w, s = block.window, block.shift
        y = self.norm(x, block.norm1)
        if s:
            y = y.roll((-s, -s), (1, 2))
        y = self.attention(swinir.windows(y, w), block.attn, s > 0)
        y = swinir.unwindows(y, w, self.size, self.size)
        if s:
            y = y.roll((s, s), (1, 2))
        x = x + y
        y = F.gelu(self.linear(self.norm(x, block.norm2), block.mlp.fc1))
        return x + self.linear(y, block.mlp.fc2)

    def forward(self, x):
        m = self.model
        x = (x - self.mean).permute(0, 2, 3, 1)
        # 3 channels are padded to 16 with the weights' zeros.
        x = self.widen(x.contiguous(), *x.shape[:3], 16)
        first = self.conv(x, m.conv_first)
        y = self.norm(first.float(), m.patch_embed.norm).float()
        for layer in m.layers:
            skip = y
            for block in layer.residual_group.blocks:
                y = self.block(y, block)
            y = skip + self.conv(y.to(self.dtype), layer.conv)
        y = self.conv(self.norm(y, m.norm), m.conv_after_body) + first
        last = m.upsample[0]
        y = self.conv(y, last)[..., :last.weight.shape[0]]
        y = F.pixel_shuffle(y.permute(0, 3, 1, 2).float(), m.scale)
        return y + self.mean

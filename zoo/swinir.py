# SPDX-License-Identifier: Apache-2.0
"""SwinIR (Liang et al. 2021) in plain PyTorch.

Written for this project: it trains the bundled models and makes the test
cases.  The parameter names are those of the published checkpoints, so either
side's weights load into the other.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

RGB_MEAN = (0.4488, 0.4371, 0.4040)


def reflect_index(size, padded):
    """Indices that extend `size` samples to `padded` by reflection.

    Reflection does not repeat the border sample and goes on periodically, so
    that an image smaller than its own padding is still defined.  A single
    sample can only be repeated.
    """
    if size == 1:
        return torch.zeros(padded, dtype=torch.long)
    period = 2 * (size - 1)
    i = torch.arange(padded) % period
    return torch.where(i < size, i, period - i)


def pad_to_multiple(x, multiple):
    """Extend the bottom and the right of NCHW to the next multiple."""
    for dim in (2, 3):
        size = int(x.shape[dim])  # a constant where the network is traced
        padded = -(-size // multiple) * multiple
        if padded != size:
            x = x.index_select(dim, reflect_index(size, padded).to(x.device))
    return x


def windows(x, w):
    """B H W C -> (B * windows) (w * w) C."""
    b, h, width, c = x.shape
    x = x.view(b, h // w, w, width // w, w, c)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, w * w, c)


def unwindows(x, w, h, width):
    """The inverse of `windows`."""
    x = x.view(-1, h // w, width // w, w, w, x.shape[-1])
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, h, width, x.shape[-1])


def shift_mask(h, width, w, shift):
    """Additive mask that keeps apart what a cyclic shift brought together."""

    def region(n):
        i = torch.arange(n)
        return (i >= n - w).long() + (i >= n - shift).long()

    label = region(h)[:, None] * 3 + region(width)[None, :]
    label = windows(label[None, :, :, None], w)[..., 0]
    differs = label[:, None, :] != label[:, :, None]
    return torch.where(differs, -100.0, 0.0)


def relative_position_index(w):
    """For each pair of window positions, the row of the bias table."""
    y, x = torch.meshgrid(torch.arange(w), torch.arange(w), indexing="ij")
    y, x = y.flatten(), x.flatten()
    dy = y[:, None] - y[None, :] + w - 1
    dx = x[:, None] - x[None, :] + w - 1
    return dy * (2 * w - 1) + dx


class WindowAttention(nn.Module):
    def __init__(self, dim, window, heads):
        super().__init__()
        self.heads = heads
        self.window = window
        table = torch.empty((2 * window - 1) ** 2, heads)
        self.relative_position_bias_table = nn.Parameter(table)
        self.register_buffer("relative_position_index",
                             relative_position_index(window))
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        nn.init.trunc_normal_(table, std=0.02)

    def bias(self):
        n = self.window ** 2
        bias = self.relative_position_bias_table[
            self.relative_position_index.view(-1)]
        return bias.view(n, n, self.heads).permute(2, 0, 1)

    def forward(self, x, mask):
        count, n, c = x.shape
        qkv = self.qkv(x).view(count, n, 3, self.heads, c // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        att = (q * (c // self.heads) ** -0.5) @ k.transpose(-1, -2)
        att = att + self.bias()
        if mask is not None:
            per_image = mask.shape[0]
            att = att.view(-1, per_image, self.heads, n, n)
            att = (att + mask[:, None].to(att.dtype)).view(
                count, self.heads, n, n)
        x = (att.softmax(-1) @ v).transpose(1, 2).reshape(count, n, c)
        return self.proj(x)


class Mlp(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """One Swin layer; x is B H W C."""

    def __init__(self, dim, heads, window, shift, hidden, img_size):
        super().__init__()
        self.window = window
        self.shift = shift
        self.norm1 = nn.LayerNorm(dim)
        self.attn = WindowAttention(dim, window, heads)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, hidden)
        # Only so that the checkpoints' keys match: masks are made per size.
        mask = shift_mask(img_size, img_size, window, shift) if shift else None
        self.register_buffer("attn_mask", mask)

    def forward(self, x):
        _, h, width, _ = x.shape
        y, mask = self.norm1(x), None
        if self.shift:
            y = y.roll((-self.shift, -self.shift), (1, 2))
            mask = shift_mask(h, width, self.window, self.shift).to(x.device)
        y = self.attn(windows(y, self.window), mask)
        y = unwindows(y, self.window, h, width)
        if self.shift:
            y = y.roll((self.shift, self.shift), (1, 2))
        x = x + y
        return x + self.mlp(self.norm2(x))


def residual_conv(dim, kind):
    if kind == "1conv":
        return nn.Conv2d(dim, dim, 3, padding=1)
    return nn.Sequential(
        nn.Conv2d(dim, dim // 4, 3, padding=1), nn.LeakyReLU(0.2),
        nn.Conv2d(dim // 4, dim // 4, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(dim // 4, dim, 3, padding=1))


def to_nchw(x):
    return x.permute(0, 3, 1, 2)


def to_nhwc(x):
    return x.permute(0, 2, 3, 1)


class ResidualGroup(nn.Module):
    """Swin layers, a convolution and a skip connection (RSTB)."""

    def __init__(self, dim, depth, heads, window, hidden, connection, img_size):
        super().__init__()
        self.residual_group = nn.Module()
        self.residual_group.blocks = nn.ModuleList(
            Block(dim, heads, window, window // 2 if i % 2 else 0, hidden,
                  img_size)
            for i in range(depth))
        self.conv = residual_conv(dim, connection)

    def forward(self, x):
        y = x
        for block in self.residual_group.blocks:
            y = block(y)
        return x + to_nhwc(self.conv(to_nchw(y)))


def shuffle_stages(scale, features):
    """Pixel-shuffle upsampling: by twos for powers of two, or by three."""
    if scale == 3:
        factors = [3]
    elif scale & (scale - 1) == 0:
        factors = [2] * int(math.log2(scale))
    else:
        raise ValueError(f"scale {scale}: a power of two or 3 is needed")
    stages = []
    for f in factors:
        stages += [nn.Conv2d(features, f * f * features, 3, padding=1),
                   nn.PixelShuffle(f)]
    return nn.Sequential(*stages)


class SwinIR(nn.Module):
    def __init__(self, in_chans=3, img_size=48, window_size=8, img_range=1.0,
                 mlp_ratio=2, upscale=1, upsampler="", resi_connection="1conv",
                 depths=(6, 6, 6, 6), embed_dim=60, num_heads=(6, 6, 6, 6),
                 num_feat=64):
        super().__init__()
        self.window = window_size
        self.scale = upscale
        self.upsampler = upsampler
        self.img_range = img_range
        mean = RGB_MEAN if in_chans == 3 else (0.0,) * in_chans
        # Not a buffer: the published checkpoints do not hold it.
        self.mean = torch.tensor(mean).view(1, -1, 1, 1)

        self.conv_first = nn.Conv2d(in_chans, embed_dim, 3, padding=1)
        self.patch_embed = nn.Module()
        self.patch_embed.norm = nn.LayerNorm(embed_dim)
        self.layers = nn.ModuleList(
            ResidualGroup(embed_dim, depth, heads, window_size,
                          int(embed_dim * mlp_ratio), resi_connection, img_size)
            for depth, heads in zip(depths, num_heads))
        self.norm = nn.LayerNorm(embed_dim)
        self.conv_after_body = residual_conv(embed_dim, resi_connection)
        self._make_tail(in_chans, embed_dim, num_feat)
        self.apply(self._init)

    def _make_tail(self, channels, dim, features):
        def conv(i, o):
            return nn.Conv2d(i, o, 3, padding=1)

        if self.upsampler == "pixelshuffledirect":
            self.upsample = nn.Sequential(
                conv(dim, self.scale ** 2 * channels),
                nn.PixelShuffle(self.scale))
        elif self.upsampler == "":
            self.conv_last = conv(dim, channels)
        else:
            self.conv_before_upsample = nn.Sequential(
                conv(dim, features), nn.LeakyReLU(0.01))
            if self.upsampler == "pixelshuffle":
                self.upsample = shuffle_stages(self.scale, features)
            else:
                self.conv_up1 = conv(features, features)
                if self.scale == 4:
                    self.conv_up2 = conv(features, features)
                self.conv_hr = conv(features, features)
            self.conv_last = conv(features, channels)

    @staticmethod
    def _init(module):
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)

    def _body(self, first):
        x = self.patch_embed.norm(to_nhwc(first))
        for layer in self.layers:
            x = layer(x)
        return self.conv_after_body(to_nchw(self.norm(x))) + first

    def _tail(self, x, body):
        if self.upsampler == "pixelshuffledirect":
            return self.upsample(body)
        if self.upsampler == "":
            return x + self.conv_last(body)
        y = self.conv_before_upsample(body)
        if self.upsampler == "pixelshuffle":
            return self.conv_last(self.upsample(y))
        for name in ("conv_up1", "conv_up2"):
            if hasattr(self, name):
                y = F.interpolate(y, scale_factor=2, mode="nearest")
                y = F.leaky_relu(getattr(self, name)(y), 0.2)
        return self.conv_last(F.leaky_relu(self.conv_hr(y), 0.2))

    def forward(self, x):
        h, w = x.shape[2:]
        mean = self.mean.to(x)
        x = (pad_to_multiple(x, self.window) - mean) * self.img_range
        x = self._tail(x, self._body(self.conv_first(x)))
        x = x / self.img_range + mean
        return x[:, :, :h * self.scale, :w * self.scale]


LIGHTWEIGHT = dict(upsampler="pixelshuffledirect", embed_dim=60,
                   depths=(6, 6, 6, 6), num_heads=(6, 6, 6, 6), img_size=64)


def lightweight(scale):
    """The published lightweight super-resolution configuration."""
    return SwinIR(upscale=scale, **LIGHTWEIGHT)


def load_weights(path):
    """A state dict from .pth or .safetensors, whatever it is wrapped in."""
    if str(path).endswith(".safetensors"):
        from safetensors.torch import load_file
        state = load_file(path)
    else:
        state = torch.load(path, map_location="cpu", weights_only=True)
    for key in ("params_ema", "params", "state_dict"):
        if key in state:
            state = state[key]
    strip = ("params.", "module.")
    for prefix in strip:
        if all(k.startswith(prefix) for k in state):
            state = {k[len(prefix):]: v for k, v in state.items()}
    return {k: v.float() if v.is_floating_point() else v
            for k, v in state.items()}


def load_into(model, state):
    """Load, allowing only what can be computed to be absent."""
    result = model.load_state_dict(
        {k: v for k, v in state.items() if not k.endswith("attn_mask")},
        strict=False)
    missing = [k for k in result.missing_keys
               if not k.endswith(("attn_mask", "relative_position_index"))]
    if missing or result.unexpected_keys:
        raise KeyError(f"missing {missing}, "
                       f"unexpected {result.unexpected_keys}")
    return model

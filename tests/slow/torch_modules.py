# SPDX-License-Identifier: Apache-2.0
"""Compile PyTorch modules of no known family, and compare them with PyTorch.

    PYTHONPATH=build/dev/python python tests/slow/torch_modules.py [NAME...]

Random weights; one export serves several sizes.  The limit is 1e-4 standard
deviations.  CPU time beside PyTorch's is printed, of one thread each.
"""

import sys
import time

try:
    import onnxscript  # noqa: F401
    import torch
    from torch import nn
    from transformers import (
        Swin2SRConfig,
        Swin2SRForImageSuperResolution,
        ViTConfig,
        ViTForImageClassification,
    )

    import vitrum
except ImportError as error:
    print(f"skipped: {error}; pip install torch onnx onnxscript transformers")
    sys.exit(77)


class Residual(nn.Module):
    """As torchvision's BasicBlock."""

    def __init__(self, before, after, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
            nn.Conv2d(after, after, 3, 1, 1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.side = nn.Conv2d(before, after, 1, stride, bias=False) if stride > 1 else nn.Identity()

    def forward(self, x):
        return torch.relu(self.body(x) + self.side(x))


def swin2sr_lightweight():
    """The published lightweight network's sizes, half as deep."""
    config = Swin2SRConfig(
        embed_dim=60, depths=[6, 6], num_heads=[6, 6], upscale=2, upsampler="pixelshuffledirect"
    )
    return Swin2SRForImageSuperResolution(config)


def swin2sr():
    config = Swin2SRConfig(
        image_size=32, embed_dim=24, depths=[2, 2], num_heads=[2, 2], window_size=8, upscale=2
    )
    return Swin2SRForImageSuperResolution(config)


def vit():
    sizes = dict(hidden_size=48, intermediate_size=96, num_hidden_layers=4, num_attention_heads=4)
    return ViTForImageClassification(ViTConfig(image_size=64, patch_size=8, num_labels=7, **sizes))


def residual_network():
    stem = nn.Sequential(nn.Conv2d(3, 16, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    blocks = [Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2)]
    return nn.Sequential(stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


# The module, the example's shape, and further shapes for the same engine; none: for the example's alone.
CASES = {
    "Swin2SR lightweight": (swin2sr_lightweight, (1, 3, 64, 64), []),
    "ViT": (vit, (2, 3, 64, 64), [(3, 3, 64, 64)]),
    "residual network": (residual_network, (2, 3, 64, 48), [(1, 3, 33, 70), (4, 3, 96, 96)]),
    "Swin2SR": (swin2sr, (1, 3, 32, 40), [(1, 3, 48, 40), (1, 3, 64, 64)]),
}


def tensor_of(answer):
    return answer if isinstance(answer, torch.Tensor) else answer[0]


def cpu_milliseconds(call):
    times = []
    for _ in range(3):
        start = time.process_time()
        with torch.inference_mode():
            call()
        times.append(1e3 * (time.process_time() - start))
    return min(times)


def worst_of(name):
    make, example, others = CASES[name]
    torch.manual_seed(1)
    torch.set_num_threads(1)
    model = make().eval()
    start = time.process_time()
    options = dict(threads=1, dynamic=bool(others))
    fast = vitrum.compile(model, example_inputs=torch.rand(example), **options)
    print(f"{name}: compiled in {time.process_time() - start:.0f} s of CPU time")
    worst = 0.0
    for shape in [example, *others]:
        x = torch.rand(shape)
        with torch.inference_mode():
            y, z = fast(x), model(x)
        assert type(y) is type(z)
        y, z = tensor_of(y), tensor_of(z)
        assert y.shape == z.shape
        error = float((y - z).abs().max() / z.std())
        times = [cpu_milliseconds(lambda: f(x)) for f in (fast, model)]
        print(f"  {shape}: {error:.1e}, {times[0]:.0f} ms (PyTorch {times[1]:.0f} ms)")
        worst = max(worst, error)
    return worst


def main():
    names = sys.argv[1:] or list(CASES)
    return 0 if all([worst_of(name) < 1e-4 for name in names]) else 1


if __name__ == "__main__":
    sys.exit(main())

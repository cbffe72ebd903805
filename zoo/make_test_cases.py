# SPDX-License-Identifier: Apache-2.0
"""Make the cases of tests/data: tiny networks and what they answer.

    python make_test_cases.py ../tests/data

Each case is a checkpoint, stored in one of the ways that checkpoints are
stored in, and NAME.io.safetensors with `input` and `output`.  The weights are
random and nothing in them is zero, so that no part of a network can be left
out unnoticed.  Outputs are computed in float64.
"""

import argparse
import json
import pathlib
import zlib
from collections import OrderedDict

import torch
from safetensors.torch import save_file

import elan
import swinir

# SwinIR: the network, the input N x H x W, the file's suffix, what it is wrapped in,
# and which of the buffers that can be computed it holds.
CASES = {
    "swinir_classical_x2": (
        dict(upscale=2, upsampler="pixelshuffle", embed_dim=18, depths=[2],
             num_heads=[3], num_feat=8),
        (2, 13, 9), ".pth", "params", "none"),
    "swinir_classical_x3": (
        dict(upscale=3, upsampler="pixelshuffle", embed_dim=12, depths=[2, 2],
             num_heads=[2, 2], num_feat=8),
        (1, 1, 1), ".legacy.pth", "params", "none"),
    "swinir_classical_x4": (
        dict(upscale=4, upsampler="pixelshuffle", embed_dim=18, depths=[2, 1],
             num_heads=[3, 2], num_feat=8),
        (1, 5, 7), ".safetensors", "", "none"),
    "swinir_classical_x8": (
        dict(upscale=8, upsampler="pixelshuffle", embed_dim=12, depths=[2],
             num_heads=[2], num_feat=8),
        (1, 9, 5), ".pth", "", "none"),
    "swinir_lightweight_x2": (
        dict(upscale=2, upsampler="pixelshuffledirect", embed_dim=12,
             depths=[2, 2], num_heads=[3, 2]),
        (1, 17, 26), ".safetensors", "params.", "none"),
    "swinir_lightweight_x3": (
        dict(upscale=3, upsampler="pixelshuffledirect", embed_dim=12,
             depths=[2, 3], num_heads=[2, 2]),
        (1, 16, 8), ".pth", "state_dict module.", "none"),
    "swinir_lightweight_x4": (
        dict(upscale=4, upsampler="pixelshuffledirect", embed_dim=18,
             depths=[2], num_heads=[3]),
        (2, 8, 11), ".legacy.pth", "params_ema", "none"),
    "swinir_real_x4": (
        dict(upscale=4, upsampler="nearest+conv", embed_dim=12, depths=[2, 2],
             num_heads=[2, 2], num_feat=12),
        (1, 13, 9), ".pth", "params_ema", "none"),
    "swinir_real_large_x4": (
        dict(upscale=4, upsampler="nearest+conv", resi_connection="3conv",
             embed_dim=16, depths=[2, 2], num_heads=[2, 2], num_feat=8),
        (1, 7, 15), ".legacy.pth", "params_ema", "none"),
    "swinir_denoise_grey": (
        dict(in_chans=1, embed_dim=24, depths=[2, 1], num_heads=[3, 2]),
        (2, 13, 9), ".safetensors", "", "none"),
    "swinir_denoise_colour": (
        dict(embed_dim=12, depths=[2], num_heads=[2]),
        (1, 3, 20), ".pth", "module.", "none"),
    "swinir_jpeg_grey": (
        dict(in_chans=1, embed_dim=18, depths=[2, 2], num_heads=[3, 3],
             window_size=7, img_range=255.0, img_size=14),
        (1, 22, 15), ".pth", "params", "none"),
    "swinir_jpeg_colour": (
        dict(embed_dim=12, depths=[2, 1], num_heads=[2, 3], window_size=7,
             img_range=255.0, img_size=14),
        (1, 13, 9), ".legacy.pth", "params", "all"),
}

# ELAN: the network, the input, suffix, wrapping, and how its modules are named.
ELAN_CASES = {
    "elan_light_x2": (
        dict(scale=2, c_elan=12, m_elan=4, n_share=1),
        (2, 13, 9), ".pt", "model_state_dict", "keys"),
    "elan_light_x3": (
        dict(scale=3, c_elan=24, m_elan=4, n_share=1),
        (1, 33, 18), ".pt", "model_state_dict module.", "lists"),
    "elan_light_x4": (
        dict(scale=4, c_elan=18, m_elan=4, n_share=1),
        (1, 17, 26), ".pth", "params", "lists"),
    "elan_x2": (
        dict(scale=2, c_elan=15, m_elan=3, n_share=0),
        (1, 1, 1), ".legacy.pt", "model_state_dict module.", "keys"),
    "elan_x3": (
        dict(scale=3, c_elan=9, m_elan=2, n_share=0, r_expand=1),
        (3, 5, 3), ".safetensors", "", "lists"),
    "elan_x4": (
        dict(scale=4, c_elan=12, m_elan=6, n_share=2, r_expand=3),
        (1, 16, 32), ".safetensors", "module.", "keys"),
}


def randomise(model, generator):
    """Weights at which no layer's part in the output is negligible."""
    def noise(t, std):
        return torch.randn(t.shape, generator=generator) * std

    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name:
                p.copy_(noise(p, 0.2) + (1.0 if name.endswith("weight") else 0))
            elif name.endswith("bias_table"):
                p.copy_(noise(p, 1.0))
            elif name.endswith("bias"):
                p.copy_(noise(p, 0.2))
            else:
                p.copy_(noise(p, 1.5 * p[0].numel() ** -0.5))


def randomise_elan(model, generator):
    """As above; a norm here is one over batches, with statistics to fill."""
    def noise(t, std):
        return torch.randn(t.shape, generator=generator) * std

    with torch.no_grad():
        for name, p in model.named_parameters():
            if not p.requires_grad:
                continue
            if ".project_inp.1." in name:
                p.copy_(noise(p, 0.2) + (1.0 if name.endswith("weight") else 0))
            elif name.endswith("bias"):
                p.copy_(noise(p, 0.2))
            else:
                p.copy_(noise(p, 0.7 * p[0].numel() ** -0.5))
        # Pixels deviate by 70 from their mean, the stream should by about 1.
        model.head[0].weight *= 1 / 64
        model.tail[0].weight *= 32
        for name, b in model.named_buffers():
            if name.endswith("running_mean"):
                b.copy_(noise(b, 0.2))
            elif name.endswith("running_var"):
                b.copy_(noise(b, 0.2).exp())


def elan_state(model, naming):
    name_of = elan.list_names if naming == "lists" else str
    return OrderedDict((name_of(k), v.contiguous())
                       for k, v in model.state_dict().items())


def state_of(model, buffers):
    dropped = {"all": (), "index": ("attn_mask",),
               "none": ("attn_mask", "relative_position_index")}[buffers]
    return OrderedDict((k, v.contiguous()) for k, v in
                       model.state_dict().items() if not k.endswith(dropped))


def save(state, path, suffix, wrapping):
    prefix = "module." if "module." in wrapping else ""
    if wrapping == "params.":
        prefix = wrapping
    state = OrderedDict((prefix + k, v) for k, v in state.items())
    if suffix == ".safetensors":
        save_file(state, path)
        path.chmod(0o644)
        return
    container = wrapping.split(" ")[0]
    if container in ("params", "params_ema"):
        state = {container: state}
    elif container == "state_dict":
        state = {"epoch": 3, "state_dict": state}
    elif container == "model_state_dict":
        state = {"epoch": 3, "model_state_dict": state,
                 "optimizer_state_dict": {"step": torch.tensor(7.0)}}
    torch.save(state, path,
               _use_new_zipfile_serialization=not suffix.startswith(".legacy"))


def swinir_case(name, generator):
    config, (n, h, w), suffix, wrapping, buffers = CASES[name]
    config = dict(dict(img_size=16), **config)
    model = swinir.SwinIR(**config).eval()
    randomise(model, generator)
    x = torch.rand(n, config.get("in_chans", 3), h, w, generator=generator)
    return model, config, x, state_of(model, buffers), suffix, wrapping


def elan_case(name, generator):
    config, (n, h, w), suffix, wrapping, naming = ELAN_CASES[name]
    model = elan.Elan(**config).eval()
    randomise_elan(model, generator)
    x = 255 * torch.rand(n, 3, h, w, generator=generator)
    return model, config, x, elan_state(model, naming), suffix, wrapping


def make(name, case, folder):
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    model, config, x, state, suffix, wrapping = case(name, generator)
    path = folder / (name + "." + suffix.split(".")[-1])
    save(state, path, suffix, wrapping)
    with torch.inference_mode():
        single = model(x).double()
        exact = model.double()(x.double())
    noise = float((single - exact).abs().max()
                  / (exact.std() if exact.numel() > 1 else 1))
    io = folder / f"{name}.io.safetensors"
    save_file({"input": x, "output": exact.float().contiguous()}, io,
              metadata={"family": name.split("_")[0],
                        "config": json.dumps(config),
                        "float32_noise": f"{noise:.1e}"})
    io.chmod(0o644)
    size = path.stat().st_size + io.stat().st_size
    print(f"{path.name:34} {size:8}  std {exact.std():.3f}  noise {noise:.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in CASES:
        make(name, swinir_case, folder)
    for name in ELAN_CASES:
        make(name, elan_case, folder)


if __name__ == "__main__":
    main()

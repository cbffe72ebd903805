# SPDX-License-Identifier: Apache-2.0
"""Make the cases of tests/data/backbones: tiny Swins and ResNets as they
stand under a Mask2Former, and their four feature maps.

    python make_backbone_cases.py ../tests/data/backbones

The networks and their published names are those of Hugging Face transformers
(5.23).  Every case is a folder as save_pretrained writes it, reduced to the
backbone, a checkpoint of the same weights under detectron2's names, and
NAME.io.safetensors with `input` and `output0` to `output3`, computed in
float64.
"""

import argparse
import json
import pathlib
import pickle
import re
import tempfile
import zlib

import torch
from safetensors.torch import load_file, save_file
from transformers import (Mask2FormerConfig,
                          Mask2FormerForUniversalSegmentation, ResNetConfig,
                          SwinConfig)

STAGES = ["stage1", "stage2", "stage3", "stage4"]
PREFIX = "model.pixel_level_module.encoder."

# The backbone, the input N x H x W, the shards, and how detectron2's file is
# stored.
CASES = {
    "swin_window7": (
        SwinConfig(embed_dim=6, depths=[2, 2, 2, 2], num_heads=[1, 2, 2, 4],
                   window_size=7, mlp_ratio=2.0, drop_path_rate=0.0,
                   out_features=STAGES),
        (1, 61, 83), 1, "pkl"),
    "swin_window12": (
        SwinConfig(embed_dim=6, depths=[2, 2, 2, 1], num_heads=[1, 2, 3, 4],
                   window_size=12, mlp_ratio=2.0, drop_path_rate=0.0,
                   out_features=STAGES),
        (2, 64, 70), 3, "pth"),
    "resnet": (
        ResNetConfig(embedding_size=6, hidden_sizes=[12, 16, 24, 32],
                     depths=[2, 1, 2, 2], out_features=STAGES),
        (2, 67, 90), 1, "pkl"),
    "resnet_stride_in_1x1": (
        ResNetConfig(embedding_size=8, hidden_sizes=[16, 16, 24, 32],
                     depths=[1, 2, 1, 1], downsample_in_bottleneck=True,
                     out_features=STAGES),
        (1, 64, 33), 1, "pth"),
}


def randomise(module, generator):
    """Weights at which no layer's part in the output is negligible."""
    def noise(t, std):
        return torch.randn(t.shape, generator=generator) * std

    with torch.no_grad():
        for name, t in module.state_dict().items():
            if not t.is_floating_point():
                continue
            if name.endswith("running_var"):
                t.copy_(noise(t, 0.3).abs() + 0.5)
            elif "norm" in name.split(".")[-2] or "stage" in name.split(".")[-2]:
                t.copy_(noise(t, 0.2) + (name.endswith("weight")))
            elif name.endswith("bias_table"):
                t.copy_(noise(t, 1.0))
            elif name.endswith("bias"):
                t.copy_(noise(t, 0.2))
            else:
                t.copy_(noise(t, 1.5 * t[0].numel() ** -0.5))


def detectron2_state(state):
    """The same weights under the names of detectron2's backbones."""
    renames = [
        # Swin
        (r"embeddings\.patch_embeddings\.projection", "patch_embed.proj"),
        (r"embeddings\.norm", "patch_embed.norm"),
        (r"encoder\.layers", "layers"),
        (r"attention\.output\.dense", "attn.proj"),
        (r"attention\.self", "attn"),
        (r"intermediate\.dense", "mlp.fc1"),
        (r"output\.dense", "mlp.fc2"),
        (r"layernorm_before", "norm1"),
        (r"layernorm_after", "norm2"),
        (r"hidden_states_norms\.stage(\d)",
         lambda m: f"norm{int(m[1]) - 1}"),
        # ResNet
        (r"embedder\.embedder\.convolution", "stem.conv1"),
        (r"embedder\.embedder\.normalization", "stem.conv1.norm"),
        (r"encoder\.stages\.(\d)\.layers\.", lambda m: f"res{int(m[1]) + 2}."),
        (r"layer\.(\d)\.convolution", lambda m: f"conv{int(m[1]) + 1}"),
        (r"layer\.(\d)\.normalization", lambda m: f"conv{int(m[1]) + 1}.norm"),
        (r"shortcut\.convolution", "shortcut"),
        (r"shortcut\.normalization", "shortcut.norm"),
    ]
    renamed = {}
    for key, value in state.items():
        key = key.removeprefix(PREFIX)
        if key.startswith("swin.layernorm"):
            continue
        for pattern, by in renames:
            key = re.sub(pattern, by, key)
        renamed["backbone." + key] = value
    stacked = {}
    for key, value in renamed.items():
        if ".attn.query." in key:
            parts = [renamed[key.replace("query", part)]
                     for part in ("query", "key", "value")]
            stacked[key.replace("query", "qkv")] = torch.cat(parts)
        elif ".attn.key." not in key and ".attn.value." not in key:
            stacked[key] = value
    return stacked


def save_folder(model, folder, shards):
    """As save_pretrained writes it, without what stands on the backbone."""
    with tempfile.TemporaryDirectory() as whole:
        model.save_pretrained(whole)
        config = json.loads((pathlib.Path(whole) / "config.json").read_text())
        state = load_file(pathlib.Path(whole) / "model.safetensors")
    state = {k: v for k, v in state.items() if k.startswith(PREFIX)}
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    names = sorted(state)
    if shards == 1:
        save_file(state, folder / "model.safetensors",
                  metadata={"format": "pt"})
        return state
    weight_map = {}
    for i in range(shards):
        file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        part = {k: state[k] for k in names[i::shards]}
        save_file(part, folder / file, metadata={"format": "pt"})
        weight_map.update(dict.fromkeys(part, file))
    size = sum(v.numel() * v.element_size() for v in state.values())
    index = {"metadata": {"total_size": size}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(
        json.dumps(index, indent=2, sort_keys=True) + "\n")
    return state


def save_detectron2(state, path):
    if path.suffix == ".pkl":
        arrays = {k: v.numpy() for k, v in state.items()}
        with open(path, "wb") as file:
            pickle.dump({"model": arrays, "__author__": "vitrum"}, file)
    else:
        torch.save({"model": state, "iteration": 7}, path)


def make(name, folder):
    backbone, (n, h, w), shards, suffix = CASES[name]
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    model = Mask2FormerForUniversalSegmentation(Mask2FormerConfig(
        backbone_config=backbone, feature_size=32, mask_feature_size=32,
        hidden_dim=32, encoder_feedforward_dim=8, dim_feedforward=8,
        encoder_layers=1, decoder_layers=2, num_queries=3,
        num_attention_heads=4)).eval()
    encoder = model.model.pixel_level_module.encoder
    randomise(encoder, generator)
    state = save_folder(model, folder / name, shards)
    save_detectron2(detectron2_state(state), folder / f"{name}.{suffix}")
    x = torch.randn(n, 3, h, w, generator=generator)
    with torch.inference_mode():
        maps = encoder.double()(x.double()).feature_maps
    tensors = {"input": x}
    tensors |= {f"output{i}": m.float().contiguous()
                for i, m in enumerate(maps)}
    save_file(tensors, folder / f"{name}.io.safetensors",
              metadata={"family": "backbone"})
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o644)
    print(name, [list(m.shape) for m in maps],
          [f"{m.std():.2f}" for m in maps])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in CASES:
        make(name, folder)


if __name__ == "__main__":
    main()

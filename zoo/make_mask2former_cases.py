# SPDX-License-Identifier: Apache-2.0
"""Make the Mask2Former cases of tests/data: tiny networks and what they answer.

    python make_mask2former_cases.py ../tests/data

Each case is a checkpoint, stored in one of the ways that checkpoints are
stored in, and NAME.io.safetensors with `input`, `output_logits` and
`output_masks`.  The network is that of Hugging Face transformers; outputs are
computed in float64.
"""

import argparse
import pathlib
import pickle
import shutil
import zlib

import torch
from safetensors.torch import save_file

import mask2former

SWIN = dict(
    embed_dim=4,
    depths=[2, 1, 1, 1],
    num_heads=[1, 2, 2, 4],
    window_size=4,
    mlp_ratio=1.5,
)
RESNET = dict(
    embedding_size=8, hidden_sizes=[16, 24, 32, 40], depths=[2, 1, 1, 1]
)
HEAD = dict(
    feature_size=32,
    mask_feature_size=32,
    hidden_dim=32,
    dim_feedforward=48,
    encoder_feedforward_dim=40,
    encoder_layers=2,
    decoder_layers=4,
    num_queries=7,
    num_attention_heads=8,
)

# The backbone, what differs above it, the input N x H x W and how it is stored.
CASES = {
    "mask2former_swin_folder": (
        mask2former.swin(**SWIN),
        {},
        (2, 67, 41),
        "folder",
    ),
    "mask2former_window12_sharded": (
        mask2former.swin(**dict(SWIN, window_size=12)),
        dict(
            num_attention_heads=4,
            mask_feature_size=20,
            num_queries=18,
            decoder_layers=6,
        ),
        (1, 64, 96),
        "sharded",
    ),
    "mask2former_r26_folder": (
        mask2former.resnet(**RESNET),
        dict(hidden_dim=40, enforce_input_projection=True, encoder_layers=1),
        (1, 75, 50),
        "folder",
    ),
    "mask2former_swin_static_query": (
        mask2former.swin(**SWIN),
        {},
        (1, 32, 64),
        "pkl old",
    ),
    "mask2former_swin_training": (
        mask2former.swin(**dict(SWIN, num_heads=[2, 2, 4, 8])),
        dict(decoder_layers=2),
        (2, 40, 33),
        "pth",
    ),
}


def save(model, path, how):
    if how in ("folder", "sharded"):
        shutil.rmtree(path, ignore_errors=True)
        model.save_pretrained(
            path, **({"max_shard_size": "150KB"} if how == "sharded" else {})
        )
        for file in path.iterdir():
            file.chmod(0o644)
        return path
    state = mask2former.detectron2_state(model)
    if how == "pkl old":
        state = {
            k.replace("query_feat", "static_query"): v
            for k, v in state.items()
        }
    if how == "pth":  # as a trainer leaves it
        state["criterion.empty_weight"] = torch.ones(
            model.config.num_labels + 1
        )
        path = path.with_suffix(".pth")
        torch.save(
            {
                "model": state,
                "optimizer": {
                    "state": {0: {"step": 7, "exp_avg": torch.ones(3)}},
                    "param_groups": [],
                },
                "scheduler": {"last_epoch": 7},
                "iteration": 7,
            },
            path,
        )
        return path
    path = path.with_suffix(".pkl")
    with open(path, "wb") as file:
        pickle.dump(
            {
                "model": {k: v.numpy() for k, v in state.items()},
                "__author__": "vitrum's tests",
                "matching_heuristics": True,
            },
            file,
        )
    return path


def make(name, folder):
    backbone, head, (n, h, w), how = CASES[name]
    model, generator = mask2former.build(
        backbone, 5, zlib.crc32(name.encode()), **dict(HEAD, **head)
    )
    x = torch.randn(n, 3, h, w, generator=generator)
    path = save(model, folder / name, how)
    single = mask2former.answer(model, x)
    exact = mask2former.answer(model.double(), x.double())
    noise = max(
        float((single[k] - exact[k]).abs().max() / exact[k].std())
        for k in exact
    )
    io = folder / f"{name}.io.safetensors"
    save_file(
        {"input": x, **{k: v.float().contiguous() for k, v in exact.items()}},
        io,
        metadata={"family": "mask2former", "float32_noise": f"{noise:.1e}"},
    )
    io.chmod(0o644)
    files = [path] if path.is_file() else sorted(path.iterdir())
    size = sum(f.stat().st_size for f in files) + io.stat().st_size
    hidden = float((exact["output_masks"] < 0).float().mean())
    print(
        f"{path.name:34} {size:8} in {len(files)}  noise {noise:.1e}  hidden {hidden:.2f}  "
        f"std {exact['output_logits'].std():.2f} {exact['output_masks'].std():.2f}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in CASES:
        make(name, folder)


if __name__ == "__main__":
    main()

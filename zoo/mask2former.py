# SPDX-License-Identifier: Apache-2.0
"""Mask2Former in Hugging Face transformers: networks with random weights, and
their state under the names of detectron2's published checkpoints."""

import pathlib
import re
import tempfile

import torch
from safetensors.torch import load_file
from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation
from transformers import ResNetConfig, SwinConfig

STAGES = ["stage1", "stage2", "stage3", "stage4"]
# Of the published Swins.
SWIN_T = dict(embed_dim=96, depths=[2, 2, 6, 2], num_heads=[3, 6, 12, 24])
SWIN_B = dict(
    embed_dim=128,
    depths=[2, 2, 18, 2],
    num_heads=[4, 8, 16, 32],
    window_size=12,
)


def swin(**sizes):
    return SwinConfig(out_features=STAGES, drop_path_rate=0.0, **sizes)


def resnet(**sizes):
    return ResNetConfig(layer_type="bottleneck", out_features=STAGES, **sizes)


def build(backbone, classes, seed, **sizes):
    """A network whose every weight counts: nothing zero, nothing constant."""
    config = Mask2FormerConfig(
        backbone_config=backbone, num_labels=classes, dropout=0.0, **sizes
    )
    model = Mask2FormerForUniversalSegmentation(config).eval()
    generator = torch.Generator().manual_seed(seed)
    randomise(model, generator)
    return model, generator


class Network(torch.nn.Module):
    """The network alone, a normalised picture to its two outputs."""

    outputs = ("output_logits", "output_masks")
    exports_to_onnx = False  # its GridSample gets a float64 grid: no kernel

    def __init__(self, backbone, classes, seed=1, **sizes):
        super().__init__()
        self.model, _ = build(backbone, classes, seed, **sizes)

    def forward(self, x):
        return tuple(answer_of(self.model(pixel_values=x)).values())

    def save(self, path):
        torch.save({"model": detectron2_state(self.model)}, path)


def randomise(model, generator):
    def noise(t, std):
        return torch.randn(t.shape, generator=generator) * std

    norms = (torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.BatchNorm2d)
    normed = {
        f"{name}.{part}"
        for name, module in model.named_modules()
        if isinstance(module, norms)
        for part in ("weight", "bias")
    }
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name in normed:
                p.copy_(noise(p, 0.2) + name.endswith("weight"))
            elif name.endswith("sampling_offsets.bias"):
                p.copy_(noise(p, 1.5))
            elif name.endswith("bias"):
                p.copy_(noise(p, 0.2))
            elif "embed" in name and p.dim() == 2 and "projection" not in name:
                p.copy_(noise(p, 1.0))
            elif name.endswith("bias_table"):
                p.copy_(noise(p, 1.0))
            else:
                p.copy_(noise(p, p[0].numel() ** -0.5))
        for name, b in model.named_buffers():
            if name.endswith("running_mean"):
                b.copy_(noise(b, 0.3))
            elif name.endswith("running_var"):
                b.copy_(1 + noise(b, 0.2).abs())


def answer_of(out):
    return {
        "output_logits": out.class_queries_logits,
        "output_masks": out.masks_queries_logits,
    }


def answer(model, x):
    """`output_logits` [N, Q, K + 1] and `output_masks` [N, Q, H/4, W/4]."""
    with torch.inference_mode():
        return answer_of(model(pixel_values=x))


PIXEL = "model.pixel_level_module."
QUERY = "model.transformer_module."
TO_DETECTRON2 = [
    # Above the backbone.
    (
        PIXEL + r"decoder\.input_projections\.",
        "sem_seg_head.pixel_decoder.input_proj.",
    ),
    (
        PIXEL + r"decoder\.(adapter|layer)_1\.0\.",
        r"sem_seg_head.pixel_decoder.\1_1.",
    ),
    (
        PIXEL + r"decoder\.(adapter|layer)_1\.1\.",
        r"sem_seg_head.pixel_decoder.\1_1.norm.",
    ),
    (
        PIXEL + r"decoder\.mask_projection\.",
        "sem_seg_head.pixel_decoder.mask_features.",
    ),
    (
        PIXEL + r"decoder\.level_embed",
        "sem_seg_head.pixel_decoder.transformer.level_embed",
    ),
    (
        PIXEL + r"decoder\.encoder\.",
        "sem_seg_head.pixel_decoder.transformer.encoder.",
    ),
    (r"(encoder\.layers\.\d+)\.self_attn_layer_norm\.", r"\1.norm1."),
    (r"(encoder\.layers\.\d+)\.final_layer_norm\.", r"\1.norm2."),
    (r"(transformer\.encoder\.layers\.\d+)\.fc(\d)\.", r"\1.linear\2."),
    (
        QUERY + r"decoder\.layers\.(\d+)\.cross_attn\.",
        r"sem_seg_head.predictor.transformer_cross_attention_layers.\1.multihead_attn.",
    ),
    (
        QUERY + r"decoder\.layers\.(\d+)\.cross_attn_layer_norm\.",
        r"sem_seg_head.predictor.transformer_cross_attention_layers.\1.norm.",
    ),
    (
        QUERY + r"decoder\.layers\.(\d+)\.self_attn\.",
        r"sem_seg_head.predictor.transformer_self_attention_layers.\1.self_attn.",
    ),
    (
        QUERY + r"decoder\.layers\.(\d+)\.self_attn_layer_norm\.",
        r"sem_seg_head.predictor.transformer_self_attention_layers.\1.norm.",
    ),
    (
        QUERY + r"decoder\.layers\.(\d+)\.fc(\d)\.",
        r"sem_seg_head.predictor.transformer_ffn_layers.\1.linear\2.",
    ),
    (
        QUERY + r"decoder\.layers\.(\d+)\.final_layer_norm\.",
        r"sem_seg_head.predictor.transformer_ffn_layers.\1.norm.",
    ),
    (QUERY + r"decoder\.layernorm\.", "sem_seg_head.predictor.decoder_norm."),
    (
        QUERY + r"decoder\.mask_predictor\.mask_embedder\.(\d)\.0\.",
        r"sem_seg_head.predictor.mask_embed.layers.\1.",
    ),
    (QUERY + "queries_embedder", "sem_seg_head.predictor.query_embed"),
    (QUERY + "queries_features", "sem_seg_head.predictor.query_feat"),
    (QUERY + "input_projections", "sem_seg_head.predictor.input_proj"),
    (QUERY + "level_embed", "sem_seg_head.predictor.level_embed"),
    ("^class_predictor", "sem_seg_head.predictor.class_embed"),
    # Swin.
    (
        PIXEL + r"encoder\.embeddings\.patch_embeddings\.projection",
        "backbone.patch_embed.proj",
    ),
    (PIXEL + r"encoder\.embeddings\.norm", "backbone.patch_embed.norm"),
    (PIXEL + r"encoder\.encoder\.layers", "backbone.layers"),
    (
        PIXEL + r"encoder\.hidden_states_norms\.stage(\d)",
        lambda m: f"backbone.norm{int(m[1]) - 1}",
    ),
    ("layernorm_before", "norm1"),
    ("layernorm_after", "norm2"),
    (r"attention\.self\.(query|key|value)", r"attn.\1"),
    (r"attention\.self\.", "attn."),
    (r"attention\.output\.dense", "attn.proj"),
    (r"intermediate\.dense", "mlp.fc1"),
    (r"output\.dense", "mlp.fc2"),
    # ResNet.
    (
        PIXEL + r"encoder\.embedder\.embedder\.convolution",
        "backbone.stem.conv1",
    ),
    (
        PIXEL + r"encoder\.embedder\.embedder\.normalization",
        "backbone.stem.conv1.norm",
    ),
    (
        PIXEL + r"encoder\.encoder\.stages\.(\d)\.layers\.",
        lambda m: f"backbone.res{int(m[1]) + 2}.",
    ),
    (r"shortcut\.convolution", "shortcut"),
    (r"shortcut\.normalization", "shortcut.norm"),
    (r"\.layer\.(\d)\.convolution", lambda m: f".conv{int(m[1]) + 1}"),
    (r"\.layer\.(\d)\.normalization", lambda m: f".conv{int(m[1]) + 1}.norm"),
]


def detectron2_state(model):
    """The weights under the names that detectron2 gives them, attention's
    input projections stacked."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)  # under the names of published files
        published = load_file(pathlib.Path(folder) / "model.safetensors")
    state = {}
    for key, value in published.items():
        if ".swin.layernorm." in key or key.endswith("num_batches_tracked"):
            continue
        for pattern, to in TO_DETECTRON2:
            key = re.sub(pattern, to, key)
        state[key] = value.contiguous()
    for parts, whole in (
        (("query", "key", "value"), "qkv."),
        (("q_proj", "k_proj", "v_proj"), "in_proj_"),
    ):
        for key in [k for k in state if f".{parts[0]}." in k]:
            head, tail = key.split(parts[0] + ".")
            state[head + whole + tail] = torch.cat(
                [state.pop(f"{head}{part}.{tail}") for part in parts]
            )
    return state

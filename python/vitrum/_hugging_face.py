# SPDX-License-Identifier: Apache-2.0
"""Models of Hugging Face transformers."""

from __future__ import annotations

import sys
from typing import Any

import torch

from . import _torch
from ._engine import Engine
from .errors import UsageError


class Mask2Former(_torch.Module):
    """Stands for a Mask2FormerForUniversalSegmentation.

    Which takes a pixel_mask, as image processors make it, and never reads it.
    """

    def __init__(self, engine: Engine, original: Any) -> None:
        super().__init__(engine, list)
        self.config = original.config
        self._output = getattr(
            sys.modules[type(original).__module__], "Mask2FormerForUniversalSegmentationOutput"
        )

    def forward(
        self,
        pixel_values: torch.Tensor,
        mask_labels: Any = None,
        class_labels: Any = None,
        pixel_mask: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_auxiliary_logits: bool | None = None,
        output_attentions: bool | None = None,
        return_dict: bool | None = None,
    ) -> Any:
        if mask_labels is not None or class_labels is not None:
            raise UsageError("vitrum does not train: leave mask_labels and class_labels out")
        asked = {
            "output_hidden_states": output_hidden_states,
            "output_auxiliary_logits": output_auxiliary_logits,
            "output_attentions": output_attentions,
        }
        if any(self._default(name) if given is None else given for name, given in asked.items()):
            raise UsageError(
                "vitrum gives class_queries_logits and masks_queries_logits only, no hidden "
                "states, attentions or auxiliary logits; use the original for those"
            )
        logits, masks = super().forward(pixel_values)
        output = self._output(class_queries_logits=logits, masks_queries_logits=masks)
        wants_dict = self._default("return_dict") if return_dict is None else return_dict
        return output if wants_dict else output.to_tuple()

    def _default(self, name: str) -> bool:
        return bool(getattr(self.config, name, False))

    @property
    def device(self) -> torch.device:
        """Where inputs are best; a GPU's engine takes those in this process's memory too."""
        name = self.engine.device
        return torch.device(name if name.startswith("cuda") else "cpu")

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32


def compile(
    module: Any, *, check: bool, overrides: dict[str, str], **options: Any
) -> torch.nn.Module:
    state = _published_names(module)
    model = _torch.recognise(
        module, state, overrides=overrides, config=module.config.to_json_string()
    )
    fast = Mask2Former(Engine(model, **options), module)
    if check:
        inputs = _torch.noise(fast.engine)
        expected = _torch.answer_of(module, inputs, return_dict=True)
        found = fast(*inputs, return_dict=True)
        _torch.compare(module, fast.engine, _outputs(expected), _outputs(found))
    return fast


def _outputs(answer: Any) -> list[torch.Tensor]:
    return [answer.class_queries_logits, answer.masks_queries_logits]


def _published_names(module: Any) -> dict[str, Any]:
    """The state under the names of published files, which version 5 of
    transformers translates on loading and saving."""
    state: dict[str, Any] = module.state_dict()
    try:
        from transformers.core_model_loading import revert_weight_conversion
    except ImportError:
        return state
    reverted: dict[str, Any] = revert_weight_conversion(module, state)
    return reverted

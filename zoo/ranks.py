# SPDX-License-Identifier: Apache-2.0
"""Training on several GPUs of one host: one process for each, as torchrun starts them.

Every process holds all weights and sees its own patches; gradients are averaged
before each step.  Started without torchrun, there is one process and one device.
"""

import os

import torch
import torch.distributed as dist


def start():
    """Join the other processes, and name this one's device."""
    if not torch.cuda.is_available():
        return "cpu"
    torch.cuda.set_device(index())
    if "WORLD_SIZE" in os.environ:
        dist.init_process_group("nccl")
    return "cuda"


def index():
    return int(os.environ.get("LOCAL_RANK", 0))


def first():
    return index() == 0


def average_gradients(model):
    """One message for all gradients: a message for each would cost more in latency than in bytes."""
    if not dist.is_initialized():
        return
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat, op=dist.ReduceOp.AVG)
    parts = flat.split([g.numel() for g in gradients])
    torch._foreach_copy_(gradients, [part.view_as(g) for part, g in zip(parts, gradients)])


def from_first(seconds, late, device):
    """The first process's clock, so that all take the same number of steps."""
    state = torch.tensor([seconds, float(late)], dtype=torch.float64, device=device)
    if dist.is_initialized():
        dist.broadcast(state, 0)
    seconds, late = state.tolist()
    return seconds, bool(late)

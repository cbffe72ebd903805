# SPDX-License-Identifier: Apache-2.0
"""Train a lightweight SwinIR on tiles made by make_data.py.

    python train.py --scale 2 --data tiles --out run_x2 --minutes 27

The learning rate follows a cosine over the time budget, which counts training
time over all resumed runs: run again with the same --out to go on, with
--stop-after to split the budget into several sittings.  On a host with several
GPUs, `torchrun --nproc-per-node N train.py …` gives each a batch of its own.
"""

import argparse
import copy
import math
import os
import pathlib
import time

import numpy as np
import torch
from PIL import Image

import export
import metrics
import ranks
import swinir
from fast import FastSwinIR


LOSSES = {"l1": torch.nn.functional.l1_loss,
          "mse": torch.nn.functional.mse_loss}


def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--scale", type=int, required=True)
    p.add_argument("--data", type=pathlib.Path, required=True)
    p.add_argument("--out", type=pathlib.Path, required=True)
    p.add_argument("--resume", type=pathlib.Path, help="folder to resume from")
    p.add_argument("--start", type=pathlib.Path,
                   help="weights to start from, with a new optimiser")
    p.add_argument("--minutes", type=float, help="whole budget; without it, "
                   "what --stop-after leaves once the network is compiled")
    p.add_argument("--stop-after", type=float, default=1e9,
                   help="seconds after which this process must have ended")
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--patch", type=int, default=64)
    p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--loss", choices=LOSSES, default="l1")
    p.add_argument("--recolour", action="store_true",
                   help="swap the colour channels at random")
    p.add_argument("--teacher", type=float, default=0,
                   help="share of the targets that is --start's own mean over "
                        "the eight orientations")
    p.add_argument("--ema", type=float, default=0.999)
    p.add_argument("--save-every", type=float, default=100, help="seconds")
    p.add_argument("--depths", type=int, nargs="+", default=None)
    p.add_argument("--limit", type=int, default=None, help="tiles to load")
    p.add_argument("--no-compile", action="store_true")
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    if args.minutes is None and args.stop_after == 1e9:
        p.error("--minutes or --stop-after is needed")
    if args.teacher and not args.start:
        p.error("--teacher needs --start")
    return args


class Pairs:
    """All tiles on the device, flat, and their low-resolution twins."""

    def __init__(self, paths, scale, patch, device):
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(min(16, os.cpu_count())) as pool:
            loaded = list(pool.map(lambda p: self.load(p, scale), paths))
        loaded = [p for p in loaded if min(p[1].shape[:2]) >= patch]
        self.scale, self.patch, self.device = scale, patch, device
        self.hr, self.hr_at = self.flatten([p[0] for p in loaded])
        self.lr, self.lr_at = self.flatten([p[1] for p in loaded])
        shape = torch.tensor([p[1].shape[:2] for p in loaded], device=device)
        self.height, self.width = shape.unbind(1)
        # A tile is drawn as often as its area deserves.
        self.share = (self.height * self.width).float()

    @staticmethod
    def load(path, scale):
        hr = np.asarray(Image.open(path).convert("RGB"))
        h, w = (n // scale * scale for n in hr.shape[:2])
        hr = np.ascontiguousarray(hr[:h, :w])
        return hr, metrics.low_resolution(hr, scale)

    def flatten(self, images):
        at = np.cumsum([0] + [i.shape[0] * i.shape[1] for i in images[:-1]])
        flat = np.concatenate([i.reshape(-1, 3) for i in images])
        return (torch.from_numpy(flat).to(self.device),
                torch.from_numpy(at).to(self.device))

    def cut(self, flat, start, stride, size):
        step = torch.arange(size, device=self.device)
        index = (start[:, None, None] + step[:, None] * stride[:, None, None]
                 + step)
        return flat[index].permute(0, 3, 1, 2).float() / 255

    def batch(self, count):
        """Random patches, each batch turned and mirrored as a whole."""
        i = torch.multinomial(self.share, count, replacement=True)
        r = torch.rand(2, count, device=self.device)
        y = (r[0] * (self.height[i] - self.patch + 1)).long()
        x = (r[1] * (self.width[i] - self.patch + 1)).long()
        w, s = self.width[i], self.scale
        lr = self.cut(self.lr, self.lr_at[i] + y * w + x, w, self.patch)
        hr = self.cut(self.hr, self.hr_at[i] + (y * w * s + x) * s, w * s,
                      self.patch * s)
        return self.turn(lr, hr)

    def teach(self, model, share):
        """Mix what the model makes of all orientations into the targets.

        Their mean is nearer to the truth than each of them, and has none of
        the noise that the network would learn by heart (Furlanello et al.,
        "Born-again neural networks", ICML 2018; the mean as target: Radosavovic
        et al., "Data distillation", CVPR 2018).
        """
        hr = self.hr.half()  # 0..255, exact
        for i in range(len(self.share)):
            h, w = int(self.height[i]), int(self.width[i])
            s, at = self.scale, int(self.hr_at[i])
            lr = self.lr[int(self.lr_at[i]):][:h * w].view(1, h, w, 3)
            target = hr[at:at + h * w * s * s]
            taught = self_ensemble(model, lr.permute(0, 3, 1, 2).float() / 255)
            taught = taught[0].permute(1, 2, 0).reshape(-1, 3) * 255
            target.lerp_(taught.half(), share)
        self.hr = hr

    def turn(self, *images):
        """One of the eight orientations for each quarter of the batch."""
        turns = np.random.randint(8, size=4)
        out = []
        for image in images:
            parts = []
            for part, t in zip(image.chunk(4), turns):
                part = part.flip(3) if t & 4 else part
                parts.append(part.rot90(int(t & 3), (2, 3)))
            out.append(torch.cat(parts))
        return out


def self_ensemble(model, x):
    """Mean of the model's outputs for the eight orientations of x."""
    flips = ((), (2,), (3,), (2, 3))
    total = 0
    with torch.no_grad():
        for quarter in (0, 1):
            turned = x.rot90(quarter, (2, 3))
            y = model(torch.cat([turned.flip(f) for f in flips])).clamp(0, 1)
            y = sum(part.flip(f) for part, f in zip(y.chunk(4), flips))
            total = total + y.rot90(-quarter, (2, 3))
    return total / 8


def recolour(*images):
    """One order of the colour channels for each quarter of the batch."""
    orders = [np.random.permutation(3).tolist() for _ in range(4)]
    return [torch.cat([part[:, order]
                       for part, order in zip(image.chunk(4), orders)])
            for image in images]


def validation(model, pairs, count=32):
    """Mean PSNR (dB) over RGB of fixed crops of held-out pictures."""
    devices = [torch.cuda.current_device()] if pairs.device == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(0)
        state = np.random.get_state()
        np.random.seed(0)
        lr, hr = pairs.batch(count)
        np.random.set_state(state)
    with torch.no_grad():
        y = torch.cat([model(part) for part in lr.split(8)])
    y = (y.clamp(0, 1) * 255).round() / 255
    mse = ((y - hr) ** 2).mean((1, 2, 3))
    return float((-10 * mse.log10()).mean())


class Run:
    """Weights, their average, the optimiser, and how far they have come."""

    def __init__(self, args, device):
        self.args, self.device = args, device
        options = dict(swinir.LIGHTWEIGHT, upscale=args.scale)
        if args.depths:
            options.update(depths=args.depths, num_heads=[6] * len(args.depths))
        self.model = swinir.SwinIR(**options).to(device)
        if args.start:
            swinir.load_into(self.model, swinir.load_weights(args.start))
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.optimiser = torch.optim.Adam(
            self.model.parameters(), lr=args.lr, betas=(0.9, 0.99),
            fused=device == "cuda")
        self.step, self.seconds = 0, 0.0
        for folder in (args.out, args.resume):
            if folder and (folder / "checkpoint.pth").exists():
                self.load(folder / "checkpoint.pth")
                break

    def load(self, path):
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"], strict=False)
        self.average.load_state_dict(state["average"], strict=False)
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds = state["step"], state["seconds"]
        print(f"x{self.args.scale}: resumed at step {self.step}, "
              f"{self.seconds:.0f} s", flush=True)

    def save(self):
        def weights(model):
            return {k: v for k, v in model.state_dict().items()
                    if not k.endswith(("attn_mask", "_index"))}

        path = self.args.out / "checkpoint.pth"
        optimiser = copy.deepcopy(self.optimiser.state_dict())
        for state in optimiser["state"].values():  # half the bytes
            state.update({k: v.bfloat16() for k, v in state.items()
                          if k.startswith("exp_")})
        torch.save({"model": weights(self.model),
                    "average": weights(self.average),
                    "optimiser": optimiser,
                    "step": self.step, "seconds": self.seconds},
                   str(path) + ".new")
        os.replace(str(path) + ".new", path)

    def fraction(self):
        if self.args.minutes is None:
            return 0.0  # the first step, which compiles the network
        return min(1.0, self.seconds / (60 * self.args.minutes))

    def set_rate(self):
        warm = min(1.0, (self.step + 1) / 500)
        cosine = 0.5 * (1 + math.cos(math.pi * self.fraction()))
        for group in self.optimiser.param_groups:
            group["lr"] = self.args.lr * warm * max(cosine, 1e-3)

    def update_average(self):
        decay = min(self.args.ema, (self.step + 1) / (self.step + 10))
        torch._foreach_lerp_(list(self.average.parameters()),
                             list(self.model.parameters()), 1 - decay)


def train(run, forward, check, pairs, held_out, started):
    """Steps until the budget, or this sitting's share of it, is used up."""
    args, saved, mark = run.args, time.time(), (time.time(), run.step)
    total = torch.zeros((), device=run.device)
    done = run.fraction() == 1
    while not done:
        begin = time.time()
        run.set_rate()
        lr, hr = pairs.batch(args.batch)
        if args.recolour:
            lr, hr = recolour(lr, hr)
        loss = LOSSES[args.loss](forward(lr), hr)
        run.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        ranks.average_gradients(run.model)
        torch.nn.utils.clip_grad_norm_(run.model.parameters(), 0.5)
        run.optimiser.step()
        run.update_average()
        total += loss.detach()
        run.step += 1
        if run.step % 10 == 0:  # reading it waits for the GPU, as the clock must
            done = (time.time() - started > args.stop_after
                    or run.fraction() == 1)
            run.seconds, done = ranks.from_first(run.seconds, done, run.device)
        if ranks.first() and time.time() - saved > args.save_every:
            run.save()
            count = run.step - mark[1]
            print(f"x{args.scale} step {run.step} {run.fraction():.1%} "
                  f"loss {float(total) / count:.5f} "
                  f"{count / (time.time() - mark[0]):.1f} steps/s "
                  f"held-out {validation(check, held_out):.3f} dB", flush=True)
            saved, mark = time.time(), (time.time(), run.step)
            total.zero_()
        if args.minutes is None:
            float(loss.detach())  # waits for the GPU
            left = args.stop_after - time.time() + started
            args.minutes, _ = ranks.from_first(left / 60, False, run.device)
        elif time.time() - begin < 10:  # longer: it compiled
            run.seconds += time.time() - begin
    if ranks.first():
        run.save()


def main():
    started = time.time()
    args = arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    device = ranks.start()
    torch.manual_seed(args.seed)
    np.random.seed(args.seed)
    run = Run(args, device)
    torch.manual_seed(args.seed + run.step + 1000003 * ranks.index())
    np.random.seed(args.seed + run.step + 1000003 * ranks.index())
    torch.backends.cudnn.benchmark = True
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    forward = FastSwinIR(run.model, args.patch, dtype).to(device)
    check = FastSwinIR(run.average, args.patch, dtype).to(device)
    if not args.no_compile:
        forward = torch.compile(forward)
    paths = sorted(args.data.glob("train_*.webp"))[:args.limit]
    pairs = Pairs(paths, args.scale, args.patch, device)
    held_out = Pairs(sorted(args.data.glob("val_*.webp"))[:args.limit],
                     args.scale, args.patch, device)
    if args.teacher:
        teacher = copy.deepcopy(run.model).eval()
        swinir.load_into(teacher, swinir.load_weights(args.start))
        pairs.teach(teacher, args.teacher)
    print(f"x{args.scale}: {len(pairs.share)} tiles, {len(pairs.hr) / 1e6:.1f} "
          f"Mpixel, ready after {time.time() - started:.0f} s", flush=True)
    train(run, forward, check, pairs, held_out, started)
    if not ranks.first():
        return
    result = validation(check, held_out)
    export.write(run.average.state_dict(),
                 args.out / f"swinir_lightweight_x{args.scale}.safetensors",
                 args.scale, f"{run.step} steps; held-out {result:.3f} dB")
    print(f"x{args.scale}: {run.step} steps, {run.seconds:.0f} s, "
          f"held-out {result:.3f} dB", flush=True)


if __name__ == "__main__":
    main()

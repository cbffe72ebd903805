# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from typing import Any

from . import _core, _tasks
from .errors import UsageError


class Engine(_core.Engine):
    """A network made ready for one device.

    `engine(x)` runs it on arrays [N, C, H, W]; `engine.run(picture)` on
    pictures.  May be shared between threads: calls that overlap get sessions
    of their own.
    """

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        device: str = "cpu",
        threads: int = 0,
        isa: str = "",
        precision: str = "auto",
    ) -> Engine:
        """An engine file, or any checkpoint."""
        return cls(path, device=device, threads=threads, isa=isa, precision=precision)

    def run(self, *pictures: Any, **options: Any) -> Any:
        """What the network's task makes of pictures: a result, or a list.

        A picture is a file's path, an array [H, W, C] or a PIL image.  The
        options are those of `vitrum.restore`, `spectral` and `segment`.
        """
        if not pictures:
            raise TypeError("run() needs a picture")
        task = _tasks.by_kind.get(self.info.kind)
        if task is None:
            raise UsageError(f"{self.info.variant} takes tensors, not pictures: call it with arrays")
        results = [task(self, picture, **options) for picture in pictures]
        return results[0] if len(pictures) == 1 else results

    def __repr__(self) -> str:
        where = f"{self.device}, {self.precision}, {self.isa}, {self.threads} threads"
        return f"Engine({self.info.variant}, {where})"

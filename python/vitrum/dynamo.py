# SPDX-License-Identifier: Apache-2.0
"""Importing this makes "vitrum" a backend of torch.compile.

An installed package is found without it, by its entry point.
"""

from torch._dynamo.backends.registry import list_backends, register_backend

from ._dynamo import backend

if "vitrum" not in list_backends():
    register_backend(backend, name="vitrum")

__all__ = ["backend"]

# SPDX-License-Identifier: Apache-2.0
"""What vitrum raises.  The texts are those of the command."""


class Error(Exception):
    """A bad file, an unreadable picture, a device or system failure."""


class UsageError(Error, ValueError):
    """The request itself makes no sense."""


class AccuracyError(Error):
    """An accuracy limit is broken: NaN or infinite values, another answer."""


class OutOfMemoryError(Error, MemoryError):
    """Memory could not be had."""


class PrecisionWarning(RuntimeWarning):
    """Numbers left a precision's range; a more exact one was taken for them."""

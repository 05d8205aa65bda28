"""Checkpoints of an original class in the form that the rewritten class loads.

Everything that imports torch runs in a child process; this package itself does not import it.
"""

from pyroify.checkpoint.request import make_request
from pyroify.checkpoint.session import CheckpointError, Conversion, Request, convert_checkpoint

__all__ = ["CheckpointError", "Conversion", "Request", "convert_checkpoint", "make_request"]

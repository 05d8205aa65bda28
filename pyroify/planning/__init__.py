"""Facts and spec to a plan of edits and findings. No files are touched, no syntax trees built."""

from __future__ import annotations

from pyroify.planning.build import build_plan

__all__ = ["build_plan"]

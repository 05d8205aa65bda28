"""Code that goes by the names of classes, which converted layers of torch have not any more."""

from __future__ import annotations

from collections.abc import Iterator

from pyroify.checks.instances import Script
from pyroify.diagnostics import Finding
from pyroify.dispatch import needs
from pyroify.syntax.facts import Dispatch


@needs(Dispatch)
def named_class(script: Script) -> Iterator[Finding]:
    """The name of a module's class, compared with that of a layer or used as a key."""
    for found in script.file.dispatches:
        yield Finding(
            script.file.path,
            found.line,
            found.column + 1,
            "PYR096",
            f"{found.source} goes by the name of a class: a converted nn.Linear is a PyroLinear",
            "ask isinstance(module, nn.Linear), which holds for both",
        )

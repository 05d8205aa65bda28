"""Classes that a file defines twice under one name, as notebooks do that grow one step by step."""

from __future__ import annotations

from collections.abc import Iterator

from pyroify.checks.instances import Script
from pyroify.diagnostics import Finding
from pyroify.dispatch import needs
from pyroify.program.index import ModuleClass
from pyroify.program.resolve import Resolver
from pyroify.program.summary import ClassSummary
from pyroify.syntax.facts import File


@needs((File, "a class defined again"))
def class_defined_again(script: Script) -> Iterator[Finding]:
    """A module class with parameters, of whose name only the last definition is converted."""
    index = script.project.index
    last = {cls.qualname: cls for cls in script.file.classes}
    for cls in script.file.classes:
        later = last[cls.qualname]
        made = index.module_class(script.file, cls) if later is not cls else None
        if made is not None and _adds_parameters(made, script):
            yield Finding(
                script.file.path,
                cls.line,
                cls.column + 1,
                "PYR048",
                f"{cls.qualname} is defined again in line {later.line}: only that one is converted",
                "give each class a name of its own",
                f"{script.file.module}:{cls.qualname}",
            )


def _adds_parameters(cls: ModuleClass, script: Script) -> bool:
    summary = ClassSummary(cls, Resolver(script.project.index, {}), ())
    return not cls.is_pyro and summary.adds_parameters

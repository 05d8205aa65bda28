"""The function a file gets where only run time shows its layers: ``undeclared(self)``.

It goes down from the module that is being built, makes a PyroModule of whatever leads to
parameters, and yields it. What decides for itself is left out: classes that end in declarations
of their own, and those that are not converted.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from pyroify.code.names import FileNames
from pyroify.syntax.declarations import LOOPED

NAME = LOOPED
ATTRIBUTE = re.compile(r"(.+)\.(\w+)")
ELEMENT = re.compile(r"(.+)\[(\d+|\"[^\"]+\")\]")

FUNCTION = '''\
def {undeclared}(root, *only, path=""):
    """Paths and modules below one, or some of its children, with parameters to train.

    They become PyroModules on the way. Classes that are some by themselves are left out.
    """
    for name, module in list(root.named_children()):
        if only and name not in only:
            continue
        is_own = type(module).__module__ != {pyro}.__module__
{but}        if isinstance(module, {pyro}) and is_own:
            continue
{skip}        own = [part for part in module.modules() if isinstance(part, {pyro})]
        if not own and not any(value.requires_grad for value in {values}):
            continue
        if not (root._pyro_context.used and isinstance(module, {pyro})):  # they have run
            order = list(module._modules)
            {convert}(module, recurse=False)
            for key in order:  # Pyro puts its modules behind the others
                module._modules[key] = module._modules.pop(key)
            root.add_module(name, module)  # hands its name down
        yield path + name, module
        yield from {undeclared}(module, path=f"{{path}}{{name}}.")
'''

SKIP = """\
        names = {names}  # not converted
        left = [part for part in module.modules() if type(part).__name__ in names]
        if module in left:
            continue
        kept = {{value for part in left for value in part.parameters()}}
"""

BUT = """\
        is_own &= type(module).__name__ not in {names}
"""


def undeclared_call(names: FileNames, root: str, only: Sequence[str] = ()) -> str:
    """The call that gives paths and modules below a root, or below some of its children."""
    names.use("PyroModule", "to_pyro_module_")
    return f"{names.own(NAME)}({', '.join([root, *map(_quoted, only)])})"


def undeclared_at(names: FileNames, target: str) -> str:
    """The call for what a source reads, and all below it; it may be a class that decides itself."""
    if found := ATTRIBUTE.fullmatch(target):
        return undeclared_call(names, found[1], [found[2]])
    if found := ELEMENT.fullmatch(target):
        return undeclared_call(names, found[1], [found[2].strip('"')])
    return f'(("", {target}), *{undeclared_call(names, target)})'


def is_called(names: FileNames, statements: Sequence[str]) -> bool:
    """Whether statements need the function."""
    return any(f"{names.own(NAME)}(" in statement for statement in statements)


def define_undeclared(names: FileNames, left: Collection[str], bare: Collection[str]) -> None:
    """Have a file define the function.

    ``left`` are names of classes that are not converted, ``bare`` those of containers that do not
    declare what they are given.
    """
    source = FUNCTION.format(
        undeclared=names.own(NAME),
        pyro=names.local("PyroModule"),
        convert=names.local("to_pyro_module_"),
        skip=SKIP.format(names=_tuple(left)) if left else "",
        values="{*module.parameters()} - kept" if left else "module.parameters()",
        but=BUT.format(names=_tuple(bare)) if bare else "",
    )
    names.define(names.own(NAME), source)


def _tuple(names: Collection[str]) -> str:
    quoted = [*map(_quoted, sorted(names))]
    return f"({', '.join(quoted)}{',' if len(quoted) == 1 else ''})"


def _quoted(name: str) -> str:
    return f'"{name}"'

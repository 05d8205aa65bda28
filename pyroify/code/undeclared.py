"""The function a file gets where only run time shows its layers: ``undeclared(self)``.

It goes down from the module that is being built, makes a PyroModule of whatever leads to
parameters, and yields it. What decides for itself is left out: classes that end in declarations
of their own, and those that are not converted.
"""

from __future__ import annotations

from collections.abc import Collection

from pyroify.code.names import UNDECLARED, FileNames

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

ROOM = 50
"""Characters of names that fit into a line."""


def define_undeclared(names: FileNames, left: Collection[str], bare: Collection[str]) -> None:
    """Have a file define the function.

    ``left`` are names of classes that are not converted, ``bare`` those of containers that do not
    declare what they are given.
    """
    source = FUNCTION.format(
        undeclared=names.own(UNDECLARED),
        pyro=names.local("PyroModule"),
        convert=names.local("to_pyro_module_"),
        skip=SKIP.format(names=_tuple(left)) if left else "",
        values="{*module.parameters()} - kept" if left else "module.parameters()",
        but=BUT.format(names=_tuple(bare)) if bare else "",
    )
    names.define(names.own(UNDECLARED), source, needs=("PyroModule", "to_pyro_module_"))


def _tuple(names: Collection[str]) -> str:
    quoted = [*map(_quoted, sorted(names))]
    if sum(map(len, quoted)) > ROOM:
        lines = "".join(f"            {name},\n" for name in quoted)
        return f"(\n{lines}        )"
    return f"({', '.join(quoted)}{',' if len(quoted) == 1 else ''})"


def _quoted(name: str) -> str:
    return f'"{name}"'

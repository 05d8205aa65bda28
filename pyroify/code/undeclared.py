"""The function a file gets where only run time shows its layers: ``undeclared(self)``.

It goes down from the module that is being built, makes a PyroModule of whatever leads to
parameters, and yields it. What decides for itself is left out: classes that end in declarations
of their own, those that are not converted, and those of which no PyroModule can be made.
"""

from __future__ import annotations

from collections.abc import Collection

from pyroify.code.names import CAN_BE_RANDOM, UNDECLARED, FileNames

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
{names}        left = [{left}]
        if module in left:
            continue
        kept = {{value for part in left for value in part.parameters()}}
        trained = {{value for value in module.parameters() if value.requires_grad}} - kept
        own = [part for part in module.modules() if isinstance(part, {pyro})]
        if not own and not trained:
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

NAMES = """\
        names = {names}  # not converted
"""
LEFT = "part for part in module.modules() if not {can_be_random}(part)"
LEFT_AND_NAMED = """
            part
            for part in module.modules()
            if type(part).__name__ in names or not {can_be_random}(part)
        """

BUT = """\
        is_own &= type(module).__name__ not in {names}
"""

CHECK = '''\
def {can_be_random}(module):
    """Whether a PyroModule can be made of one: not of a class with a metaclass of its own."""
    try:
        return issubclass({pyro}[type(module)], {pyro})
    except TypeError as error:
        {warnings}.warn(f"{{type(module).__name__}} stays as it is: {{error}}", stacklevel=2)
        return False
'''

ROOM = 50
"""Characters of names that fit into a line."""


def define_undeclared(names: FileNames, left: Collection[str], bare: Collection[str]) -> None:
    """Have a file define the function.

    ``left`` are names of classes that are not converted, ``bare`` those of containers that do not
    declare what they are given.
    """
    check = names.own(CAN_BE_RANDOM)
    spelled = {"pyro": names.local("PyroModule"), "warnings": names.local("warnings")}
    source = CHECK.format(can_be_random=check, **spelled)
    if names.own(UNDECLARED) not in names.foreign:
        names.define(check, source, needs=("PyroModule", "warnings"), inner=True)
    source = FUNCTION.format(
        undeclared=names.own(UNDECLARED),
        pyro=spelled["pyro"],
        convert=names.local("to_pyro_module_"),
        names=NAMES.format(names=_tuple(left)) if left else "",
        left=(LEFT_AND_NAMED if left else LEFT).format(can_be_random=check),
        but=BUT.format(names=_tuple(bare)) if bare else "",
    )
    needs = ("PyroModule", "to_pyro_module_", check)
    names.define(names.own(UNDECLARED), source, needs=needs)


def _tuple(names: Collection[str]) -> str:
    quoted = [*map(_quoted, sorted(names))]
    if sum(map(len, quoted)) > ROOM:
        lines = "".join(f"            {name},\n" for name in quoted)
        return f"(\n{lines}        )"
    return f"({', '.join(quoted)}{',' if len(quoted) == 1 else ''})"


def _quoted(name: str) -> str:
    return f'"{name}"'

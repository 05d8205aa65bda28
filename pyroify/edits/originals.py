"""What lets a state_dict of the original class load, under `load_original_state_dict: true`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyroify.code.names import HOOK, LOAD_ORIGINAL, FileNames
from pyroify.code.statements import CallStatement, OriginalInit, Statement
from pyroify.code.write import write_constraint
from pyroify.decide.model import SitePlan
from pyroify.spec.model import Param, Spec
from pyroify.spec.render import render_constraint

FUNCTION = '''\
def {load_original}(module, state_dict, prefix, *_):
    """Let a state_dict of the original class load.

    Constrained values go to their unconstrained parameters. Those of random parameters
    have no place in the module: ``module.original_values`` holds them by site, for a
    guide to begin at.
    """
    values, read = {{}}, {{}}
    for path, owner in module.named_modules(remove_duplicate=False):
        path = f"{{path}}." if path else ""
        for name, how in getattr(owner, "original_init", {{}}).items():
            read[path + name] = how
        for name, (constraint, _) in getattr(owner, "_pyro_params", {{}}).items():
            site = path + name
            if (value := state_dict.pop(prefix + site, None)) is not None:
                how = [how for key, how in read.items() if {fnmatch}(site, key)]
                value = how[0](value) if how else value
                if not constraint.check(value).all():
                    raise ValueError(f"{{prefix}}{{site}} is outside {{constraint}}")
                value = {transform_to}(constraint).inv(value)
                state_dict[f"{{prefix}}{{site}}_unconstrained"] = value
        for name in getattr(owner, "_pyro_samples", ()):
            site = path + name
            if (value := state_dict.pop(prefix + site, None)) is not None:
                values[site] = value
    if values:
        module.original_values = values
'''
"""``original_init`` says how values are to be read that the class does not take as they are, as its
constructor does; by path, with ``*`` for the index in a list."""


def loading_statements(
    names: FileNames, sites: Iterable[SitePlan], spec: Spec
) -> Iterator[Statement]:
    """The statements that let ``self`` load a state_dict of the original class."""
    name = names.own(LOAD_ORIGINAL)
    needs = ("transform_to", "fnmatch")
    source = FUNCTION.format(load_original=name, **{need: names.local(need) for need in needs})
    names.define(name, source, needs)
    inits = dict(special_inits(sites, spec))
    if inits:
        yield OriginalInit(tuple((path, _reader(param, names)) for path, param in inits.items()))
    yield CallStatement(f"self.{HOOK}", name)


def special_inits(sites: Iterable[SitePlan], spec: Spec) -> Iterator[tuple[str, Param]]:
    """Constrained parameters that do not start at the value the original code gives, by path."""
    for site in sites:
        action = site.rule.action(spec) if site.rule and site.action == "param" else None
        if isinstance(action, Param) and action.init in ("exp", "softplus", "unconstrained"):
            yield site.path, action


def _reader(param: Param, names: FileNames) -> str:
    """The function that makes a value of the original class one of the rewritten class."""
    if param.init == "unconstrained":
        constraint = write_constraint(render_constraint(param.constraint), names)
        return f"{names.say('transform_to')}({constraint})"
    function = "exp" if param.init == "exp" else "nn.functional.softplus"
    return f"{names.say('torch')}.{function}"

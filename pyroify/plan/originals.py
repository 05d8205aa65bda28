"""What lets a state_dict of the original class load, under `load_original_state_dict: true`."""

from __future__ import annotations

from pyroify.plan.names import FileNames

LOAD_ORIGINAL = '''\
def {load_original}(module, state_dict, prefix, *_):
    """Let a state_dict of the original class load.

    Constrained values go to their unconstrained parameters. Those of random parameters have no
    place in the module: ``module.original_values`` holds them by site, for a guide to begin at.
    """
    values = {{}}
    for path, owner in module.named_modules(remove_duplicate=False):
        path = f"{{path}}." if path else ""
        for name, (constraint, _) in getattr(owner, "_pyro_params", {{}}).items():
            if (value := state_dict.pop(prefix + path + name, None)) is not None:
                if not constraint.check(value).all():
                    raise ValueError(f"{{prefix}}{{path}}{{name}} is outside {{constraint}}")
                value = {transform_to}(constraint).inv(value)
                state_dict[f"{{prefix}}{{path}}{{name}}_unconstrained"] = value
        for name in getattr(owner, "_pyro_samples", ()):
            if (value := state_dict.pop(prefix + path + name, None)) is not None:
                values[path + name] = value
    if values:
        module.original_values = values
'''


def loading_call(names: FileNames) -> str:
    """The statement that lets ``self`` load a state_dict of the original class."""
    names.use("transform_to")
    name = names.own("load_original")
    source = LOAD_ORIGINAL.format(load_original=name, transform_to=names.local("transform_to"))
    names.define(name, source)
    return f"self.register_load_state_dict_pre_hook({name})"

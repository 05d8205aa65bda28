"""Layers in Python lists and dicts, which torch does not see, though a rule makes them random."""

from __future__ import annotations

from pyroify.program.attributes.lists import is_registered, module_lists
from pyroify.program.summary import Attribute, ClassSummary
from pyroify.program.values import LayerInstance, may_be_any_class
from pyroify.spec.match import SiteKey, decide
from pyroify.spec.model import Keep, Spec
from pyroify.syntax.values import walk


def hides_random_layers(summary: ClassSummary, spec: Spec) -> bool:
    """Whether layers the spec makes random are in a Python list or dict, out of torch's sight."""
    return any(
        has_random_layers(summary, attribute, spec)
        for attribute in module_lists(summary)
        if not is_registered(summary, attribute)
    )


def has_random_layers(summary: ClassSummary, attribute: Attribute, spec: Spec) -> bool:
    """Whether a rule of the spec takes a parameter of a layer below an attribute."""
    cls = summary.cls
    layers = {item.layer for item in walk(attribute.node) if isinstance(item, LayerInstance)}
    keys = [
        SiteKey(cls.file.module, cls.cls.qualname, f"{attribute.name}.*.{p.name}", p.layer)
        for layer in layers
        for p in layer.parameters
    ]
    if any(map(may_be_any_class, walk(attribute.node))):
        keys.append(SiteKey(cls.file.module, cls.cls.qualname, f"{attribute.name}.*.weight", ""))
    return any(not isinstance(decide(spec, key).action, Keep) for key in keys)

"""Priors that follow their module: the class that ``options: {follow_module: true}`` writes."""

from __future__ import annotations

FOLLOWING = '''\
class {name}:
    """A prior that follows its module to another device or dtype."""

    def __init__(self, module, prior):
        if not hasattr(module, "_prior_anchor"):  # an empty buffer that no state_dict holds
            values = (p.detach() for p in module.parameters() if p.is_floating_point())
            anchor = next(values, {torch}.empty(0)).new_empty(0)
            module.register_buffer("_prior_anchor", anchor, persistent=False)
        self.prior = self.moved = prior
        self.place = None

    def __call__(self, module):
        anchor = module._prior_anchor
        if self.place != (anchor.device, anchor.dtype):
            self.moved = self.move(self.prior, anchor)
            self.place = anchor.device, anchor.dtype
        return self.moved

    def move(self, value, anchor):
        """A distribution with all its tensors beside ``anchor``, or part of one."""
        if isinstance(value, {torch}.Tensor):
            once = value[tuple(slice(None if step else 1) for step in value.stride())]
            dtype = anchor.dtype if value.is_floating_point() else value.dtype
            return once.to(anchor.device, dtype).expand(value.shape)
        if isinstance(value, list):
            return [self.move(item, anchor) for item in value]
        if isinstance(value, ({torch}.distributions.Distribution, {torch}.distributions.Transform)):
            value = {copy}.copy(value)
            for name in vars(value).keys() - {{"_inv"}}:  # a transform and its inverse, in a circle
                vars(value)[name] = self.move(vars(value)[name], anchor)
        return value
'''
"""A prior is constant; its tensors have to be moved one by one, as it has no ``.to()``. Expanded
ones stay expanded, or a prior would take as much memory as the weights."""

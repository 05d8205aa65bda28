"""Priors that follow their module: what ``options: {follow_module: true}`` writes into a file."""

from __future__ import annotations

from pyroify.code.names import FOLLOW, FileNames
from pyroify.code.statements import CallStatement

FOLLOWING = '''\
class {following}:
    """A prior that follows its module to another device or dtype."""

    def __init__(self, prior, dtype):
        self.prior = self.moved = prior
        self.place, self.dtype = None, dtype

    def __call__(self, module):
        place = module._prior_anchor.device, module._prior_anchor.dtype
        if self.place != place:
            self.place, self.moved = place, self.move(self.prior, *place)
        return self.moved

    def move(self, value, device, dtype):
        """A distribution with its tensors on a device, in a dtype; or a part of one."""
        if isinstance(value, {torch}.Tensor):
            once = value[tuple(slice(None if step else 1) for step in value.stride())]
            is_own = dtype == self.dtype and value.dtype != {torch}.get_default_dtype()
            dtype = value.dtype if is_own or not value.is_floating_point() else dtype
            return once.to(device, dtype).expand(value.shape)
        if isinstance(value, list):
            return [self.move(item, device, dtype) for item in value]
        kinds = {torch}.distributions.Distribution, {torch}.distributions.Transform
        if isinstance(value, kinds):
            value = {copy}.copy(value)
            for name in vars(value).keys() - {{"_inv"}}:  # a transform has its inverse
                vars(value)[name] = self.move(vars(value)[name], device, dtype)
        return value
'''
"""A prior is constant; its tensors have to be moved one by one, as it has no ``.to()``. Expanded
ones stay expanded, or a prior would take as much memory as the weights. One that is made in a dtype
of its own, as its parameter was, keeps it until the module is moved to another than its first."""

FOLLOW_MODULE = '''\
def {follow_module}(root):
    """Make the priors of a module, and of all it holds, follow it to another place."""
    for module in root.modules():
        for name, prior in list(getattr(module, "_pyro_samples", {{}}).items()):
            if isinstance(prior, {torch}.distributions.Distribution):
                values = (*module.parameters(), *root.parameters(), {torch}.empty(0))
                anchor = next(value for value in values if value.is_floating_point())
                anchor = anchor.detach().new_empty(0)
                module.register_buffer("_prior_anchor", anchor, persistent=False)
                setattr(module, name, {sample}({following}(prior, anchor.dtype)))
'''
"""The anchor, an empty buffer that no state_dict holds, tells where the module is."""


def following_call(names: FileNames) -> CallStatement:
    """The statement that makes all priors below ``self`` follow it."""
    spelled = {
        "following": names.own("Following"),
        "follow_module": names.own(FOLLOW),
        "copy": names.local("copy"),
        "torch": names.local("torch"),
        "sample": names.local("PyroSample"),
    }
    following = spelled["following"]
    names.define(following, FOLLOWING.format(**spelled), needs=("copy", "torch"), inner=True)
    source = FOLLOW_MODULE.format(**spelled)
    names.define(spelled["follow_module"], source, needs=("torch", "PyroSample", following))
    return CallStatement(spelled["follow_module"], "self")

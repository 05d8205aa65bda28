"""The function a file gets where weights are computed: ``weight_of(module, values, name)``.

A bias has the fans of the weight beside it, which is no parameter of its layer any more where
``weight_norm`` and its like compute it.
"""

from __future__ import annotations

from pyroify.code.names import WEIGHT_OF, FileNames

FUNCTION = '''\
def {weight_of}(module, values, name):
    """The weight beside a bias, computed or not; of other parameters the parameter itself."""
    beside = name.replace("bias", "weight")
    if beside in values:
        return values[beside]
    training = module.training
    found = getattr(module.eval(), beside, None)  # a call in training may change its state
    module.train(training)
    return found if isinstance(found, {torch}.Tensor) else values[name]
'''


def weight_function(names: FileNames) -> str:
    """The function that gives the weight beside a parameter, and its definition in the file."""
    function = names.own(WEIGHT_OF)
    source = FUNCTION.format(weight_of=function, torch=names.local("torch"))
    names.define(function, source, needs=("torch",))
    return function

"""What is known of calls that make no layer by themselves: functions of Python, torch and others.

A function that is not named here gives something unknown of what it is given. Plain data; names
are matched by their dotted form, and packages need not be installed.
"""

from __future__ import annotations

import re

from pyroify.catalog.thirdparty import WITHOUT_PARAMETERS

NUMBERS = frozenset(
    """
    abs aiter all any ascii bin bool breakpoint bytearray bytes callable chr compile complex delattr
    dir divmod float format hasattr hash help hex id input int isinstance issubclass len memoryview
    oct open ord pow print range repr round setattr slice str
    """.split()
)
"""Builtins that give numbers, texts and the like, whatever they are given."""

LOADING = frozenset(
    """
    eval exec globals locals vars getattr __import__ importlib.import_module importlib.reload
    pickle.load pickle.loads pickle.Unpickler marshal.load marshal.loads shelve.open
    inspect.getmembers inspect.getattr_static gc.get_objects gc.get_referrers
    torch.load torch.jit.load torch.export.load
    """.split()
)
"""Functions that may give anything: it is not among what they are given."""

MODULE_FREE = re.compile(
    r"einops\.layers\.torch\.(Rearrange|Reduce)|torchvision\.transforms\..*"
    r"|torch\.(?!(nn|ao|hub|jit|fx|package|export|func|_dynamo|distributed|quantization)\.)"
    r"(?!(load|compile|nn|jit|fx|hub|ao)$).*"
    r"|torch\.nn\.((functional|init)\..*|(parameter\.)?Buffer)"
    r"|torch\.nn\.utils\.(rnn\..*|clip_\w+|parameters_to_vector|vector_to_parameters|get_\w+)"
    rf"|{WITHOUT_PARAMETERS.pattern}"
)
"""Calls that make no module with parameters: functions of torch, reshaping layers, metrics."""

NO_MODULES = frozenset(
    "numpy np scipy math omegaconf yaml json tqdm logging PIL cv2 einops packaging".split()
)
"""Packages whose calls give no module but those they are given."""

_FUNCTIONS = re.compile(
    r"functools\.(partial|partialmethod|wraps|lru_cache|cache|singledispatch)"
    r"|operator\.(itemgetter|attrgetter|methodcaller)|torch\.(vmap|func\.\w+)"
)


def makes_function(name: str) -> bool:
    """Whether a function gives one to call, and no module."""
    return _FUNCTIONS.fullmatch(name) is not None


TRANSPARENT = frozenset(
    """
    staticmethod classmethod property functools.cached_property functools.lru_cache functools.cache
    functools.wraps abc.abstractmethod abc.abstractproperty typing.final typing.override
    typing.overload typing.no_type_check torch.no_grad torch.enable_grad torch.inference_mode
    torch.autocast torch.jit.export torch.jit.ignore torch.jit.unused torch.jit.script
    torch.jit.script_method torch.compile torch.cuda.amp.autocast torch._dynamo.disable
    cached_property abstractmethod lru_cache
    """.split()
)
"""Decorators under which a function gives what its body returns."""

PROPERTIES = {"property", "functools.cached_property", "cached_property"}
"""Decorators that make a method an attribute."""

CLONES = {"copy.deepcopy", "copy.copy"}

NAMESPACE = ".__dict__"
NAMESPACES = {"torch.nn", "torch.nn.modules", "torch.nn.parameter"}
"""Modules of Python whose entries, whichever is picked, are layers and parameters."""

NORMED = {
    "torch.nn.utils.weight_norm",
    "torch.nn.utils.spectral_norm",
    "torch.nn.utils.parametrizations.weight_norm",
    "torch.nn.utils.parametrizations.spectral_norm",
    "torch.nn.utils.parametrizations.orthogonal",
}
"""Functions that give a layer whose weight is computed."""


def computes_weight(dotted: str) -> bool:
    """Whether a function of torch replaces a weight by one computed from other parameters."""
    if dotted in NORMED or dotted == "torch.nn.utils.parametrize.register_parametrization":
        return True
    return dotted.startswith("torch.nn.utils.prune.")


def uncomputes_weight(dotted: str) -> bool:
    """Whether a function of torch makes a weight that was computed a parameter again."""
    return dotted in {
        "torch.nn.utils.remove_weight_norm",
        "torch.nn.utils.remove_spectral_norm",
        "torch.nn.utils.parametrize.remove_parametrizations",
    }

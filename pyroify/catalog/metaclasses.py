"""Classes outside the project whose metaclass is not ``type``: as bases they meet PyroModule's.

Plain data, by dotted names; packages need not be installed. ``tests/test_catalog_layers.py`` holds
it against the standard library and torch.
"""

from __future__ import annotations

import re
from typing import Final

from pyroify.catalog.thirdparty import ABSTRACT_BESIDE, OWN_METACLASS

ABSTRACT: Final = re.compile(
    r"abc\.ABC|(collections\.abc|numbers|importlib\.abc|torchmetrics|botorch)\..*"
    r"|collections\.(ChainMap|User(Dict|List|String))|os\.PathLike|weakref\.Weak\w+Dictionary"
    r"|contextlib\.(?!(Async)?ContextDecorator|(async)?contextmanager)\w+|io\.\w*IO\w*"
    r"|selectors\.\w+Selector|shelve\.\w*Shelf|fractions\.Fraction|configparser\.\w+(Parser|Proxy|Mapping)|statistics\.Fraction"
    r"|(bz2|gzip|lzma|tempfile)\.\w*File|zipfile\.ZipExtFile|socket\.SocketIO"
    r"|typing(_extensions)?\.(Async\w+|Awaitable|ByteString|Callable|ChainMap|Collection|Container"
    r"|Context\w*|AbstractSet|AbstractContextManager|Coroutine|Generator|Hashable|ItemsView"
    r"|Iterable|Iterator|KeysView|Mapping|MappingView|Mutable\w+|Reversible|Sequence|Sized"
    r"|ValuesView)"
    r"|gpytorch\.(likelihoods|mlls|variational|priors)\..*|kornia\..*\.?ModelBase"
    rf"|{ABSTRACT_BESIDE.pattern}"
)
"""Those with ``abc.ABCMeta``, which the rewrite joins with PyroModule's."""

FOREIGN: Final = re.compile(
    r"typing(_extensions)?\.(Protocol|Supports\w+|Any|NamedTuple|TypedDict)"
    r"|enum\.(?!auto|unique|member|nonmember|property|verify)\w+|ctypes\.\w+|http\.HTTP\w+"
    r"|torch\.(Tensor|nn\.(parameter\.)?(Parameter|Buffer|Uninitialized\w+))"
    r"|torch\.autograd\.(function\.)?\w*Function"
    r"|torch\.utils\.data\.(datapipes\..*|Iter\w*DataPipe|Map\w*DataPipe|DFIterDataPipe)"
    r"|torch\.jit\.(_script\.)?(Recursive)?ScriptModule"
    rf"|{OWN_METACLASS.pattern}"
)
"""Those with another one, of which nobody knows whether it goes together with PyroModule's."""

PYRO_MODULE_META: Final = frozenset(("__getitem__", "_New", "_pyro_mixin_cache"))
"""What PyroModule's metaclass defines."""

REMAKING: Final = frozenset(("six.add_metaclass", "future.utils.add_metaclass"))
"""Decorators that build a class once more, with the metaclass they are given."""

INTERFACES: Final = frozenset(("torch.jit.interface", "torch.jit._script.interface"))
"""Decorators of TorchScript for classes without code, which may derive from nn.Module alone."""

SCRIPTING: Final = frozenset(("torch.jit.script", "torch.jit._script.script"))
"""Decorators that compile a class."""

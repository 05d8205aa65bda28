"""Stands in for large packages that the corpus imports and does not need to build its modules.

Python runs this file when it starts, because its folder is on PYTHONPATH. Whatever is taken from a
stand-in is a class that cannot be instantiated.
"""

import importlib.abc
import importlib.machinery
import sys

STAND_INS = frozenset(
    {
        "cv2",
        "gensim",
        "sentence_transformers",
        "spacy",
        "torchmetrics",
        "torchvision",
        "transformers",
    }
)


class Missing(type):
    """A class that is not there: it has every attribute, each as missing as itself."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Missing(name, (), {})

    def __call__(cls, *args, **kwargs):
        if cls.__bases__ == (object,):
            raise ModuleNotFoundError(f"{cls.__name__} is only stood in for")
        return super().__call__(*args, **kwargs)


class StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds what nothing else has found."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] not in STAND_INS:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.__getattr__ = lambda name: getattr(Missing(module.__name__, (), {}), name)
        module.__all__ = []


sys.meta_path.append(StandIns())

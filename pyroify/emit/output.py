"""Where the script may stand: under no name that Python, a tool or a module would find first."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath
from typing import Final

from pyroify.emit.section import Problem
from pyroify.emit.values import is_name
from pyroify.paths import path_fault
from pyroify.project import NEVER_ENTERED

EXAMPLE: Final = "train_svi.py"
_NO_FILE: Final = "is not the name of a Python file inside the project"

_LOADED_UNASKED: Final = frozenset(
    "conftest dodo fabfile hubconf locustfile noxfile setup sitecustomize toxfile usercustomize "
    "versioneer".split()
)
"""What Python, pytest, packaging and the usual task runners load because of its name alone."""

_BENEATH: Final = frozenset(
    "PIL arviz cloudpickle contourpy cycler dateutil filelock fontTools fsspec funsor "
    "h5netcdf h5py iniconfig jinja2 joblib kiwisolver lightning lightning_utilities "
    "markupsafe matplotlib mpl_toolkits mpmath narwhals netCDF4 networkx numpy opt_einsum "
    "packaging pandas pluggy py pyarrow pygments pyparsing pyro pyroapi pyroify pytest pytz "
    "scipy setuptools six sklearn sympy threadpoolctl torch torchgen torchmetrics torchvision "
    "tqdm triton typing_extensions tzdata xarray yaml".split()
)
"""What torch, Pyro and the other libraries of a script import themselves."""


def output_problem(output: str, path: str) -> Problem | None:
    """Why no script can be written to ``path``, which the spec gives as ``output``."""
    fault = _NO_FILE if path_fault(path) else _folder_fault(path) or _name_fault(path)
    if not fault:
        return None
    help = f"give a path relative to the project's root, like {EXAMPLE}"
    return Problem("svi.output", f"{output!r} {fault}", help)


def shadow_problem(
    path: str, folders: Sequence[str], modules: Collection[str], files: Collection[str]
) -> Problem | None:
    """Why the script at ``path`` would be imported in place of another module.

    ``modules`` are those that it imports, ``folders`` where from; ``files`` are the project's.
    """
    name = PurePosixPath(path).stem
    here = str(PurePosixPath(path).parent)
    others = (PurePosixPath(file) for file in files if file != path)
    if name in modules:
        what = "the script imports"
    elif name in sys.stdlib_module_names:
        what = "is in Python's standard library"
    elif name in _BENEATH:
        what = "libraries of the script import"
    elif any(_is_module(file, name, (here, ".", *folders)) for file in others):
        what = "is in the project"
    else:
        return None
    message = f"{path!r} would hide the module {name!r}, which {what}"
    return Problem("svi.output", message, f"choose another name, like {EXAMPLE}")


def _folder_fault(path: str) -> str:
    for folder in path.split("/")[:-1]:
        if folder.startswith(".") or folder in NEVER_ENTERED:
            return f"is in {folder}, where tools keep their own files"
        if not re.fullmatch(r"\w[\w. +-]*", folder):
            return "is in a folder with an odd name"
    return ""


def _name_fault(path: str) -> str:
    name, suffix = PurePosixPath(path).stem, PurePosixPath(path).suffix
    if suffix != ".py" or not is_name(name):
        return _NO_FILE
    is_special = name.startswith("__") and name.endswith("__")
    is_test = name.startswith("test_") or name.endswith("_test")
    if is_special or is_test or name.casefold() in _LOADED_UNASKED:
        return "has a name by which it would be loaded unasked"
    return ""


def _is_module(file: PurePosixPath, name: str, folders: Sequence[str]) -> bool:
    """Whether ``file`` is the module ``name``, or part of the package, in one of the folders."""
    for folder in folders:
        if file.is_relative_to(folder):
            first = file.relative_to(folder).parts[0]
            if first in (name, f"{name}.py"):
                return True
    return False

"""The child process of a conversion: ``python -m pyroify.checkpoint.child FOLDER``.

Reads ``request.json`` in the folder, writes ``new.pt`` and ``guide.pt`` there, and in
``answer.json`` what went where, or ``{"error": ...}``.
"""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyro
import torch
from torch import nn

from pyroify.checkpoint.convert import Unfit, convert
from pyroify.verify.compare.run import describe
from pyroify.verify.making.tree import Tree

NESTED = ("state_dict", "model_state_dict", "model", "net")
"""Where training loops keep the state_dict among other things."""
WRAPPERS = ("module.", "_orig_mod.")
"""What DistributedDataParallel and torch.compile put before each key."""


def answer(request: Mapping[str, Any], place: Path) -> dict[str, Any]:
    """Convert, write the two files, and say what went where. Raises Unfit."""
    target = request["target"]
    state = read_state(Path(request["old"]))
    model = build(request["root"], target)
    converted = convert(model, state, request["inits"])
    torch.save(converted.state, place / "new.pt")
    torch.save({**converted.state, **converted.random}, place / "guide.pt")
    kept = [name for name in converted.state if name in state]
    return {
        "kept": kept,
        "constrained": list(converted.constrained),
        "random": list(converted.random),
        "missing": list(converted.missing),
        "surplus": list(converted.surplus),
    }


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """The state_dict in a checkpoint, on the CPU. Raises Unfit."""
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise Unfit(
            f"{path.name} is no state_dict: save model.state_dict() with the original code"
        ) from error
    except Exception as error:
        raise Unfit(f"{path.name} cannot be read: {describe(error)}") from error
    for found in (loaded, *(loaded.get(key) for key in NESTED if isinstance(loaded, dict))):
        if isinstance(found, dict) and found and all(map(_is_tensor, found.values())):
            return _unwrapped(found)
    raise Unfit(f"{path.name} holds no state_dict, nor one under {', '.join(NESTED)}")


def _is_tensor(value: object) -> bool:
    return isinstance(value, torch.Tensor)


def _unwrapped(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    for wrapper in WRAPPERS:
        if all(name.startswith(wrapper) for name in state):
            state = {name.removeprefix(wrapper): value for name, value in state.items()}
    return state


def build(root: str, target: Mapping[str, Any]) -> nn.Module:
    """The rewritten model. Raises Unfit."""
    name = target["qualname"]
    tree = Tree(Path(root))
    tree.enter()
    try:
        cls = tree.load(target["path"], target["module"], name)
    except (Exception, SystemExit) as error:
        raise Unfit(f"{name} cannot be imported: {describe(error)}") from error
    try:
        model = cls(**(target["build"]["kwargs"] or {}))
    except (Exception, SystemExit) as error:
        raise Unfit(
            f"{name} cannot be built: {describe(error)}; "
            "give the arguments it was trained with under svi: model: kwargs"
        ) from error
    if not isinstance(model, nn.Module):
        raise Unfit(f"{name} is no nn.Module")
    return model


def main() -> None:
    """Answer the request in the folder that the command line names."""
    place = Path(sys.argv[1])
    request = json.loads((place / "request.json").read_text())
    pyro.settings.set(module_local_params=True)  # the store stays out of it
    try:
        document = answer(request, place)
    except Unfit as error:
        document = {"error": str(error)}
    (place / "answer.json").write_text(json.dumps(document))


if __name__ == "__main__":
    main()

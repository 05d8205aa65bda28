"""Draws of the weights for the class as it was, to serve without Pyro."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyro
import torch
from pyro import poutine
from torch import Tensor, nn
from torch.export import Dim
from torch.utils import _pytree as pytree

from ..checkpoints import State, save
from ..data.rows import Rows
from ..errors import first_line
from ..inference.linearised import Linearised
from ..inference.objectives import Objective, posterior_draws
from ..model.sites import Draw, observed, whole_draw
from ..run import Flags, example_rows


def export(
    objective: Objective,
    about: State,
    flags: Flags,
    keywords: tuple[str, ...] = (),
) -> None:
    """Writes ``draws.pt``, ``mean.pt``, and ``serve.py``, which says how to use them.

    Also ``mean.pt2``, which needs no class, and ``draws.safetensors``, which needs no torch, each
    where it can be had. ``keywords`` are the arguments of the network that its inputs go to, empty
    for by position.
    """
    model, rows, out = objective.model, example_rows(about), flags.out
    with torch.no_grad():
        draws, states = [], []
        for draw in posterior_draws(objective.guide, flags.samples):
            draws.append(whole_draw(model, draw, rows))
            states.append(original_state(model, draws[-1], rows.args))
        means = {n: torch.stack([d[n] for d in draws]).mean(0) for n in draws[0]}
        if isinstance(objective.guide, Linearised):  # draws are moves away from there
            means = whole_draw(model, objective.guide.mode(), rows)
        mean, _ = original_state(model, means, rows.args)
    exported = {
        "draws": [network for network, _ in states],
        "likelihood": [noise for _, noise in states],
        "scalings": about["scalings"],
        "dtype": torch.get_default_dtype(),
        "keywords": list(keywords),
    }
    if isinstance(objective.guide, Linearised):
        exported["mode"] = mean
    save(out / "draws.pt", exported)
    save(out / "mean.pt", mean)
    (out / "serve.py").write_text(serving_text())
    print(f"exported: {out / 'draws.pt'}, mean.pt and serve.py")
    write_safetensors(out / "draws.safetensors", exported)
    write_program(out / "mean.pt2", Fixed(model, means, keywords), rows)


def write_safetensors(path: Path, exported: State) -> None:
    """All numbers of what is exported, each by its place, such as ``draws/0/fc.weight``."""
    try:
        from safetensors.torch import save_file
    except ImportError:
        print(f"not exported: {path.name}, which needs safetensors: pip install safetensors")
        return
    save_file({name: value.contiguous().clone() for name, value in numbers(exported)}, path)
    print(f"exported: {path}")


def numbers(value: Any, place: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor in mappings and lists, with its place."""
    if isinstance(value, Tensor):
        yield place, value
    elif isinstance(value, Mapping | list):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for name, part in items:
            yield from numbers(part, f"{place}/{name}".lstrip("/"))


class Fixed(nn.Module):
    """The network at one value of every latent, and nothing random in it."""

    def __init__(self, model: nn.Module, draw: Draw, keywords: tuple[str, ...]):
        super().__init__()
        self.net: Any = model.net
        self.draw = {name: value.detach() for name, value in draw.items()}
        self.keywords = keywords

    def forward(self, *inputs: Any) -> Any:
        """What the network returns."""
        named = dict(zip(self.keywords, inputs, strict=False))
        with poutine.condition(data=self.draw):
            return self.net(*(() if named else inputs), **named)


def write_program(path: Path, network: Fixed, rows: Rows) -> None:
    """The network by ``torch.export``, for any number of rows; says so where it cannot be had."""
    shapes = pytree.tree_map_only(Tensor, lambda _: {0: Dim.AUTO}, rows.args)
    try:
        with pyro.validation_enabled(False):
            program = torch.export.export(
                network.eval(), rows.args, dynamic_shapes=(shapes,), strict=False
            )
            torch.export.save(program, path)
    except Exception as error:  # whatever a network does that a graph cannot
        print(f"not exported: {path.name}: {first_line(error)}")
        return
    print(f"exported: {path}")


def serving_text() -> str:
    """The module ``serving``, without the comment that a copy of it begins with."""
    text = Path(__file__).with_name("serving.py").read_text(encoding="utf-8")
    return text[text.index('"""') :]


def original_state(
    model: nn.Module, draw: dict[str, Tensor], example: tuple[Any, ...]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A state_dict of the class as it was, and what the likelihood has beside it.

    Read while the model is called, so that each attribute has the value it then has.
    """
    read: dict[str, Tensor] = {}

    def read_all(*_: Any) -> None:
        for prefix, module in model.named_modules(remove_duplicate=False):
            for kind in ("_pyro_samples", "_pyro_params"):
                for name in getattr(module, kind, {}):
                    value = getattr(module, name).detach().clone()
                    read[f"{prefix}.{name}".lstrip(".")] = value

    net: Any = model.net
    hook = net.register_forward_pre_hook(read_all)
    observed(model, draw, example)
    hook.remove()
    state = {n.removesuffix("_unconstrained"): v for n, v in model.state_dict().items()}
    network: dict[str, Tensor] = {}
    noise: dict[str, Tensor] = {}
    for name, value in (state | read).items():
        kept = network if name.startswith("net.") else noise
        kept[name.removeprefix("net.")] = value
    return network, noise

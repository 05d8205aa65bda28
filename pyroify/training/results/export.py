"""Draws of the weights for the class as it was, to serve without Pyro."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..checkpoints import State, save
from ..inference.objectives import Objective, posterior_draws
from ..model.sites import observed, whole_draw
from ..run import Flags, example_rows


def export(
    objective: Objective,
    about: State,
    flags: Flags,
    keywords: tuple[str, ...] = (),
) -> None:
    """Writes ``draws.pt``, ``mean.pt``, and ``serve.py``, which says how to use them.

    ``keywords`` are the arguments of the network that its inputs go to, empty for by position.
    """
    model, rows, out = objective.model, example_rows(about), flags.out
    with torch.no_grad():
        draws, states = [], []
        for draw in posterior_draws(objective.guide, flags.samples):
            draws.append(whole_draw(model, draw, rows))
            states.append(original_state(model, draws[-1], rows.args))
        means = {n: torch.stack([d[n] for d in draws]).mean(0) for n in draws[0]}
        mean, _ = original_state(model, means, rows.args)
    exported = {
        "draws": [network for network, _ in states],
        "likelihood": [noise for _, noise in states],
        "scalings": about["scalings"],
        "dtype": torch.get_default_dtype(),
        "keywords": list(keywords),
    }
    save(out / "draws.pt", exported)
    save(out / "mean.pt", mean)
    (out / "serve.py").write_text(serving_text())
    print(f"exported: {out / 'draws.pt'}, mean.pt and serve.py")


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

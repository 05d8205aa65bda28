"""One value of every latent: the network as it was, or a member of an ensemble."""

from __future__ import annotations

import copy
import math
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from pyro.infer.autoguide import AutoDelta, init_to_median, init_to_value
from torch import Tensor, nn

from ..checkpoints import load
from ..data.rows import Rows
from ..model.sites import Draw, conditioned, observed_in
from ..run import Flags, Run
from .noise import noise_parameters, tell_noise
from .objectives import Objective

MOST = 4096
"""So many rows are predicted at once."""

LOOKS = 50
"""So often in a training the rows that it does not see are looked at."""

PARTS = 5
"""One of so many parts of the rows tells the noise."""

Optimizers = tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler | None]
"""An optimizer, and what lowers its rate after each epoch."""


def fit_point(
    build_model: Callable[[int], tuple[nn.Module, Draw]],
    build_optimizer: Callable[[Any, Flags], Optimizers],
    run: Run,
    clip_norm: float = math.inf,
    *,
    prior: float = 0.0,
    unseen_noise: bool = False,
) -> tuple[nn.Module, nn.Module]:
    """A model and one value per latent: by maximum likelihood, or with this weight of the prior.

    The validation rows choose the epoch; with ``unseen_noise`` the noise scale is theirs, too.
    """
    flags, rows, validation = run.flags, run.rows, run.parts["validation"]
    torch.manual_seed(flags.seed)
    model, values = build_model(len(rows))
    point = AutoDelta(model, init_loc_fn=init_to_value(values=values, fallback=init_to_median))
    point(*rows[:2].args, **rows[:2].given)
    whole = nn.ModuleList([model, point])
    noise = noise_parameters(model, point) if unseen_noise and len(validation) else []
    held = {id(parameter) for parameter in noise}
    learned = [parameter for parameter in whole.parameters() if id(parameter) not in held]
    optimizer, schedule = build_optimizer(learned, flags)
    best, least, every = None, math.inf, math.ceil(flags.epochs / LOOKS)

    def loss_of(part: Rows) -> Tensor:
        draw = point()
        trace = conditioned(model, draw, part.args)
        loss: Tensor = -observed_in(trace, model, draw).log_prob(part.targets).mean()
        if prior and whole.training:
            nodes: dict[str, Any] = trace.nodes
            priors = [nodes[name]["fn"].log_prob(draw[name]).sum() for name in draw]
            loss = loss - prior * torch.stack(priors).sum() / len(rows)
        return loss

    for epoch in range(1, flags.epochs + 1):
        whole.train()
        for part in rows.shuffled(run.batch_size):
            loss = loss_of(part)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learned, clip_norm)
            optimizer.step()
        if schedule:
            schedule.step()
        if len(validation) and (epoch % every == 0 or epoch == flags.epochs):
            whole.eval()
            if noise:
                tell_noise(model, point, noise, validation)
            with torch.no_grad():
                nlls = [loss_of(part).item() * len(part) for part in validation.batches(MOST)]
            nll = sum(nlls) / len(validation)
            if nll < least:
                best, least = copy.deepcopy(whole.state_dict()), nll
    if best:
        whole.load_state_dict(best)
    whole.eval()
    return model, point


def without_part(run: Run, number: int, count: int) -> Run:
    """A run with a seed of its own, that leaves one of so many parts of the rows to validate on.

    Rows that are there for that are taken instead; so are none, where the rows cannot be parted.
    """
    flags = Namespace(**{**vars(run.flags), "seed": run.flags.seed + number})
    parts, rows = run.parts, run.rows
    is_whole = not isinstance(rows, Rows) or rows.uncut or len(rows) < 2 * count
    if len(parts["validation"]) or is_whole:
        return replace(run, flags=flags)
    generator = torch.Generator("cpu").manual_seed(run.flags.seed)
    part = torch.randperm(len(rows), generator=generator, device="cpu") % count
    kept, left_out = rows[part != number], rows[part == number]
    return replace(run, flags=flags, parts={**parts, "train": kept, "validation": left_out})


def hold_noise(
    objective: Objective,
    build_model: Callable[[int], tuple[nn.Module, Draw]],
    build_optimizer: Callable[[Any, Flags], Optimizers],
    run: Run,
    clip_norm: float = math.inf,
) -> None:
    """Fixes the noise of a network that has one value for most weights, where it has one.

    At what such a network leaves over in a fifth of the rows, fitted to the others: a point that
    is found with its noise goes after the rows, and the noise after it.
    """
    points = [part for part in objective.guide.modules() if isinstance(part, AutoDelta)]
    held = [noise for point in points for noise in noise_parameters(objective.model, point)]
    twin = without_part(run, 0, PARTS)
    if not held or not len(twin.parts["validation"]):
        return
    for parameter in held:
        parameter.requires_grad_(False)
    if run.flags.resume != "never" and load(run.flags.out / "last.pt"):
        return  # the checkpoint has it
    if run.flags.is_open:
        vars(twin.flags).update(is_open=False, epochs=run.flags.least, flat=0)
    with torch.random.fork_rng():
        weight = run.flags.kl_weight
        model, point = fit_point(
            build_model, build_optimizer, twin, clip_norm, prior=weight, unseen_noise=True
        )
    with torch.no_grad():
        for parameter, found in zip(held, noise_parameters(model, point), strict=True):
            parameter.copy_(found)

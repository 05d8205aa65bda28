"""What is looked at before training: whether data and network fit, and faults of the model."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyro
import torch
from pyro import poutine
from torch import Tensor, nn

from ..data.rows import Rows, is_plain
from ..errors import Abort, first_line
from ..inference.objectives import Objective
from .sites import (
    Told,
    latent_sites,
    likelihood_sites,
    module_names,
    observed,
    pinned_sites,
    prior_names,
    trace_model,
)
from .structure import describe_structure, returned_by

TURNED = torch.tensor([1, 0])
CLOSE = 1e-3
"""How far two log-probabilities of the same are apart by rounding, at most."""
ROUNDED = 1e-5
"""How far two predictions of the same are, by their size."""


@contextmanager
def refusing_inputs(inputs: tuple[Tensor, ...]) -> Iterator[None]:
    """Says of inputs that the network cannot take what shape they have."""
    try:
        yield
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, KeyError) as error:
        shapes = ", ".join(
            str(list(x.shape[1:])) if is_plain(x) else type(x).__name__ for x in inputs
        )
        why = f"the network does not take rows of shape {shapes}: {first_line(error)}"
        if len(inputs) > 1 and "positional argument" in str(error):
            why += "; svi.data.form: kept hands a mapping on as it is"
        raise Abort(2, why) from error


def check_fit(model: nn.Module, rows: Rows) -> None:
    """Refuses inputs the network cannot take, and targets it cannot predict."""
    rows = rows.known
    some = rows[:2]
    name = type(model.net).__name__
    with returned_by(model) as returned, torch.random.fork_rng(), torch.no_grad():
        try:
            with refusing_inputs(rows.inputs):
                likelihood = observed(model, {}, some.args)
        except Abort as error:
            if not returned or isinstance(returned[0], Tensor) or not rows.has_targets:
                raise
            gives = f"{name} gives {describe_structure(returned[0])}"
            raise Abort(2, f"{gives}; {error}") from None  # or the part that is taken is at fault
    if isinstance(likelihood, Told):
        check_told(model, likelihood, some)
    else:
        refuse_own_sites(model, some)
        check_targets(model, likelihood, rows)
    random = pinned_sites(model).keys() | latent_sites(model, some).keys()
    if random <= getattr(model, "_pyro_samples", {}).keys():  # those of the likelihood
        why = f"no parameter of {name} has a prior, so nothing would be learned of it"
        raise Abort(4, f"{why}; run pyroify rewrite, or give it priors in the spec")


def check_told(model: nn.Module, likelihood: Told, rows: Rows) -> None:
    """Refuses a likelihood of the project's own that does not tell of the rows."""
    nodes = trace_model(model, rows).nodes
    sites = likelihood_sites(nodes, pinned_sites(model))
    name = type(model.net).__name__
    if not sites:
        why = f"{name} observes nothing when it is called with a batch"
        raise Abort(4, f"{why}; its forward needs a pyro.sample with obs=, or a pyro.factor")
    if not any(site["cond_indep_stack"] for site in sites.values()):
        why = f"{', '.join(sites)} is in no plate, so a batch would count as all rows"
        raise Abort(4, f'{why}; put it in pyro.plate("rows", len(x))')
    for plate in (plate for site in sites.values() for plate in site["cond_indep_stack"]):
        if plate.size != plate.full_size != model.size:
            what = f"the plate {plate.name} has {plate.full_size} rows, the training {model.size}"
            print(f"{what}: a batch stands for those of the plate", file=sys.stderr)
    for log_prob in likelihood.log_probs:
        if "obs" in nodes and log_prob.shape[:1] != (len(rows),) and log_prob.dim() == 1:
            why = f"there are {len(log_prob)} log-likelihoods for {len(rows)} rows"
            raise Abort(2, f"{why}; give one of each row")


def refuse_own_sites(model: nn.Module, rows: Rows) -> None:
    """Refuses a class that samples data itself, where the script has a likelihood for it."""
    for name, site in trace_model(model, rows).nodes.items():
        is_data = site["type"] == "sample" and site["cond_indep_stack"] and name != "obs"
        if is_data and not name.startswith("net."):
            what = f"{type(model.net).__name__} samples {name} itself, in a plate"
            why = "it has a likelihood of its own"
            raise Abort(4, f"{what}: {why}; set svi.likelihood to own in the spec")


def check_targets(model: nn.Module, likelihood: Any, rows: Rows) -> None:
    """Refuses targets that the likelihood of their rows cannot be of."""
    expected, given = list(likelihood.shape()[1:]), list(rows.targets.shape[1:])
    if expected != given:
        why = f"a target has shape {given}, but the model predicts shape {expected}"
        raise Abort(2, why)
    if not rows.targets.isnan().any():  # they are missing, where the likelihood allows that
        refused = ~likelihood.support.check(rows.targets)
        if refused.any():  # but the model may leave some out of account
            at = refused.reshape(len(refused), -1).any(1)
            seen = trace_model(model, rows[at]).nodes["obs"]["value"]
            refused[at] = ~likelihood.support.check(seen)
        if refused.any():
            row = int(refused.nonzero()[0, 0])
            why = f"{int(refused.sum())} targets are not in {likelihood.support}"
            raise Abort(2, f"{why}; the first is {rows.targets[row].tolist()}, row {row}")


def check(model: nn.Module, rows: Rows) -> None:
    """Refuses a model with faults."""
    faults = audit(model, rows)
    if faults:
        raise Abort(4, "; ".join(faults))


def audit(model: nn.Module, rows: Rows) -> list[str]:
    """Faults that training would not show, one line each."""
    model.eval()
    with called_modules(model) as called:
        nodes = trace_model(model, rows).nodes
    first, second = latent_sites(model, rows), latent_sites(model, rows)
    is_by_place = depends_on_place(model, rows)
    model.train()
    faults = [
        f"{name} is sampled in one call but not in the next: is a draw cached?"
        for name in sorted(first.keys() ^ second.keys())
    ]
    for name, site in first.items():
        if site["fn"].batch_shape:
            shape = list(site["fn"].batch_shape)
            faults.append(f"{name} is drawn {shape} times: in a plate, or no to_event?")
    if is_by_place:
        why = "what is predicted of a row depends on its place in the batch"
        faults.append(f"{why}: the first axis of inputs and outputs has to be that of the rows")
    unused: dict[str, None] = {}
    is_all_known = first.keys() <= set(prior_names(model))
    for module, prefix in module_names(model).items():
        for name in getattr(module, "_pyro_samples", {}):
            full = f"{prefix}.{name}".lstrip(".")
            if name in module.__dict__ or name in module._parameters:
                faults.append(f"a plain value hides the prior of {full}")
            elif full in nodes:
                continue
            elif is_all_known and (part := uncalled_part(model, prefix, called)):
                unused[part] = None
            else:
                faults.append(f"{full} has a prior but is never sampled by that name")
    if unused:
        print(f"not called, so nothing is learned of it: {', '.join(unused)}", file=sys.stderr)
    if not pyro.settings.get("module_local_params"):
        stored = {id(p) for _, p in pyro.get_param_store().named_parameters()}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and id(parameter) not in stored:
                faults.append(f"SVI would never train {name}: its module is no PyroModule")
    return faults


@contextmanager
def called_modules(model: nn.Module) -> Iterator[set[nn.Module]]:
    """The modules whose ``forward`` runs within."""
    called: set[nn.Module] = set()
    hooks = [
        module.register_forward_pre_hook(lambda module, _: called.add(module))
        for module in model.modules()
    ]
    yield called
    for hook in hooks:
        hook.remove()


def uncalled_part(model: nn.Module, name: str, called: set[nn.Module]) -> str:
    """The largest part around a module of which nothing was called; "" if it, or one around, was.

    Such are templates that torch makes copies of, and heads that only training has.
    """
    path = name.split(".")
    for end in range(2, len(path) + 1 if path[0] == "net" else 0):
        part = ".".join(path[:end])
        if not any(module in called for module in model.get_submodule(part).modules()):
            return part
    return ""


def depends_on_place(model: nn.Module, rows: Rows) -> bool:
    """Whether two rows in another order are predicted otherwise, with all weights held."""
    rows = rows.known[:2]
    draw = latent_sites(model, rows)
    if rows.uncut or len(rows) < 2 or any(site["cond_indep_stack"] for site in draw.values()):
        return False
    values = {name: site["value"] for name, site in draw.items()}
    with torch.random.fork_rng(), torch.no_grad():
        likelihoods = [observed(model, values, r.args) for r in (rows, rows, rows[TURNED])]
        if any(isinstance(likelihood, Told) for likelihood in likelihoods):
            return False
        targets = likelihoods[0].sample()
        one, again = (likelihood.log_prob(targets) for likelihood in likelihoods[:2])
        other = likelihoods[2].log_prob(targets.flip(0)).flip(0)
        rounded = _rounding(likelihoods[0], targets, one)
    is_random = not torch.allclose(one, again, rtol=CLOSE, atol=CLOSE)
    is_other = (one - other).abs() > CLOSE * (1 + one.abs()) + rounded
    return not is_random and bool(is_other.any())


def _rounding(likelihood: Any, targets: Tensor, one: Tensor) -> Tensor:
    """How far log-likelihoods move where what is predicted is rounded: far, if it is large.

    A prior may well predict billions, of which a sum in another order leaves out thousands.
    """
    near = targets * (1 - ROUNDED)
    if not likelihood.support.check(near).all():  # whole numbers, shares that sum to one
        return torch.zeros_like(one)
    moved: Tensor = (likelihood.log_prob(near) - one).abs()
    return moved


def print_check(model: nn.Module, rows: Rows) -> None:
    """The range of the targets beside that of the prior, and the latent sites."""
    rows = rows.known
    if rows.has_targets:
        expected = describe_range(prior_predictive(model, rows[:500]))
        print(f"nine tenths of the targets lie in {describe_range(rows.targets)},")
        print(f"of those that the prior expects in {expected}")
    else:
        expected = describe_range(prior_log_likelihood(model, rows[:500]))
        print(f"nine tenths of the log-likelihoods under the prior lie in {expected}")
    print(f"no faults; latent: {', '.join(latent_sites(model, rows[:2]))}")


def prior_predictive(model: nn.Module, rows: Rows) -> Tensor:
    """Targets as 100 draws of the prior have them: [draws, rows, ...]."""
    pinned = poutine.condition(data=pinned_sites(model))  # these were observed, and stay
    with torch.no_grad(), pinned, poutine.uncondition():
        draws = [model(*rows.args, **rows.given) for _ in range(100)]
    return torch.stack(draws)


def prior_log_likelihood(model: nn.Module, rows: Rows) -> Tensor:
    """Of each row, as 100 draws of the prior have it: [draws, rows]."""
    with torch.no_grad():
        draws = [observed(model, {}, rows.args).log_prob(rows.targets) for _ in range(100)]
    return torch.stack(draws)


def describe_range(values: Tensor) -> str:
    """The middle nine tenths, for people."""
    flat = values[values.isfinite()].double().flatten().cpu().numpy()
    low, high = np.quantile(flat, [0.05, 0.95])
    return f"{low:.3g} to {high:.3g}"


def refuse_infinite(loss: Tensor, objective: Objective, rows: Rows) -> None:
    """Ends a training the loss of which is no longer finite."""
    if not loss.isfinite():
        names = ", ".join(bad_sites(objective, rows)) or "the gradients"
        raise Abort(3, f"the loss is not finite; look at {names}, or try a smaller --lr")


def bad_sites(objective: Objective, rows: Rows) -> list[str]:
    """The sites whose log-probability is not finite under a draw of the guide."""
    with torch.no_grad():
        draw = objective.guide()
        with poutine.trace() as traced, poutine.condition(data=draw):
            objective.model(*rows.args, **rows.given)
    traced.trace.compute_log_prob()
    sites: dict[str, Any] = {n: s for n, s in traced.trace.nodes.items() if "log_prob_sum" in s}
    return [name for name, site in sites.items() if not site["log_prob_sum"].isfinite()]

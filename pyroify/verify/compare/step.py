"""One step of variational inference with a rewritten module: is there anything to learn from?"""

from __future__ import annotations

from collections.abc import Mapping

import pyro
import torch
from pyro import distributions as dist
from pyro.infer import Trace_ELBO
from pyro.infer.autoguide import AutoNormal, init_to_feasible, init_to_value
from torch import Tensor, nn

from pyroify.verify.compare.outputs import tensors
from pyroify.verify.compare.run import Call, Run, describe, invoke


def svi_step(
    rewritten: nn.Module, call: Call, pinned: Mapping[str, Tensor], after: Run
) -> tuple[str, ...]:
    """Take one step with a mean-field guide around the old weights. Changes the module's state.

    Says what the step raises or leaves infinite. There is no step where nothing is random, where
    nothing continuous comes out, and where a latent is discrete.
    """
    latents, means = after.latents(), tensors(after.output)
    if not latents or any(site["fn"].has_enumerate_support for site in latents.values()):
        return ()
    if not means or not all(mean.isfinite().all() for _, mean in means):
        return ()
    start = {
        name: pinned[name].detach()
        for name, site in latents.items()
        if name in pinned and site["fn"].support.check(pinned[name]).all()
    }
    try:
        return _step(rewritten, call, start)
    except Exception as error:
        return (f"one step of SVI raises {describe(error)}",)


def _step(module: nn.Module, call: Call, start: dict[str, Tensor]) -> tuple[str, ...]:
    def model() -> None:
        for name, mean in tensors(invoke(module, call)):
            law = dist.Normal(mean, mean.detach().abs().clamp(min=1.0)).to_event(mean.dim())
            pyro.sample(f"observed {name}", law, obs=torch.zeros_like(mean))

    where = init_to_value(values=start, fallback=init_to_feasible)
    guide = AutoNormal(model, init_loc_fn=where, init_scale=0.01)
    with pyro.get_param_store().scope():
        loss = Trace_ELBO().differentiable_loss(model, guide)
        loss.backward()
    if not loss.isfinite():
        return (f"one step of SVI gives the loss {loss.item()}",)
    return tuple(
        f"one step of SVI gives {name} a gradient that is not finite"
        for name, parameter in guide.named_parameters()
        if parameter.grad is None or not parameter.grad.isfinite().all()
    )

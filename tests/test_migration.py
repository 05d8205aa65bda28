"""Migrated scripts define the densities that they defined by lifting, and train.

Fixtures under ``tests/fixtures/migration`` show the text; here old and new scripts run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from test_fixtures import FIXTURES, Case, imported, lay_out

pyro = pytest.importorskip("pyro")
torch = pytest.importorskip("torch")

from pyro import poutine  # noqa: E402
from pyro.infer import SVI, Trace_ELBO  # noqa: E402
from pyro.infer.autoguide import AutoNormal  # noqa: E402
from pyro.optim import Adam  # noqa: E402

X = torch.linspace(-1.0, 1.0, 15).reshape(5, 3)
Y = torch.linspace(0.0, 1.0, 5)

MODELS = {
    "random_module_spec": ("random_module_spec", lambda script: script.model),
    "instance_named": ("instance_named", lambda script: script.model),
    "instance_loop": ("instance_loop", lambda script: script.model),
    "two_files": ("train", lambda script: script.Regression().model),
}
GUIDES = {
    "instance_loop": ("instance_loop", lambda script: script.guide),
    "two_files": ("train", lambda script: script.Regression().guide),
}
NEW_ONLY = {
    "sequential": ("sequential", lambda script: script.Regression(4).model),
    "function_prior": ("function_prior", lambda script: script.model),
}
"""Lifting an nn.Module did nothing, and the prior as a function never ran."""


@pytest.fixture(autouse=True)
def _empty_store() -> None:
    pyro.clear_param_store()


@contextmanager
def script(root: Path, case: str, kind: str, module: str) -> Iterator[ModuleType]:
    """The script before (``in``) or after (``out``), its networks with the same weights."""
    folder = FIXTURES / "migration"
    found = Case(folder, case, is_folder=(folder / f"{case}.in").is_dir())
    lay_out(root / kind, found.sources if kind == "in" else found.expected)
    torch.manual_seed(0)
    with imported(root / kind, module) as made:
        yield made


def drawn(trace: Any) -> dict[str, Any]:
    """The latent values of a trace, under the names that sites have without lifting."""
    return {
        name.removeprefix("module$$$"): site["value"]
        for name, site in trace.nodes.items()
        if site["type"] == "sample" and not site["is_observed"] and hasattr(site["fn"], "sample")
        if type(site["fn"]).__name__ != "_Subsample"
    }


@pytest.mark.parametrize("case", MODELS)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_model_has_the_density_it_had(case: str, tmp_path: Path) -> None:
    module, model_of = MODELS[case]
    with pyro.validation_enabled(False), script(tmp_path, case, "in", module) as old:
        before = poutine.trace(model_of(old)).get_trace(X, Y)
        values = drawn(before)
        expected = before.log_prob_sum()
    pyro.clear_param_store()
    with script(tmp_path, case, "out", module) as new:
        free = poutine.trace(model_of(new)).get_trace(X, Y)
        after = poutine.trace(poutine.condition(model_of(new), values)).get_trace(X, Y)
    assert drawn(free).keys() == values.keys()
    assert torch.allclose(after.log_prob_sum(), expected)
    assert torch.allclose(after.nodes["obs"]["fn"].mean, before.nodes["obs"]["fn"].mean)


@pytest.mark.parametrize("case", GUIDES)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_guide_draws_and_returns_what_it_did(case: str, tmp_path: Path) -> None:
    module, guide_of = GUIDES[case]
    with script(tmp_path, case, "in", module) as old:
        before = poutine.trace(guide_of(old)).get_trace(X, Y)
        values = drawn(before)
        predicted = before.nodes["_RETURN"]["value"](X)
    with script(tmp_path, case, "out", module) as new:
        after = poutine.trace(poutine.condition(guide_of(new), values)).get_trace(X, Y)
        free = poutine.trace(guide_of(new)).get_trace(X, Y)
        sampled = free.nodes["_RETURN"]["value"]
        assert torch.equal(after.nodes["_RETURN"]["value"](X), predicted)
        assert torch.equal(sampled(X), sampled(X))
    assert drawn(free).keys() == values.keys()
    assert torch.allclose(after.log_prob_sum(), before.log_prob_sum())


@pytest.mark.parametrize("case", MODELS | NEW_ONLY)
def test_migrated_model_trains(case: str, tmp_path: Path) -> None:
    module, model_of = (MODELS | NEW_ONLY)[case]
    with script(tmp_path, case, "out", module) as new:
        model = model_of(new)
        svi = SVI(model, AutoNormal(model), Adam({"lr": 0.01}), Trace_ELBO())
        assert svi.step(X, Y) < float("inf")
        assert any("weight" in name for name in pyro.get_param_store())


@pytest.mark.parametrize("case", GUIDES)
def test_migrated_guide_trains_its_model(case: str, tmp_path: Path) -> None:
    module, guide_of = GUIDES[case]
    with script(tmp_path, case, "out", module) as new:
        guide = guide_of(new)
        model = getattr(guide, "__self__", new).model
        svi = SVI(model, guide, Adam({"lr": 0.05}), Trace_ELBO())
        losses = [svi.step(X, Y) for _ in range(60)]
    assert sum(losses[-10:]) < sum(losses[:10])

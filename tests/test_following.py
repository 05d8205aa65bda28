"""Priors that follow their module: what is written into rewritten files, and the files."""

import ast
import copy
import importlib
import io
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("pyro")

import pyro  # noqa: E402
import pyro.distributions as dist  # noqa: E402
from pyro.nn import PyroModule, PyroSample  # noqa: E402
from test_catalog_distributions import ROWS, build  # noqa: E402
from torch import nn  # noqa: E402

from pyroify.code.following import FOLLOW_MODULE, FOLLOWING  # noqa: E402


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module that holds the class, as a rewritten file does: it can be pickled by name."""
    imports = "import copy\n\nimport torch\nfrom pyro.nn import PyroSample\n"
    names = {"torch": "torch", "copy": "copy", "sample": "PyroSample"}
    names |= {"following": "Following", "follow_module": "follow_module"}
    source = "\n\n".join(text.format(**names) for text in (imports, FOLLOWING, FOLLOW_MODULE))
    (tmp_path / "written.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield importlib.import_module("written")
    del sys.modules["written"]


def random_layer(written: ModuleType) -> nn.Module:
    layer = PyroModule[nn.Linear](3, 4)
    layer.weight = PyroSample(dist.Normal(0.1, 2.0).expand([4, 3]).to_event(2))
    layer.bias = PyroSample(dist.Normal(0.1, 2.0).expand([4]).to_event(1))
    written.follow_module(layer)
    return layer


FIXTURES = sorted((Path(__file__).parent / "fixtures" / "options").glob("follow_module*.out.py"))


@pytest.fixture(params=FIXTURES, ids=lambda path: path.name.partition(".")[0])
def rewritten(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModuleType]:
    """A rewritten file of the fixtures, as a module."""
    (tmp_path / "rewritten.py").write_text(request.param.read_text())
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield importlib.import_module("rewritten")
    del sys.modules["rewritten"]


def models_of(module: ModuleType) -> list[tuple[nn.Module, tuple[Any, ...]]]:
    examples = module.examples().values() if hasattr(module, "examples") else [module.example]
    return [build() for build in examples]


def random_values(model: nn.Module, args: tuple[Any, ...]) -> dict[str, Any]:
    nodes = pyro.poutine.trace(model).get_trace(*args).nodes
    return {name: node["value"] for name, node in nodes.items() if node["type"] == "sample"}


def saved_and_loaded(layer: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


TO_COPY = [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module)), saved_and_loaded]


@pytest.mark.parametrize("duplicate", TO_COPY, ids=["deepcopy", "pickle", "torch.save"])
def test_rewritten_classes_follow_and_so_do_their_copies(
    rewritten: ModuleType, duplicate: Any
) -> None:
    for model, args in models_of(rewritten):
        twin = duplicate(model).double()
        draws = random_values(twin, tuple(value.double() for value in args))
        assert {value.dtype for value in draws.values()} <= {torch.float64}
        assert {value.dtype for value in random_values(model, args).values()} <= {torch.float32}


def test_rewritten_classes_have_the_state_dict_of_those_that_do_not_follow(
    rewritten: ModuleType,
) -> None:
    for model, _ in models_of(rewritten):
        buffers = [name for name, _ in model.named_buffers() if name.endswith("_prior_anchor")]
        assert not set(buffers) & model.state_dict().keys()
        plain = copy.deepcopy(model)
        for module in plain.modules():
            module._buffers.pop("_prior_anchor", None)
        assert plain.state_dict().keys() == model.state_dict().keys()


def test_rewritten_files_import_torch_and_pyro_only() -> None:
    for path in FIXTURES:
        tree = ast.parse(path.read_text())
        imported = {
            (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).split(".")[0]
            for node in tree.body
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        assert imported <= {"copy", "functools", "torch", "pyro", "warnings"}


WRONG_IN_TORCH = {"GeneralizedPareto"}
"""Distributions whose log_prob mixes single precision into any other."""


@ROWS
def test_every_distribution_moves(row: Any, written: ModuleType) -> None:
    torch.manual_seed(0)
    prior = build(row).expand([2]).to_event(1)
    moved = written.Following(prior, torch.float32).move(prior, "cpu", torch.float64)
    value = prior.sample()
    wide = value.double() if value.is_floating_point() else value
    assert moved.sample().dtype == wide.dtype
    assert (moved.batch_shape, moved.event_shape) == (prior.batch_shape, prior.event_shape)
    if row.name not in WRONG_IN_TORCH:
        assert moved.log_prob(wide).item() == pytest.approx(prior.log_prob(value).item(), abs=1e-3)


def test_draws_have_the_dtype_and_device_of_the_module(written: ModuleType) -> None:
    layer = random_layer(written)
    assert layer.weight.dtype == torch.float32
    assert layer.double().weight.dtype == torch.float64
    assert layer.half().bias.dtype == torch.float16
    assert layer.float()(torch.ones(2, 3)).dtype == torch.float32
    layer.to("meta")
    assert layer.weight.device.type == layer(torch.ones(2, 3, device="meta")).device.type == "meta"
    layer.to_empty(device="cpu")
    assert layer(torch.ones(2, 3)).isfinite().all()


def test_the_first_dtype_is_that_of_what_is_kept(written: ModuleType) -> None:
    layer = PyroModule[nn.Linear](3, 4, dtype=torch.float64)
    layer.weight = PyroSample(dist.Normal(0.0, 1.0).expand([4, 3]).to_event(2))
    written.follow_module(layer)
    assert layer.weight.dtype == torch.float64


def test_a_prior_in_a_dtype_of_its_own_keeps_it(written: ModuleType) -> None:
    layer = PyroModule[nn.Linear](3, 4)
    layer.weight = PyroSample(dist.Normal(torch.tensor(0.0).double(), 1.0).expand([4, 3]))
    written.follow_module(layer)
    assert layer.weight.dtype == torch.float64
    assert layer.half().weight.dtype == torch.float16


def test_a_second_call_changes_nothing(written: ModuleType) -> None:
    layer = random_layer(written)
    prior = layer._pyro_samples["weight"]
    written.follow_module(layer)
    assert layer._pyro_samples["weight"] is prior


def test_a_round_trip_loses_nothing(written: ModuleType) -> None:
    layer = random_layer(written)
    layer.half()(torch.ones(2, 3).half())
    layer.double()
    prior = layer._pyro_samples["weight"](layer)
    assert prior.mean[0, 0].item() == torch.tensor(0.1).double().item()


def test_an_expanded_prior_takes_no_memory(written: ModuleType) -> None:
    moved = random_layer(written).double()
    prior = moved._pyro_samples["weight"](moved).base_dist
    assert prior.loc.shape == (4, 3)
    assert prior.loc.untyped_storage().nbytes() == prior.scale.untyped_storage().nbytes() == 8


def test_it_is_moved_once(written: ModuleType) -> None:
    layer = random_layer(written).double()
    prior = layer._pyro_samples["weight"]
    assert prior(layer) is prior(layer)


def test_it_adds_nothing_to_the_state_dict(written: ModuleType) -> None:
    layer = random_layer(written)
    assert list(layer.state_dict()) == []
    assert list(layer.parameters()) == []
    layer.load_state_dict({})


@pytest.mark.parametrize("duplicate", TO_COPY, ids=["deepcopy", "pickle", "torch.save"])
def test_copies_follow_by_themselves(written: ModuleType, duplicate: Any) -> None:
    layer = random_layer(written)
    twin = duplicate(layer).double()
    assert twin.weight.dtype == torch.float64
    assert layer.weight.dtype == torch.float32

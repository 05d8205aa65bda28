"""The comparison passes right conversions and flags wrong ones; all pairs are written by hand."""

from __future__ import annotations

import functools
import sys
from collections import namedtuple

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
import torch.nn.functional as F
from pyro.nn import PyroModule, PyroParam, PyroSample, pyro_method
from pyro.nn.module import to_pyro_module_
from torch import nn

from pyroify.verify.compare import audit, sites
from pyroify.verify.compare.draws import SameDraws
from pyroify.verify.compare.outputs import difference
from pyroify.verify.compare.pin import Comparison, OriginalError, Site, compare, pin
from pyroify.verify.making.size import SizeLimit


def normal(parameter: torch.Tensor) -> PyroSample:
    return PyroSample(dist.Normal(0.0, 1.0).expand(parameter.shape).to_event(parameter.dim()))


def built(cls: type[nn.Module], *args: object) -> nn.Module:
    torch.manual_seed(7)
    return cls(*args)


def compared(
    original: type[nn.Module], rewritten: type[nn.Module], *args: object, method: str = "forward"
) -> Comparison:
    return compare(built(original), built(rewritten), args, method=method)


@pytest.fixture(params=[False, True], ids=["global", "local"], autouse=True)
def _both_parameter_modes(request):
    with pyro.settings.context(module_local_params=request.param):
        yield


# Right conversions


class MLP(nn.Module):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.fc1 = nn.Linear(3, width)
        self.fc2 = nn.Linear(width, 2)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))


class BayesMLP(PyroModule):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.fc1 = PyroModule[nn.Linear](3, width)
        self.fc1.weight = PyroSample(dist.Normal(0.0, 1.0).expand([width, 3]).to_event(2))
        self.fc1.bias = PyroSample(dist.Normal(0.0, 1.0).expand([width]).to_event(1))
        self.fc2 = PyroModule[nn.Linear](width, 2)
        self.fc2.weight = PyroSample(dist.Normal(0.0, 1.0).expand([2, width]).to_event(2))

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))


class Scaled(nn.Module):
    """A parameter of its own, with its own initialisation, and a second entry point."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(2, 3))
        self.scale = nn.Parameter(torch.ones(2))
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.normal_(self.weight)

    def forward(self, x):
        return self.encode(x) * self.scale

    def encode(self, x):
        return x @ self.weight.t()


class BayesScaled(PyroModule):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(2, 3))
        self.scale = PyroParam(torch.ones(2), constraint=dist.constraints.positive)
        self.reset_parameters()
        self.weight = normal(self.weight)

    def reset_parameters(self):
        nn.init.normal_(self.weight)

    def forward(self, x):
        return self.encode(x) * self.scale

    @pyro_method
    def encode(self, x):
        return x @ self.weight.t()


class Stack(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.LayerNorm(4), nn.Linear(4, 2)
        )

    def forward(self, x):
        return {"logits": self.net(x)}


class BayesStack(PyroModule):
    def __init__(self) -> None:
        super().__init__()
        self.net = PyroModule[nn.Sequential](
            PyroModule[nn.Linear](3, 4),
            PyroModule[nn.BatchNorm1d](4),
            nn.Dropout(0.5),
            PyroModule[nn.LayerNorm](4),
            PyroModule[nn.Linear](4, 2),
        )
        for layer in (self.net[0], self.net[4]):
            layer.weight, layer.bias = normal(layer.weight), normal(layer.bias)

    def forward(self, x):
        return {"logits": self.net(x)}


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.lstm = nn.LSTM(3, 4, batch_first=True)

    def forward(self, tokens):
        return self.lstm(self.embedding(tokens))


class BayesRecurrent(PyroModule):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = PyroModule[nn.Embedding](5, 3)
        self.embedding.weight = normal(self.embedding.weight)
        self.lstm = PyroModule[nn.LSTM](3, 4, batch_first=True)
        for name, parameter in list(self.lstm.named_parameters()):
            setattr(self.lstm, name, normal(parameter))

    def forward(self, tokens):
        return self.lstm(self.embedding(tokens))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enc = nn.Linear(3, 3)
        self.dec = nn.Linear(3, 3)
        self.dec.weight = self.enc.weight

    def forward(self, x):
        return self.dec(torch.tanh(self.enc(x)))


def weight_of_encoder(decoder: nn.Module) -> torch.Tensor:
    return decoder.tied[0].weight


class BayesTied(PyroModule):
    def __init__(self) -> None:
        super().__init__()
        self.enc = PyroModule[nn.Linear](3, 3)
        self.dec = PyroModule[nn.Linear](3, 3)
        self.dec.weight = self.enc.weight
        self.enc.weight = normal(self.enc.weight)
        self.dec.tied = (self.enc,)
        self.dec.weight = PyroSample(functools.partial(weight_of_encoder))

    def forward(self, x):
        return self.dec(torch.tanh(self.enc(x)))


class Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([MLP(), Scaled()])
        self.frozen = nn.Parameter(torch.ones(2), requires_grad=False)

    def forward(self, x):
        return [block(x) + self.frozen for block in self.blocks]


class BayesNested(PyroModule):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = PyroModule[nn.ModuleList]([BayesMLP(), BayesScaled()])
        self.register_buffer("frozen", torch.ones(2))

    def forward(self, x):
        return [block(x) + self.frozen for block in self.blocks]


class Hierarchical(PyroModule):
    def __init__(self) -> None:
        super().__init__()
        self.enc = PyroModule[nn.Linear](3, 3)
        self.dec = PyroModule[nn.Linear](3, 3)
        self.dec.weight = self.enc.weight
        self.enc.tau = PyroSample(dist.HalfCauchy(1.0))
        self.enc.weight = PyroSample(functools.partial(scaled_by_tau))
        self.dec.tied = (self.enc,)
        self.dec.weight = PyroSample(functools.partial(weight_of_encoder))

    def forward(self, x):
        return F.dropout(self.dec(torch.tanh(self.enc(x))), 0.5, self.training)


def scaled_by_tau(layer: PyroModule) -> dist.Distribution:
    return dist.Normal(0.0, layer.tau).expand([3, 3]).to_event(2)


class NoBias(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2, bias=False)

    def forward(self, x):
        return self.fc(x)


class NonCentred(PyroModule):
    """The latent is noise; the weight is computed from it."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = PyroModule[nn.Linear](3, 2, bias=False)
        self.fc.weight_noise = PyroSample(dist.Normal(0.0, 1.0).expand([2, 3]).to_event(2))
        self.fc.weight = PyroSample(functools.partial(twice_the_noise))

    def forward(self, x):
        return self.fc(x)


def twice_the_noise(layer: nn.Module) -> torch.Tensor:
    return 2.0 * layer.weight_noise


class Sparse(MLP):
    """Buffers and tensors of layouts that torch itself does not compare."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("heads", torch.eye(2).bool().to_sparse(), persistent=False)
        self.register_buffer("rows", torch.eye(2).to_sparse_csr())
        self.kept = torch.eye(2).to_sparse()


class BayesSparse(BayesMLP):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("heads", torch.eye(2).bool().to_sparse(), persistent=False)
        self.register_buffer("rows", torch.eye(2).to_sparse_csr())
        self.kept = torch.eye(2).to_sparse()


class TiedWithDropout(Tied):
    def forward(self, x):
        return F.dropout(super().forward(x), 0.5, self.training)


TOKENS = torch.tensor([[0, 1, 4], [2, 2, 3]])
ROWS = torch.linspace(-1, 1, 15).reshape(5, 3)
RIGHT = {
    "linear layers": (MLP, BayesMLP, ROWS),
    "own parameter and PyroParam": (Scaled, BayesScaled, ROWS),
    "sequential, batch norm, dropout": (Stack, BayesStack, ROWS),
    "embedding and lstm": (Recurrent, BayesRecurrent, TOKENS),
    "tied weights": (Tied, BayesTied, ROWS),
    "nested classes, frozen parameter": (Nested, BayesNested, ROWS),
    "hierarchical prior beside dropout": (TiedWithDropout, Hierarchical, ROWS),
    "weight computed from noise": (NoBias, NonCentred, ROWS),
    "unchanged class": (MLP, MLP, ROWS),
    "sparse buffers": (Sparse, BayesSparse, ROWS),
}


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize(("original", "rewritten", "x"), RIGHT.values(), ids=RIGHT.keys())
def test_right_conversion_is_equal(original, rewritten, x, training):
    comparison = compare(built(original).train(training), built(rewritten), (x,))
    assert comparison.problems == ()
    assert comparison.equal
    assert comparison.max_difference == 0.0


def test_sites_have_the_shapes_of_the_old_parameters():
    assert compared(MLP, BayesMLP, ROWS).sites == {
        "fc1.weight": Site((4, 3), 2),
        "fc1.bias": Site((4,), 1),
        "fc2.weight": Site((2, 4), 2),
    }


def test_tied_names_are_one_site():
    assert set(compared(Tied, BayesTied, ROWS).sites) == {"enc.weight"}


def test_other_entry_points_are_compared():
    comparison = compared(Scaled, BayesScaled, ROWS, method="encode")
    assert comparison.equal, comparison.problems
    assert set(comparison.sites) == {"weight"}


def test_a_second_comparison_finds_the_same():
    original, rewritten = built(Stack), built(BayesStack)
    first = compare(original, rewritten, (ROWS,))
    assert compare(original, rewritten, (ROWS,)) == first


def test_pin_returns_old_values_by_dotted_path():
    original, rewritten = built(MLP), built(BayesMLP)
    values = pin(original, rewritten)
    assert set(values) == {"fc1.weight", "fc1.bias", "fc2.weight"}
    assert torch.equal(values["fc1.weight"], original.fc1.weight)
    assert torch.equal(rewritten.fc2.bias, original.fc2.bias)


def test_comparison_leaves_random_numbers_and_param_store_alone():
    pyro.get_param_store().clear()
    torch.manual_seed(3)
    wanted = torch.rand(3)
    torch.manual_seed(3)
    compare(MLP(), BayesMLP(), (ROWS,))
    torch.manual_seed(3)
    modules = MLP(), BayesMLP()
    state = torch.get_rng_state()
    compare(*modules, (ROWS,))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(3)
    assert torch.equal(torch.rand(3), wanted)
    assert len(pyro.get_param_store()) == 0


def test_what_the_original_raises_is_raised():
    with pytest.raises(OriginalError, match="RuntimeError: mat1 and mat2 shapes"):
        compared(MLP, BayesMLP, torch.ones(5, 7))


# Wrong conversions: each is silent, or loud only in training


class OtherFunction(BayesMLP):
    def forward(self, x):
        return self.fc2(torch.sigmoid(self.fc1(x)))


class Raising(BayesMLP):
    def forward(self, x):
        raise KeyError("weight")


class ShadowedPrior(BayesMLP):
    def __init__(self) -> None:
        super().__init__()
        self.fc1.bias = torch.zeros(4)


class WrongName(PyroModule):
    """A plain container between the root and the priors: the prefix is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(3, 4)
        self.fc2 = nn.Linear(4, 2)
        self.fc1 = PyroModule[nn.Linear](3, 4)
        self.holder = nn.Sequential(PyroModule[nn.Linear](4, 2))
        self.holder[0].weight = normal(self.holder[0].weight)
        del self.fc2

    def forward(self, x):
        return self.holder(F.relu(self.fc1(x)))


class PlainContainer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))

    def forward(self, x):
        return self.net(x)


class PrefixLost(PyroModule):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(PyroModule[nn.Linear](3, 4), nn.Linear(4, 2))
        self.net[0].weight = normal(self.net[0].weight)

    def forward(self, x):
        return self.net(x)


class PlainLayerInPyroContainer(PyroModule):
    def __init__(self) -> None:
        super().__init__()
        self.net = PyroModule[nn.Sequential](PyroModule[nn.Linear](3, 4), nn.Linear(4, 2))
        self.net[0].weight = normal(self.net[0].weight)

    def forward(self, x):
        return self.net(x)


class ThroughData(BayesMLP):
    def forward(self, x):
        return self.fc2(F.relu(F.linear(x, self.fc1.weight.data, self.fc1.bias)))


class DroppedParameter(BayesMLP):
    """The bias is a constant now; it started at the same value."""

    def __init__(self) -> None:
        super().__init__()
        bias = self.fc2.bias.detach().clone()
        del self.fc2.bias
        self.fc2.bias = None
        self.constant = bias

    def forward(self, x):
        return super().forward(x) + self.constant


class ZeroBias(MLP):
    def __init__(self) -> None:
        super().__init__()
        nn.init.zeros_(self.fc2.bias)


class DroppedZeroBias(BayesMLP):
    def __init__(self) -> None:
        super().__init__()
        self.fc2.bias = None


class Frozen(MLP):
    def __init__(self) -> None:
        super().__init__()
        self.fc2.bias.requires_grad_(False)


class Unfrozen(BayesMLP):
    pass


class MissingEventDims(BayesMLP):
    def __init__(self) -> None:
        super().__init__()
        self.fc1.weight = PyroSample(dist.Normal(0.0, 1.0).expand([4, 3]))


class TransposedPrior(BayesMLP):
    def __init__(self) -> None:
        super().__init__()
        self.fc1.weight = PyroSample(dist.Normal(0.0, 1.0).expand([3, 4]).to_event(2))


class DoublePrior(BayesMLP):
    def __init__(self) -> None:
        super().__init__()
        wide = torch.zeros(4, 3, dtype=torch.float64)
        self.fc1.weight = PyroSample(dist.Normal(wide, 1.0).to_event(2))


class UntracedMethod(BayesScaled):
    def encode(self, x):
        return x @ self.weight.t()


class TiedTwice(PyroModule):
    def __init__(self) -> None:
        super().__init__()
        self.enc = PyroModule[nn.Linear](3, 3)
        self.dec = PyroModule[nn.Linear](3, 3)
        self.enc.weight = normal(self.enc.weight)
        self.dec.weight = normal(self.dec.weight)

    def forward(self, x):
        return self.dec(torch.tanh(self.enc(x)))


class TiedHalf(TiedTwice):
    def __init__(self) -> None:
        super().__init__()
        self.dec.weight = nn.Parameter(torch.zeros(3, 3))


class TiedByClosure(TiedTwice):
    """Right until it is copied: the copy's decoder still reads the encoder of the first."""

    def __init__(self) -> None:
        super().__init__()
        encoder = self.enc
        self.dec.weight = PyroSample(lambda decoder: encoder.weight)


class AddedBias(PyroModule):
    def __init__(self) -> None:
        super().__init__()
        self.fc = PyroModule[nn.Linear](3, 2, bias=False)
        self.fc.bias = PyroSample(dist.Normal(0.0, 1.0).expand([2]).to_event(1))

    def forward(self, x):
        return self.fc(x)


class InPlace(BayesMLP):
    def forward(self, x):
        self.fc1.weight.data.clamp_(-0.1, 0.1)
        return super().forward(x)


class Clamped(MLP):
    def forward(self, x):
        self.fc1.weight.data.clamp_(-0.1, 0.1)
        return super().forward(x)


class OutsideConstraint(BayesScaled):
    def __init__(self) -> None:
        super().__init__()
        self.scale = PyroParam(torch.full((2,), 3.0), dist.constraints.greater_than(2.0))


class NamedRoot(PyroModule):
    def __init__(self) -> None:
        super().__init__("net")
        self.fc1 = PyroModule[nn.Linear](3, 4)
        self.fc1.weight = normal(self.fc1.weight)
        self.fc2 = PyroModule[nn.Linear](4, 2)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))


class ByLambda(BayesMLP):
    def __init__(self) -> None:
        super().__init__()
        self.fc1.bias = PyroSample(lambda self: dist.Normal(0.0, 1.0).expand([4]).to_event(1))


class NotPicklable(BayesMLP):
    def __init__(self) -> None:
        super().__init__()
        self.fc1.on_change = lambda: None


class FlatPrior(BayesMLP):
    """Nothing can be learnt about a weight whose prior has no density."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1.bias = PyroSample(dist.Delta(torch.zeros(4)).to_event(1))


WRONG = {
    "another function": (MLP, OtherFunction, "output differs by"),
    "raises": (MLP, Raising, "raises KeyError: 'weight'"),
    "shadowed prior": (MLP, ShadowedPrior, "the prior of fc1.bias is hidden"),
    "parameter moved to another path": (MLP, WrongName, "fc2.weight vanished"),
    "prefix lost in a plain container": (PlainContainer, PrefixLost, "a latent is drawn as"),
    "plain layer in a PyroModule container": (
        PlainContainer,
        PlainLayerInPyroContainer,
        "net.1 is a plain Linear in a PyroModule container",
    ),
    "read through .data": (MLP, ThroughData, "fc1.weight gets no gradient any more"),
    "dropped parameter": (MLP, DroppedParameter, "fc2.bias vanished"),
    "dropped parameter that was zero": (ZeroBias, DroppedZeroBias, "fc2.bias vanished"),
    "unfrozen parameter": (Frozen, Unfrozen, "requires_grad of fc2.bias was False, is True"),
    "missing event dims": (MLP, MissingEventDims, "fc1.weight has batch_shape (4, 3), not ()"),
    "transposed prior": (MLP, TransposedPrior, "fc1.weight has shape (3, 4), not (4, 3)"),
    "prior of another dtype": (MLP, DoublePrior, "draws torch.float64, not torch.float32"),
    "tie that became two latents": (Tied, TiedTwice, "enc.weight and dec.weight were one"),
    "tie that kept a free parameter": (Tied, TiedHalf, "enc.weight and dec.weight were one"),
    "prior where there was no bias": (NoBias, AddedBias, "fc.bias has a prior, but was None"),
    "draw changed in place": (Clamped, InPlace, "the draws changed in place"),
    "value outside its constraint": (Scaled, OutsideConstraint, "scale cannot hold its old value"),
    "named root": (MLP, NamedRoot, "a latent is drawn as 'net.fc1.weight'"),
    "not picklable": (MLP, NotPicklable, "pickle fails"),
    "no density": (MLP, FlatPrior, "one step of SVI"),
}


@pytest.mark.parametrize(("original", "rewritten", "problem"), WRONG.values(), ids=WRONG.keys())
def test_wrong_conversion_is_flagged(original, rewritten, problem):
    comparison = compared(original, rewritten, ROWS)
    assert not comparison.equal
    assert any(problem in found for found in comparison.problems), comparison.problems


def test_a_prior_by_lambda_is_equal_but_for_pickling():
    comparison = compared(MLP, ByLambda, ROWS)
    assert comparison.equal, comparison.problems
    assert comparison.left_out == ("pickle",)


def test_untraced_method_is_flagged():
    comparison = compared(Scaled, UntracedMethod, ROWS, method="encode")
    assert not comparison.equal
    assert any("weight is used, but not drawn" in found for found in comparison.problems)


def test_tie_through_a_closure_is_lost_in_a_copy():
    comparison = compared(Tied, TiedByClosure, ROWS)
    assert not comparison.equal
    assert any(found.startswith("after copy.deepcopy") for found in comparison.problems)


class StaysFrozen(BayesMLP):
    def __init__(self) -> None:
        super().__init__()
        self.fc2.bias.requires_grad_(False)


def test_frozen_parameter_thaws_only_in_the_global_store():
    comparison = compared(Frozen, StaysFrozen, ROWS)
    assert comparison.equal == pyro.settings.get("module_local_params")


# Outputs

Pair = namedtuple("Pair", "left right")


def test_nested_outputs_differ_where_one_leaf_differs():
    def output(shift: float):
        return {"a": Pair(torch.ones(2), [np.ones(2) + shift]), "b": None}

    assert difference(output(0.0), output(0.0)).mismatches == ()
    assert difference(output(0.0), output(0.5)).maximum == 0.5
    (mismatch,) = difference(output(0.0), output(0.5)).mismatches
    assert mismatch.startswith("output['a'][1][0] differs by 0.5")


def test_distributions_are_compared_by_their_parameters():
    laws = [dist.Normal(torch.zeros(2), scale).to_event(1) for scale in (1.0, 2.0)]
    assert difference(laws[0], laws[0]).mismatches == ()
    assert any("scale" in mismatch for mismatch in difference(*laws).mismatches)


def test_rounding_is_relative_to_the_largest_value():
    small, large = torch.tensor([1e-4, 2e-4]), torch.tensor([1e4, 2e4])
    assert difference(large, large + 1e-3).mismatches == ()
    assert difference(small, small + 1e-6).mismatches != ()


def test_memory_that_was_given_back_is_not_read():
    freed, held = torch.zeros(3), torch.zeros(3)
    freed.untyped_storage().resize_(0)
    assert difference(freed, freed).mismatches == ()
    assert difference(held, freed).mismatches == ("output is not there any more",)


def test_nan_equals_nan_and_infinities_keep_their_sign():
    odd = torch.tensor([float("nan"), float("inf")])
    assert difference(odd, odd.clone()).mismatches == ()
    assert difference(odd, torch.tensor([float("nan"), -float("inf")])).mismatches != ()


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (torch.ones(2), torch.ones(2, 1)),
        (torch.ones(2), torch.ones(2, dtype=torch.float64)),
        (torch.ones(2), None),
        ((1, 2), (1, 2, 3)),
        ({"a": 1}, {"b": 1}),
        (torch.tensor([1, 2]), torch.tensor([1, 3])),
    ],
)
def test_other_shape_type_or_structure_is_a_mismatch(expected, actual):
    assert difference(expected, actual).mismatches != ()


def test_memory_without_values_is_no_difference():
    like = torch.ones(4096)
    with SameDraws():
        for _ in range(20):
            made = torch.empty(4096), like.new_empty(4096), torch.empty_like(like)
            assert not any(part.any() for part in (*made, torch.Tensor(4096)))
            del made
            torch.full((4096,), 7.0)


def test_what_is_random_is_looked_up_as_often_however_many_sites_there_are(monkeypatch):
    """A network of hundreds of layers would take minutes."""
    lookups: list[nn.Module] = []

    def counted(module: nn.Module) -> dict[str, sites.Prior]:
        lookups.append(module)
        return sites.priors(module)

    monkeypatch.setattr(audit, "priors", counted)
    counts = []
    for depth in (2, 12):
        lookups.clear()
        layers, others = ([nn.Linear(2, 2) for _ in range(depth)] for _ in range(2))
        rewritten = PyroModule[nn.Sequential](
            *(to_pyro_module_(layer) or layer for layer in others)
        )
        for layer in rewritten:
            layer.weight = normal(layer.weight)
        assert compare(nn.Sequential(*layers), rewritten, (torch.ones(1, 2),)).equal
        counts.append(len(lookups))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("mode", [SameDraws, SizeLimit])
def test_what_watches_torch_does_not_make_it_load_its_compiler(mode: type) -> None:
    """That takes 2 s: torch wraps what is called for each operation, and unwraps it by loading."""
    assert not hasattr(vars(mode)["__torch_dispatch__"], "__wrapped__")


@pytest.mark.parametrize(("original", "rewritten"), [(MLP, BayesMLP), (Scaled, BayesScaled)])
def test_gradients_are_taken_without_the_algebra_of_torch(monkeypatch, original, rewritten):
    """Loading it takes a second."""
    monkeypatch.setitem(sys.modules, "torch.fx.experimental.symbolic_shapes", None)
    assert compared(original, rewritten, ROWS).equal

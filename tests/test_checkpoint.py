"""Old checkpoints: ``pyroify convert-checkpoint``, and classes that load them by themselves."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import LayOut, Run

torch = pytest.importorskip("torch")
pytest.importorskip("pyro")

import pyro  # noqa: E402
import pyro.distributions as dist  # noqa: E402
from pyro.distributions import constraints  # noqa: E402
from pyro.infer.autoguide import AutoDelta, init_to_value  # noqa: E402
from pyro.nn import PyroModule, PyroParam, PyroSample  # noqa: E402
from torch import nn  # noqa: E402

from pyroify.checkpoint.child import read_state  # noqa: E402
from pyroify.checkpoint.convert import Unfit, convert  # noqa: E402

SPEC = """\
version: 1
priors:
  - {match: "**", sample: "Normal(0, 1)"}
  - {match: "**", layer: "BatchNorm*", keep: true}
  - {match: "Block.scale", param: positive}
svi:
  model: {class: "net:Net", kwargs: {n: 4}}
"""
NET = """\
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.fc = nn.Linear(n, n)
        self.scale = nn.Parameter(torch.ones(1))
        self.norm = nn.BatchNorm1d(n)

    def forward(self, x):
        return self.norm(self.fc(x)) * self.scale


class Net(nn.Module):
    def __init__(self, n=3):
        super().__init__()
        self.block = Block(n)
        self.head = nn.Linear(n, 1)

    def forward(self, x):
        return self.head(self.block(x))
"""


class Original(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 2)
        self.scale = nn.Parameter(torch.tensor([2.0]))
        self.shift = nn.Parameter(torch.zeros(2))


class Rewritten(PyroModule):
    def __init__(self, width: int = 2) -> None:
        super().__init__()
        self.fc = PyroModule[nn.Linear](2, width)
        self.scale = PyroParam(torch.ones(1), constraint=constraints.positive)
        self.shift = nn.Parameter(torch.zeros(2))
        self.tau = PyroSample(dist.HalfCauchy(1.0))

        shape = self.fc.weight.shape
        self.fc.weight = PyroSample(dist.Normal(0.0, 1.0).expand(shape).to_event(2))
        self.fc.bias = PyroSample(lambda self: self.weight.sum(1))


class Holder(PyroModule):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = PyroModule[nn.ModuleList]([Rewritten(), Rewritten()])


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    return Original().state_dict()


def test_values_go_where_the_rewritten_class_has_them(state: dict[str, torch.Tensor]) -> None:
    model = Rewritten()
    converted = convert(model, state, {})
    model.load_state_dict(converted.state)
    assert model.scale.item() == pytest.approx(2.0)
    assert converted.constrained == ("scale",)
    assert converted.missing == converted.surplus == ()


def test_only_sites_that_are_drawn_have_values(state: dict[str, torch.Tensor]) -> None:
    converted = convert(Rewritten(), state, {})
    assert list(converted.random) == ["fc.weight"]  # the bias is computed, and tau is new
    assert torch.equal(converted.random["fc.weight"], state["fc.weight"])


@pytest.mark.parametrize(
    ("init", "scale"), [("exp", 7.389056), ("softplus", 2.126928), ("unconstrained", 7.389056)]
)
def test_values_are_read_as_the_spec_says(
    state: dict[str, torch.Tensor], init: str, scale: float
) -> None:
    model = Rewritten()
    model.load_state_dict(convert(model, state, {"Rewritten.scale": init}).state)
    assert model.scale.item() == pytest.approx(scale)


def test_keys_on_one_side_only_are_named(state: dict[str, torch.Tensor]) -> None:
    del state["shift"]
    converted = convert(Rewritten(), {**state, "old": torch.zeros(1)}, {})
    assert converted.missing == ("shift",)
    assert converted.surplus == ("old",)


def test_values_outside_the_constraint_are_refused(state: dict[str, torch.Tensor]) -> None:
    state["scale"] = torch.tensor([-1.0])
    with pytest.raises(Unfit, match=r"scale holds values outside its constraint .*: -1"):
        convert(Rewritten(), state, {})


@pytest.mark.parametrize("key", ["fc.weight", "shift"])
def test_other_shapes_are_refused(state: dict[str, torch.Tensor], key: str) -> None:
    state[key] = torch.zeros(5, 2)
    with pytest.raises(Unfit, match=rf"{key} has shape \[5, 2\] in it and"):
        convert(Rewritten(), state, {})


def test_what_needs_no_conversion_is_refused(state: dict[str, torch.Tensor]) -> None:
    with pytest.raises(Unfit, match="loads it as it is"):
        convert(Rewritten(), Rewritten().state_dict(), {})
    with pytest.raises(Unfit, match="run `pyroify rewrite` first"):
        convert(Original(), state, {})
    with pytest.raises(Unfit, match="holds nothing of Rewritten"):
        convert(Rewritten(), {"other": torch.zeros(1)}, {})


@pytest.mark.parametrize("wrapper", ["", "module.", "_orig_mod."])
@pytest.mark.parametrize("key", ["", "state_dict", "model_state_dict", "model"])
def test_usual_forms_of_checkpoints_are_read(
    state: dict[str, torch.Tensor], tmp_path: Path, wrapper: str, key: str
) -> None:
    saved = {f"{wrapper}{name}": value for name, value in state.items()}
    torch.save({key: saved, "epoch": 3} if key else saved, tmp_path / "old.pt")
    assert read_state(tmp_path / "old.pt").keys() == state.keys()


@pytest.mark.parametrize("what", [Original(), {"epoch": 3}, [torch.zeros(1)]])
def test_other_files_are_refused(tmp_path: Path, what: object) -> None:
    torch.save(what, tmp_path / "old.pt")
    with pytest.raises(Unfit, match=r"old\.pt (is no|holds no) state_dict"):
        read_state(tmp_path / "old.pt")


def test_a_checkpoint_is_converted(lay_out: LayOut, run: Run) -> None:
    root = lay_out({"net.py": NET, "pyroify.yaml": SPEC})
    torch.save(_original(4), root / "old.pt")

    ended = run("convert-checkpoint", "old.pt")
    assert (ended.code, ended.err) == (
        2,
        "PYR310 Net has no priors: run `pyroify rewrite` first\n",
    )

    assert run("rewrite").code == 0
    ended = run("convert-checkpoint", "old.pt")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == (
        "wrote old_converted.pt: 6 values, 1 of them unconstrained\n"
        "wrote old_converted_guide.pt: these and 4 values of random parameters\n"
    )
    new, guide = (torch.load(root / f"old_converted{end}.pt") for end in ("", "_guide"))
    assert "block.scale_unconstrained" in new
    assert guide.keys() - new.keys() == {
        f"{layer}.{name}" for layer in ("block.fc", "head") for name in ("weight", "bias")
    }

    ended = run("convert-checkpoint", "old.pt")
    assert ended.code == 2
    assert ended.err.startswith("old_converted.pt:1:1 PYR237 is there already")
    assert not list(root.glob(".pyroify-*"))


def test_what_does_not_fit_is_said_and_shows_in_the_exit_code(lay_out: LayOut, run: Run) -> None:
    root = lay_out({"net.py": NET, "pyroify.yaml": SPEC})
    run("rewrite")
    torch.save({**_original(4), "extra": torch.zeros(1)}, root / "more.pt")
    ended = run("convert-checkpoint", "more.pt", "-o", "new.pt")
    assert ended.code == 1
    assert "more.pt:1:1 PYR311 the model has no place for extra\n" in ended.err
    assert (root / "new_guide.pt").exists()

    torch.save(_original(5), root / "wide.pt")
    ended = run("convert-checkpoint", "wide.pt")
    assert ended.code == 2
    assert "has shape [5] in it and [4] in Net; give the arguments" in ended.err
    assert not (root / "wide_converted.pt").exists()


@pytest.mark.parametrize(
    ("svi", "message"),
    [
        ("", "the spec does not say whose checkpoint it is; add svi: {model: {class: "),
        ("svi: {model: {class: 'net:Other'}}\n", "the class net:Other under svi: model is not in"),
    ],
)
def test_the_spec_says_whose_checkpoint_it_is(
    lay_out: LayOut, run: Run, svi: str, message: str
) -> None:
    spec = SPEC[: SPEC.index("svi:")] + svi
    lay_out({"net.py": NET, "pyroify.yaml": spec, "old.pt": b"?"})
    ended = run("convert-checkpoint", "old.pt")
    assert (ended.code, ended.err[: 7 + len(message)]) == (2, f"PYR310 {message}")


# Classes that load it by themselves

OPTIONS = Path(__file__).parent / "fixtures" / "options"
LOADING = [
    "both_options",
    "load_original_nested",
    "load_original_run_time",
    "load_original_ties",
]
each_loading = pytest.mark.parametrize("name", LOADING)


def built(name: str, kind: str) -> tuple[nn.Module, tuple[Any, ...]]:
    """The example of a fixture: its model, whose weights are new, and arguments."""
    file = OPTIONS / f"{name}.{kind}.py"
    names: dict[str, Callable[[], tuple[nn.Module, tuple[Any, ...]]]] = {}
    exec(compile(file.read_text(), file.name, "exec"), names)
    return names["example"]()


@each_loading
def test_the_rewritten_class_loads_what_the_original_saved(name: str) -> None:
    torch.manual_seed(0)
    original, args = built(name, "in")
    rewritten, _ = built(name, "out")
    rewritten.load_state_dict(original.state_dict())
    original.eval()
    rewritten.eval()
    fixed = pyro.poutine.condition(rewritten, data=rewritten.original_values)
    assert torch.allclose(original(*args), fixed(*args), atol=1e-6)


@each_loading
def test_a_guide_begins_at_the_original_values(name: str) -> None:
    torch.manual_seed(0)
    original, args = built(name, "in")
    rewritten, _ = built(name, "out")
    rewritten.load_state_dict(original.state_dict())
    values = rewritten.original_values
    pyro.clear_param_store()
    guide = AutoDelta(rewritten, init_loc_fn=init_to_value(values=values))
    guide(*args)
    means = guide.median()
    assert means
    assert all(torch.equal(mean, values[site]) for site, mean in means.items())


@each_loading
def test_its_own_state_dict_loads_too(name: str) -> None:
    rewritten, _ = built(name, "out")
    state = copy.deepcopy(rewritten).state_dict()
    rewritten.load_state_dict(state)
    assert not hasattr(rewritten, "original_values")


def test_a_part_of_another_module_loads_under_its_prefix() -> None:
    original, _ = built("load_original_nested", "in")
    rewritten, _ = built("load_original_nested", "out")
    state = nn.Sequential(original).state_dict()
    nn.Sequential(rewritten).load_state_dict(state)
    assert torch.equal(rewritten.original_values["head.weight"], state["0.head.weight"])


def test_constrained_values_are_read_as_the_spec_says() -> None:
    original, _ = built("load_original_state_dict", "in")
    with torch.no_grad():
        original.variance.fill_(-2.0)  # its logarithm, in the original class
        original.lengthscale.fill_(3.0)
    rewritten, _ = built("load_original_state_dict", "out")
    rewritten.load_state_dict(original.state_dict())
    assert rewritten.variance.item() == pytest.approx(torch.tensor(-2.0).exp().item())
    assert rewritten.lengthscale.tolist() == pytest.approx([3.0, 3.0, 3.0])
    assert torch.equal(rewritten.offset, original.offset)
    assert list(rewritten.original_values) == ["period"]


def test_values_outside_the_constraint_are_named() -> None:
    original, _ = built("load_original_state_dict", "in")
    with torch.no_grad():
        original.lengthscale.fill_(-1.0)
    rewritten, _ = built("load_original_state_dict", "out")
    with pytest.raises(ValueError, match=r"^lengthscale is outside "):
        rewritten.load_state_dict(original.state_dict())


def test_both_ways_of_loading_agree() -> None:
    original, _ = built("load_original_state_dict", "in")
    converting, _ = built("load_original_state_dict", "out")
    inits = {"Kernel.variance": "exp"}
    converted = convert(converting, original.state_dict(), inits)
    loading, _ = built("load_original_state_dict", "out")
    loading.load_state_dict(original.state_dict())
    for key, value in converted.state.items():
        assert torch.allclose(loading.state_dict()[key], value)
    assert converted.random.keys() == loading.original_values.keys()


def test_init_in_a_list_is_found_by_its_path() -> None:
    state = {
        f"blocks.{index}.{key}": value
        for index in range(2)
        for key, value in Original().state_dict().items()
    }
    holder = Holder()
    holder.load_state_dict(convert(holder, state, {"Holder.blocks.*.scale": "exp"}).state)
    assert [block.scale.item() for block in holder.blocks] == pytest.approx([7.389056] * 2)


def _original(width: int) -> dict[str, torch.Tensor]:
    names: dict[str, type[nn.Module]] = {}
    exec(NET, names)
    return dict(names["Net"](width).state_dict())

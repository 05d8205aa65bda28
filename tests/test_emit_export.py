"""Exported draws: the original class without Pyro computes what the Pyro predictive computes.

The classes are rewritten by the tool; the served outputs come from a process that has the original
sources, torch, and no Pyro.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from emit_cases import emit, fork, lay_out_project, load_module, run_main
from test_emit_training import write_script

from pyroify.emit import EmitError

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "serving.md"
NETS = '''\
import torch
from torch import nn


class Buffers(nn.Module):
    """Running statistics, a buffer, one that is not saved, and a kept layer norm."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.layer_norm = nn.LayerNorm(4)
        self.register_buffer("shift", torch.full((4,), 0.3))
        self.register_buffer("grid", torch.linspace(0, 1, 4), persistent=False)
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        h = torch.relu(self.norm(self.fc(x)) + self.shift * self.grid)
        return self.head(self.layer_norm(h))


class Positive(nn.Module):
    """A parameter that is learned under a constraint."""

    def __init__(self):
        super().__init__()
        self.lengthscale = nn.Parameter(torch.ones(3))
        self.fc = nn.Linear(3, 1)

    def forward(self, x):
        return self.fc(x / self.lengthscale)


class Tied(nn.Module):
    """One weight in two layers, and one layer under two names."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = nn.Linear(3, 3)
        self.second.weight = self.first.weight
        self.head = nn.Linear(3, 1)
        self.again = self.head

    def forward(self, x):
        h = torch.tanh(self.second(torch.tanh(self.first(x))))
        return self.head(h) + self.again(h)


class Dynamic(nn.Module):
    """Layers that only run time shows."""

    def __init__(self, kind="Linear"):
        super().__init__()
        self.layers = nn.ModuleList([getattr(nn, kind)(3, 3) for _ in range(2)])
        self.head = getattr(nn, kind)(3, 1)

    def forward(self, x):
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return self.head(x)


class Hierarchical(nn.Module):
    """Weights whose scale is random too, written as a scale times a standard latent."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, 3))

    def forward(self, x):
        return x @ self.weight.T


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 4, batch_first=True)
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.left = nn.Linear(3, 2)
        self.right = nn.Linear(2, 2)

    def forward(self, first, second):
        return (self.left(first) * self.right(second)).sum(1)
'''
SPEC = """\
version: 1
priors:
  - {match: "**", sample: "Normal(0, 1)"}
  - {match: "**", layer: [LayerNorm], keep: true}
  - {match: Positive.lengthscale, param: positive}
  - {match: Hierarchical.weight, sample: "Normal(0, self.tau)", centered: false}
latents:
  - {class: Hierarchical, name: tau, sample: HalfCauchy(1)}
"""


def serve_without_pyro(original: Path, name: str, file: Path, out: Path) -> int:
    """What a program that has the plain class, and no Pyro, does with an export."""
    for module in [name for name in sys.modules if name.partition(".")[0] == "pyro"]:
        del sys.modules[module]
    sys.modules["pyro"] = None  # type: ignore[assignment]
    sys.modules.pop("served_nets", None)
    sys.path.insert(0, str(original))
    nets = importlib.import_module("served_nets")
    spec = importlib.util.spec_from_file_location("serve", out / "serve.py")
    assert spec and spec.loader
    serving = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(serving)
    exported = serving.load(out / "draws.pt")
    torch.set_default_dtype(exported["dtype"])
    outputs = serving.predict(getattr(nets, name)(), exported, *torch.load(file))
    torch.save(outputs, out / "served.pt")
    return 0


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``original/`` and ``rewritten/`` sources of the same classes."""
    folder = tmp_path_factory.mktemp("served")
    for name in ("original", "rewritten"):
        (folder / name).mkdir()
        (folder / name / "served_nets.py").write_text(NETS)
    (folder / "rewritten/pyroify.yaml").write_text(SPEC)
    command = [sys.executable, "-m", "pyroify", "rewrite", "."]
    done = subprocess.run(command, cwd=folder / "rewritten", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(autouse=True)
def _single_precision() -> Iterator[None]:
    yield
    torch.set_default_dtype(torch.float32)


CASES: dict[str, dict[str, Any]] = {
    "Buffers": {"data": {"shape": [3]}},
    "Positive": {"data": {"shape": [3]}},
    "Tied": {"data": {"shape": [3]}},
    "Dynamic": {"data": {"shape": [3]}},
    "Hierarchical": {"data": {"shape": [3]}, "guide": {"init": "prior"}},
    "Recurrent": {"data": {"shape": [5, 3]}},
    "TwoInputs": {"data": {"shape": [[3], [2]]}},
}


def train_and_export(project: Path, name: str, *flags: str, **svi: Any) -> tuple[ModuleType, Path]:
    data = {"source": "synthetic", "batch_size": 32, "rows": 100, **svi.pop("data", {})}
    model = {"class": f"served_nets:{name}"}
    path = project / "rewritten" / f"train_{name.lower()}.py"
    lay_out_project(path.parent)
    path.write_text(emit(model=model, data=data, output=path.name, **svi).script)
    module = load_module(path)
    out = path.parent / f"out_{name.lower()}"
    flags = (*flags, f"--out={out}", "--samples=4", "--no-baseline", "--resume=never")
    ran = run_main(module, *flags)
    assert ran.code == 0, ran.err
    ran = run_main(module, *flags, "--export")
    assert ran.code == 0, ran.err
    return module, out


def serve(project: Path, name: str, inputs: tuple[torch.Tensor, ...], out: Path) -> torch.Tensor:
    file = out / "inputs.pt"
    torch.save(inputs, file)
    said = out / "said.txt"
    process = fork(lambda: serve_without_pyro(project / "original", name, file, out), said)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 0, said.read_text()
    return torch.load(out / "served.pt", weights_only=True)


def pyro_outputs(
    module: ModuleType, out: Path, inputs: tuple[torch.Tensor, ...], *flags: str
) -> torch.Tensor:
    """What the network gives in the Pyro predictive, draw by draw."""
    parsed = module.parse_flags([*flags, f"--out={out}", "--samples=4"])
    module.set_up(parsed)
    objective, about = module.load_trained(parsed)
    tensors = tuple(module.as_tensor(x, "input") for x in inputs)
    scaled = module.scale_inputs(tensors, about["scalings"])
    given: list[torch.Tensor] = []
    hook = objective.model.net.register_forward_hook(lambda *call: given.append(call[-1]))
    with torch.no_grad():
        for draw in module.posterior_draws(objective.guide, 4):
            module.observed(objective.model, draw, scaled)
    hook.remove()
    return torch.stack(given)


def inputs_of(name: str) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(7)
    shape = CASES[name]["data"]["shape"]
    shapes = shape if isinstance(shape[0], list) else [shape]
    return tuple(torch.randn(6, *each) for each in shapes)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_original_class_serves_what_pyro_predicts(name: str, project: Path) -> None:
    module, out = train_and_export(project, name, **CASES[name])
    inputs = inputs_of(name)
    expected = pyro_outputs(module, out, inputs)
    assert expected.std(0).min() > 0, "the draws are all the same"
    assert torch.equal(serve(project, name, inputs, out), expected)
    state = torch.load(out / "mean.pt", weights_only=True)
    original = import_original(project, name)
    original.load_state_dict(state, strict=False)
    scaled = scaled_inputs(out, inputs)
    program = torch.export.load(out / "mean.pt2").module()
    for rows in (scaled, tuple(x[:1] for x in scaled)):
        torch.testing.assert_close(program(*rows), original.eval()(*rows))


def import_original(project: Path, name: str) -> torch.nn.Module:
    place = project / "original" / "served_nets.py"
    spec = importlib.util.spec_from_file_location("original_nets", place)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: torch.nn.Module = getattr(module, name)()
    return made


def scaled_inputs(out: Path, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    scalings = torch.load(out / "draws.pt", weights_only=True)["scalings"]["inputs"]
    pairs = zip(inputs, scalings, strict=True)
    return tuple((x - by["mean"]) / by["sd"] if by else x for x, by in pairs)


@pytest.mark.slow
def test_draws_are_written_for_other_languages_too(project: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    _, out = train_and_export(project, "Positive", **CASES["Positive"])
    numbers = safetensors.load_file(out / "draws.safetensors")
    exported = torch.load(out / "draws.pt", weights_only=True)
    for number, draw in enumerate(exported["draws"]):
        for name, value in draw.items():
            assert torch.equal(numbers[f"draws/{number}/{name}"], value)
    assert torch.equal(numbers["scalings/inputs/0/sd"], exported["scalings"]["inputs"][0]["sd"])


@pytest.mark.slow
def test_what_cannot_be_exported_is_said(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module, out = train_and_export(project, "Positive", **CASES["Positive"])
    (out / "mean.pt2").unlink()
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)

    def branches(*_: object) -> torch.Tensor:
        raise RuntimeError("a branch\nby value")

    monkeypatch.setattr(module.Fixed, "forward", branches)
    module.main([f"--out={out}", "--samples=4", "--export"])
    said = capsys.readouterr().out
    assert "not exported: mean.pt2: a branch\n" in said
    assert "not exported: draws.safetensors, which needs safetensors" in said
    assert not (out / "mean.pt2").exists()


@pytest.mark.slow
def test_the_page_on_serving_does_what_it_says(project: Path, tmp_path: Path) -> None:
    module, out = train_and_export(project, "Positive", **CASES["Positive"])
    for name in ("serve.py", "draws.pt"):
        shutil.copy(out / name, tmp_path)
    original = (project / "original" / "served_nets.py").read_text()
    (tmp_path / "models.py").write_text(f"{original}\n\nNet = Positive\n")
    examples = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(examples) == 3
    code = ["import sys", 'sys.modules["pyro"] = None', *examples]
    code.append('torch.save((x, outputs, mean, sd), "page.pt")')
    (tmp_path / "service.py").write_text("\n".join(code))
    command = [sys.executable, "service.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    x, outputs, mean, sd = torch.load(tmp_path / "page.pt", weights_only=True)
    assert torch.equal(outputs, pyro_outputs(module, out, (x,)))
    objective, about = module.load_trained(module.parse_flags([f"--out={out}"]))
    inputs = module.scale_inputs((x,), about["scalings"])
    with torch.no_grad():
        likelihoods = module.posterior(objective, 4)(inputs)
    predicted = module.TASK.predictions(likelihoods, about["scalings"]["targets"][0])
    assert mean.squeeze(-1).numpy() == pytest.approx(predicted["mean"], rel=1e-4)
    spread = torch.stack([each.mean for each in likelihoods]).var(0)
    noise = torch.stack([each.scale[0] for each in likelihoods]).square().mean()
    unit = about["scalings"]["targets"][0]["sd"]
    assert torch.allclose(sd.squeeze(-1), unit * (spread + noise).sqrt())


@pytest.mark.slow
def test_double_precision_is_served_in_double_precision(project: Path) -> None:
    flag = "--dtype=float64"
    module, out = train_and_export(project, "Buffers", flag, **CASES["Buffers"])
    inputs = inputs_of("Buffers")
    expected = pyro_outputs(module, out, inputs, flag)
    served = serve(project, "Buffers", inputs, out)
    assert served.dtype == torch.float64
    assert torch.equal(served, expected)


@pytest.mark.slow
def test_ties_begin_where_the_class_or_a_checkpoint_begins(project: Path) -> None:
    """A tie has a key in the checkpoint of the original class, but no site of its own."""
    original = load_module(project / "original/served_nets.py").Tied()
    torch.save(original.state_dict(), project / "rewritten/tied.pt")
    for init in ("module", "tied.pt"):
        path = project / "rewritten" / "train_ties.py"
        svi = {"model": {"class": "served_nets:Tied"}, "guide": {"init": init}}
        path.write_text(emit(data={"shape": [3]}, output=path.name, **svi).script)
        module = load_module(path)
        torch.manual_seed(0)
        model, values = module.build_model(8)
        objective = module.build_objective(model, values, module.made_up_rows(8))
        latents = {name for name in values if name in objective.guide.supports}
        sites = {"first.weight", "first.bias", "second.bias", "again.weight", "again.bias"}
        assert latents == {f"net.{name}" for name in sites}
        for name in latents:
            assert torch.equal(objective.guide.locs[module.key(name)], values[name])
        assert module.audit(model, module.made_up_rows(8)) == []


@pytest.mark.slow
def test_a_state_is_complete_and_loads_strictly(project: Path) -> None:
    sys.path.insert(0, str(project / "original"))
    original = load_module(project / "original/served_nets.py")
    for name in ("Tied", "Positive", "Buffers"):
        _, out = train_and_export(project, name, **CASES[name])
        exported = torch.load(out / "draws.pt", weights_only=True)
        for state in (*exported["draws"], torch.load(out / "mean.pt", weights_only=True)):
            network = getattr(original, name)()
            network.load_state_dict(state, strict=True)
        assert [noise.keys() for noise in exported["likelihood"]] == [{"scale"}] * 4


def test_what_the_likelihood_learns_is_exported(tmp_path: Path) -> None:
    likelihood = {"family": "normal", "scale": "learned"}
    module = load_module(write_script(tmp_path, likelihood=likelihood))
    assert run_main(module, "--no-baseline").code == 0
    assert run_main(module, "--export", "--samples=2").code == 0
    out = tmp_path / "runs/train_svi"
    noise = torch.load(out / "draws.pt", weights_only=True)["likelihood"]
    objective, _ = module.load_trained(module.parse_flags([]))
    assert [float(each["scale"]) for each in noise] == [float(objective.model.scale)] * 2


def test_inputs_by_name_are_served_by_name(tmp_path: Path) -> None:
    data = {"source": "rows.npz", "inputs": {"second": "b", "first": "a"}}
    script = write_script(tmp_path, model={"class": "models.networks:TwoInputs"}, data=data)
    dice = np.random.default_rng(0)
    a, b = dice.normal(size=(50, 3)), dice.normal(size=(50, 2))
    np.savez(tmp_path / "rows.npz", a=a, b=b, y=a[:, 0])
    module = load_module(script)
    assert run_main(module, "--no-baseline").code == 0
    assert run_main(module, "--export", "--samples=3").code == 0

    class Original(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left = torch.nn.Linear(3, 4)
            self.right = torch.nn.Linear(2, 4)
            self.head = torch.nn.Linear(4, 1)

        def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
            return self.head(torch.relu(self.left(first) + self.right(second)))

    out = tmp_path / "runs/train_svi"
    loaded = load_module(out / "serve.py")
    inputs = torch.tensor(b), torch.tensor(a)  # in the order of the section
    served = loaded.predict(Original(), loaded.load(out / "draws.pt"), *inputs)
    means = pyro_outputs(module, out, inputs)[:3]
    assert torch.equal(served, means)


def test_the_loader_is_short_and_knows_no_pyro(tmp_path: Path) -> None:
    module = load_module(write_script(tmp_path))
    text = module.serving_text()
    code = [line for line in text.split('"""', 2)[2].splitlines() if line]
    assert len(code) <= 42
    imports = [line.split()[1] for line in code if line.startswith(("import", "from"))]
    assert imports == ["collections.abc", "typing", "torch", "torch", "torch.func"]


# ---- ArviZ ---------------------------------------------------------------------------


def test_arviz_gets_draws_log_likelihoods_and_predictions(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    module = load_module(write_script(tmp_path, arviz=True, data={"rows": 100}))
    ran = run_main(module, "--no-baseline", "--samples=5")
    assert ran.code == 0, ran.err
    path = tmp_path / "runs/train_svi/draws.nc"
    groups = ("posterior", "log_likelihood", "posterior_predictive", "observed_data")
    posterior, log_likelihood, predictive, data = (
        xarray.open_dataset(path, group=group, engine="h5netcdf") for group in groups
    )
    weight = posterior["net.fc1.weight"]
    assert weight.dims[:2] == ("chain", "draw")
    assert weight.shape == (1, 5, 4, 3)
    objective, about = module.load_trained(module.parse_flags([]))
    draws = [draw["net.fc1.weight"] for draw in module.posterior_draws(objective.guide, 5)]
    np.testing.assert_array_equal(weight[0], torch.stack(draws).detach())
    rows = data["obs"].shape[0]
    assert rows == about["size"]
    assert log_likelihood["obs"].shape == predictive["obs"].shape == (1, 5, rows)


def test_arviz_that_is_missing_is_named_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load_module(write_script(tmp_path, arviz=True))
    monkeypatch.setitem(sys.modules, "h5netcdf", None)
    ran = run_main(module)
    assert ran.code == 2
    assert ran.err == "train_svi.py: this script writes for ArviZ: pip install arviz\n"
    assert not (tmp_path / "runs").exists()


def test_arviz_is_a_yes_or_no() -> None:
    with pytest.raises(EmitError, match="arviz"):
        emit(arviz="sometimes")
    assert "xarray" not in emit().script

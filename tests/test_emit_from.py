"""`pyroify emit --from train.py`: scripts of many habits give one that trains, or a finding."""

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
import torch
from conftest import LayOut, Run
from emit_cases import CASES, load_module, run_main

from pyroify.emit import emit_script
from pyroify.emit.origin.code import InTheWay
from pyroify.emit.origin.origin import Origin
from pyroify.emit.origin.take import take_from
from pyroify.pipeline import rewrite_project, survey
from pyroify.spec.load import parse_spec

Rewritten = Callable[[str], Path]
SCRIPTS = CASES / "from"
SPEC = 'version: 1\npriors:\n  - match: "**"\n    sample: Normal(0, 1)\n'


@pytest.fixture(autouse=True)
def own_modules() -> Iterator[None]:
    """What a script imports of its project is not there for the next one."""
    modules, path = dict(sys.modules), list(sys.path)
    yield
    for name in sys.modules.keys() - modules.keys():
        file = getattr(sys.modules[name], "__file__", None) or ""
        if "site-packages" not in file and "/pytest-" in file:
            del sys.modules[name]
    sys.path[:] = path


def lay_out_script(folder: Path, name: str, spec: str = SPEC) -> None:
    shutil.copytree(SCRIPTS / name, folder, dirs_exist_ok=True)
    (folder / "pyroify.yaml").write_text(spec)


def train(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str = "train_svi.py") -> Any:
    monkeypatch.chdir(folder)
    module = load_module(folder / script)
    ran = run_main(module, "--epochs=2", "--samples=3", "--no-baseline")
    assert ran.code == 0, ran.err
    return module


@pytest.fixture(scope="module")
def rewritten_script(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a script whose network is rewritten; each is rewritten once."""

    @cache
    def make(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        lay_out_script(folder, name)
        rewrite(folder)
        return folder

    return make


def python_files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py"))


def rewrite(folder: Path) -> None:
    spec = parse_spec(SPEC, "pyroify.yaml")
    for result in rewrite_project(folder, python_files(folder), spec).changes:
        assert result.after is not None
        (folder / result.path).write_bytes(result.after)


def take(folder: Path, script: str = "train.py", **svi: Any) -> Origin:
    files = python_files(folder)
    index, plan_with = survey(folder, files, files)
    return take_from(folder, index, plan_with(parse_spec(SPEC, "pyroify.yaml")), script, svi)


def write_script(folder: Path, origin: Origin, output: str = "train_svi.py") -> Path:
    """The script that comes of it; what scripts share lies beside it."""
    section = {**origin.section, "output": output}
    emitted = emit_script(section, spec_name="pyroify.yaml", spec_text=SPEC, origin=origin)
    for path, text in {**emitted.runtime, output: emitted.script}.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    return folder / output


# ---- ten habits ----------------------------------------------------------------------

HABITS: Mapping[str, tuple[str, Mapping[str, Any], set[str]]] = {
    "argparse_functions": (
        "train.py",
        {
            "likelihood": {"family": "categorical", "gives": "log_probs"},
            "epochs": 14,
            "batch_size": None,
        },
        {"train", "validation", "test"},
    ),
    "config_object": (
        "train.py",
        {
            "likelihood": {"family": "normal"},
            "optimizer": {"name": "Adam", "lr": 5e-3},
            "epochs": 40,
            "batch_size": 16,
        },
        {"train", "validation", "test"},
    ),
    "engine_module": (
        "train.py",
        {
            "likelihood": {"family": "categorical"},
            "optimizer": {"name": "Adam", "lr": 1e-3},
            "epochs": 5,
            "batch_size": 32,
        },
        {"train", "validation", "test"},
    ),
    "top_level": (
        "train.py",
        {
            "likelihood": {"family": "normal"},
            "optimizer": {"name": "RMSprop", "lr": 1e-2},
            "epochs": 500,
            "batch_size": None,
        },
        set(),
    ),
    "lightning_module": (
        "train.py",
        {
            "likelihood": {"family": "categorical"},
            "optimizer": {"name": "Adam", "lr": 1e-3},
            "epochs": 3,
            "batch_size": 32,
        },
        {"train", "validation", "test"},
    ),
    "lightning_data": (
        "train.py",
        {
            "likelihood": {"family": "poisson"},
            "optimizer": {"name": "Adam", "lr": 2e-3},
            "epochs": 4,
            "batch_size": None,
        },
        {"train", "validation", "test"},
    ),
    "trainer_class": (
        "train.py",
        {
            "likelihood": {"family": "bernoulli"},
            "optimizer": {"name": "SGD", "lr": 0.05},
            "epochs": 7,
            "batch_size": 20,
        },
        {"train", "validation", "test"},
    ),
    "main_guard": (
        "train.py",
        {
            "likelihood": {"family": "bernoulli", "gives": "probs"},
            "optimizer": {"name": "Adam", "lr": 3e-3},
            "epochs": 30,
            "batch_size": 24,
        },
        set(),
    ),
    "dict_config": (
        "scripts/train_waves.py",
        {
            "likelihood": {"family": "laplace"},
            "optimizer": {"name": "Adam", "lr": 1e-2, "clip_norm": 1.0},
            "epochs": 12,
            "batch_size": 16,
        },
        {"train", "validation", "test"},
    ),
    "dataclass_config": (
        "train.py",
        {
            "likelihood": {"family": "categorical"},
            "optimizer": {"name": "Adam", "lr": 2e-3},
            "epochs": 6,
            "batch_size": 16,
        },
        set(),
    ),
    "hand_made_batches": (
        "train.py",
        {
            "likelihood": {"family": "heteroskedastic", "gives": "variance"},
            "optimizer": {"name": "Adam", "lr": 1e-3},
            "epochs": 25,
            "batch_size": 26,
        },
        set(),
    ),
    "set_when_run": (
        "1-1.words/words.py",
        {
            "likelihood": {"family": "categorical"},
            "optimizer": {"name": "Adam", "lr": 1e-2},
            "epochs": 50,
            "batch_size": None,
        },
        set(),
    ),
    "closure": (
        "train.py",
        {"likelihood": {"family": "normal"}, "optimizer": None, "epochs": None, "batch_size": None},
        set(),
    ),
    "next_of_iterator": (
        "train.py",
        {
            "likelihood": {"family": "tokens", "padding": -1},
            "optimizer": {"name": "Adam", "lr": 3e-3},
            "steps": 40,
            "epochs": None,
            "batch_size": 8,
        },
        set(),
    ),
    "sequences": (
        "train.py",
        {
            "likelihood": {"family": "tokens", "padding": "none"},
            "optimizer": {"name": "RMSprop", "lr": 5e-4},
            "epochs": 9,
            "batch_size": 8,
        },
        set(),
    ),
    "joined_positions": (
        "train.py",
        {
            "likelihood": {"family": "categorical"},
            "optimizer": {"name": "Adam", "lr": 0.1},
            "epochs": 10,
        },
        set(),
    ),
    "command_line": (
        "train.py",
        {
            "likelihood": {"family": "categorical"},
            "optimizer": {"name": "Adam", "lr": 2e-3},
            "epochs": None,
            "batch_size": None,
        },
        {"train", "validation", "test"},
    ),
}
"""Of each script its name, what is taken of it, and the parts of its data; none: one part."""


@pytest.mark.slow
@pytest.mark.parametrize("name", HABITS)
def test_a_script_gives_one_that_trains_without_an_edit(
    name: str, rewritten_script: Rewritten, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, taken, parts = HABITS[name]
    shutil.copytree(rewritten_script(name), tmp_path, dirs_exist_ok=True)
    origin = take(tmp_path, script)
    told = {**origin.section, "batch_size": origin.section["data"].get("batch_size")}
    assert {key: told.get(key) for key in taken} == taken
    write_script(tmp_path, origin)
    module = train(tmp_path, monkeypatch)
    rows = module.read_project()
    assert set(rows if isinstance(rows, dict) else ()) == parts
    assert len((tmp_path / "train_svi.py").read_text().splitlines()) <= 300


# ---- what is taken -------------------------------------------------------------------


def test_loaders_are_read_in_each_epoch_as_the_script_does(rewritten_script: Rewritten) -> None:
    folder = rewritten_script("config_object")
    rows = load_module(write_script(folder, take(folder))).read_project()
    assert {part: len(rows[part]) for part in rows} == {"train": 70, "validation": 0, "test": 20}
    first, second = (
        torch.cat([batch.targets for batch in rows["train"].batches(8)]) for _ in range(2)
    )
    assert len(first) < 70  # its last batch is dropped
    assert not torch.equal(first, second)  # it shuffles


def test_rows_of_one_loader_are_read_once_which_is_said(
    rewritten_script: Rewritten, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = rewritten_script("main_guard")
    rows = load_module(write_script(folder, take(folder))).read_project()
    assert isinstance(rows.targets, torch.Tensor)
    assert "train.py has one loader: its rows are read once" in capsys.readouterr().err


def test_seeds_of_a_script_are_its_own(rewritten_script: Rewritten) -> None:
    folder = rewritten_script("config_object")
    module = load_module(write_script(folder, take(folder)))
    torch.manual_seed(11)
    expected = torch.rand(1)
    torch.manual_seed(11)
    first = module.read_project()["train"]
    assert torch.equal(torch.rand(1), expected)
    again = module.read_project()["train"]
    assert torch.equal(again.known.targets.sort()[0], first.known.targets.sort()[0])


def test_options_that_nothing_reads_are_left_out(rewritten_script: Rewritten) -> None:
    folder = rewritten_script("argparse_functions")
    origin = take(folder)
    assert "--batch-size" in origin.data and "--lr" not in origin.data
    assert "parse_args([])" in origin.data
    assert "argparse" not in origin.net


def test_the_device_is_that_of_the_new_script(rewritten_script: Rewritten) -> None:
    folder = rewritten_script("config_object")
    origin = take(folder)
    assert "cfg.device" not in origin.data + origin.net
    assert "model.to(torch.get_default_device())" in origin.net


def test_an_accelerator_is_taken_where_the_script_takes_one(rewritten_script: Rewritten) -> None:
    picked = 'device="cuda" if torch.cuda.is_available() else "cpu"'
    assert picked in emitted("main_guard", rewritten_script)
    assert picked not in emitted("top_level", rewritten_script)


def emitted(name: str, rewritten_script: Rewritten) -> str:
    folder = rewritten_script(name)
    return write_script(folder, take(folder)).read_text()


def test_what_the_loss_takes_the_output_for_is_taken_over(rewritten_script: Rewritten) -> None:
    origin = take(rewritten_script("main_guard"))
    assert origin.section["likelihood"] == {"family": "bernoulli", "gives": "probs"}
    assert not origin.output


def test_the_spec_wins(rewritten_script: Rewritten) -> None:
    folder = rewritten_script("main_guard")
    origin = take(
        folder,
        optimizer={"lr": 0.5},
        epochs=3,
        likelihood={"family": "normal"},
        data={"source": "data.csv"},
    )
    assert origin.section["optimizer"] == {"name": "Adam", "lr": 0.5}
    assert origin.section["epochs"] == 3
    assert origin.section["likelihood"] == {"family": "normal"}
    assert origin.section["data"]["source"] == "data.csv" and not origin.data
    assert ".logit()" not in origin.output


def test_what_the_script_does_to_its_network_is_kept_beside_its_name_in_the_spec(
    rewritten_script: Rewritten,
) -> None:
    """`init` names the class in the spec, which does not say how the script builds it."""
    folder = rewritten_script("closure")
    origin = take(folder, model={"class": "train:Sequence"})
    assert "seq.double()" in origin.net and "seq.apply(begin_small)" in origin.net
    assert not take(folder, model={"class": "train:Sequence", "kwargs": {"size": 3}}).net
    folder = rewritten_script("next_of_iterator")
    assert take(folder, model={"class": "train:Net", "kwargs": {"words": 5}}).net
    assert not take(folder, model={"class": "train:Net", "kwargs": {"words": 6}}).net


def test_a_spec_about_another_network_is_refused(lay_out: LayOut) -> None:
    other = NET.replace("Net", "Other").replace("import torch\n", "", 1)
    folder = rewritten(lay_out, f"{other}x = y = torch.ones(4, 1)\nnet = Net()\n{STEP}")
    with pytest.raises(
        InTheWay, match=r"svi.model is train:Other, but what is trained .* train:Net"
    ):
        take(folder, model={"class": "train:Other"})
    assert take(folder, model={"class": "train:Net"}).net


def test_the_precision_of_a_script_is_its_own(rewritten_script: Rewritten) -> None:
    assert 'dtype="float64"' in emitted("closure", rewritten_script)
    assert "dtype=" not in emitted("top_level", rewritten_script).split("parse_flags")[-1]


def test_what_a_closure_computes_is_no_epoch_of_lbfgs(rewritten_script: Rewritten) -> None:
    messages = [each.message for each in take(rewritten_script("closure")).findings]
    assert "steps of LBFGS are no epochs: as many are taken as scales need to move" in messages


def test_positions_of_a_sequence_keep_their_axis(rewritten_script: Rewritten) -> None:
    origin = take(rewritten_script("sequences"))
    assert "yield (x.unsqueeze(1).contiguous(),), y\n" in origin.data and not origin.output
    assert "likelihood.to_event(1)" in emitted("sequences", rewritten_script)


def test_where_the_script_lies_is_where_it_lay(rewritten_script: Rewritten) -> None:
    origin = take(rewritten_script("sequences"))
    assert 'path.dirname(str(ROOT / "train.py"))' in origin.data


def test_what_is_not_taken_over_is_said(rewritten_script: Rewritten) -> None:
    [finding] = take(rewritten_script("trainer_class")).findings
    assert (finding.code, finding.line) == ("PYR423", 23)
    assert finding.message == "momentum of SGD is not taken"


def test_a_script_that_no_import_can_name_gives_its_definitions(lay_out: LayOut) -> None:
    folder = lay_out({"train-net.py": NET + GUARDED})
    rewrite(folder)
    script = write_script(folder, take(folder, "train-net.py"))
    assert "import train" not in script.read_text()
    assert len(load_module(script).read_project()) == 4


def test_a_longer_text_keeps_its_lines(lay_out: LayOut) -> None:
    """Statements are written further in, which must not reach what they say."""
    folder = lay_out({"train.py": TEXT})
    rewrite(folder)
    module = load_module(write_script(folder, take(folder)))
    assert module.read_project().targets.tolist() == [3.0, 4.0, 5.0]


STEP = """\
for epoch in range(3):
    for a, b in DataLoader(TensorDataset(x, y), batch_size=2):
        loss = nn.functional.mse_loss(net(a), b)
        loss.backward()
"""
NET = """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self, width=1):
        super().__init__()
        self.fc = nn.Linear(1, width)

    def forward(self, x):
        return self.fc(x)


"""
GUARDED = f"""
def main():
    x = y = torch.ones(4, 1)
    net = Net()
{indent(STEP, "    ")}

if __name__ == "__main__":
    main()
"""
TEXT = f'''{NET}
TABLE = """1 3
2 4
3 5"""
rows = [[float(n) for n in line.split(" ")] for line in TABLE.split("\\n")]
x, y = torch.tensor(rows).split(1, dim=1)
net = Net()
{STEP}'''


# ---- what is in the way --------------------------------------------------------------


def refused(folder: Path, script: str = "train.py") -> tuple[str, int, str]:
    with pytest.raises(InTheWay) as error:
        take(folder, script)
    finding = error.value.finding
    assert finding.help
    return finding.code, finding.line, finding.message


def test_the_line_in_the_way_is_named(
    rewritten_script: Rewritten, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = rewritten_script("bare_options")
    monkeypatch.chdir(folder)
    ended = run("emit", "--from", "train.py")
    assert ended.code == 2
    assert "train.py:25:5 PYR421 the option data has no value" in ended.err
    assert "help: give it a default" in ended.err
    assert not (folder / "train_svi.py").exists()


def test_a_sum_of_terms_is_refused(rewritten_script: Rewritten) -> None:
    code, line, message = refused(rewritten_script("two_losses"))
    assert (code, line) == ("PYR422", 32)
    assert message == "the loss is a sum of terms: fit + 0.1 * smoothness(output)"


def test_a_likelihood_of_the_spec_does_for_a_sum_of_terms(rewritten_script: Rewritten) -> None:
    origin = take(rewritten_script("two_losses"), likelihood={"family": "normal"})
    assert origin.section["likelihood"] == {"family": "normal"}
    assert "return (inputs,), targets" in origin.data


def rewritten(lay_out: LayOut, rest: str) -> Path:
    folder = lay_out({"train.py": NET + rest, "pyroify.yaml": SPEC})
    rewrite(folder)
    return folder


IN_THE_WAY = {
    "no training": ("net = Net()\nprint(net(torch.ones(1, 1)))\n", "PYR420", "trains nothing"),
    "no class": (
        "x = y = torch.ones(4, 1)\nnet = nn.Linear(1, 1)\n" + STEP,
        "PYR420",
        "the network is no class: nn.Linear(1, 1)",
    ),
    "another loss": (
        "x = y = torch.ones(4, 1)\nnet = Net()\n"
        + STEP.replace("nn.functional.mse_loss(net(a), b)", "weird(net(a), b)"),
        "PYR422",
        "no likelihood is known for the loss weird(net(a), b)",
    ),
    "its own loss": (
        "x = y = torch.ones(4, 1)\nnet = Net()\n"
        + STEP.replace("loss = nn.functional.mse_loss(net(a), b)", "out, loss = net(a, b)"),
        "PYR422",
        "the network computes its loss itself: net(a, b)",
    ),
    "two losses in turn": (
        "x = y = torch.ones(4, 1)\nnet = Net()\n"
        + STEP
        + "        other = nn.functional.l1_loss(net(a), b)\n        other.backward()\n",
        "PYR420",
        "a second loss, other, beside loss",
    ),
    "a penalty": (
        "x = y = torch.ones(4, 1)\nnet = Net()\n"
        + STEP.replace("        loss.backward", "        loss += 0.1\n        loss.backward"),
        "PYR422",
        "this adds to the loss: loss += 0.1",
    ),
    "data anew": (
        "def get_batch():\n    return torch.rand(4, 1), torch.rand(4, 1)\n\n\nnet = Net()\n"
        "for step in range(9):\n    a, b = get_batch()\n"
        "    loss = nn.functional.mse_loss(net(a), b)\n    loss.backward()\n",
        "PYR421",
        "each step makes its rows anew: a, b = get_batch()",
    ),
    "a batch of an object": (
        "class Pool:\n    def draw(self):\n        return torch.ones(4, 1), torch.rand(4, 1)\n\n\n"
        "net, pool = Net(), Pool()\n"
        "for step in range(9):\n    a, b = pool.draw()\n"
        "    loss = nn.functional.mse_loss(net(a), b)\n    loss.backward()\n",
        "PYR421",
        "each step makes its rows anew: a, b = pool.draw()",
    ),
    "no argument": (
        "def main(config):\n    x = y = torch.ones(config.rows, 1)\n    net = Net()\n"
        + "".join(f"    {line}\n" for line in STEP.splitlines()),
        "PYR421",
        "nothing in the source says what main() is given as config",
    ),
    "two calls": (
        "def fit(x, y):\n    net = Net()\n"
        + "".join(f"    {line}\n" for line in STEP.splitlines())
        + "\n\nfor fold in range(2):\n    fit(torch.ones(4, 1), torch.ones(4, 1))\n"
        "fit(torch.ones(2, 1), torch.ones(2, 1))\n",
        "PYR421",
        "fit() is called several times",
    ),
    "the epoch": (
        "x = y = torch.ones(4, 1)\nnet = Net()\n" + STEP.replace("(x, y)", "(x + epoch, y)"),
        "PYR421",
        "what is trained on depends on epoch, which this loop sets",
    ),
    "a network that a base is handed": (
        "class Base:\n    def __init__(self, model):\n        self.model = model\n\n\n"
        "class Trainer(Base):\n    def __init__(self, model, data):\n"
        "        super().__init__(model)\n        self.data = data\n\n"
        "    def train(self):\n        for a, b in self.data:\n"
        "            loss = nn.functional.mse_loss(self.model(a), b)\n"
        "            loss.backward()\n\n\n"
        "x = y = torch.ones(4, 1)\nmodel = config.build('net')\n"
        "Trainer(model, DataLoader(TensorDataset(x, y))).train()\n",
        "PYR420",
        "the source does not show which class of network this makes: config.build('net')",
    ),
    "a network that a subclass builds": (
        "class Base:\n    def __init__(self):\n        self.model = self.build().to('cpu')\n\n"
        "    def build(self):\n        return None\n\n\n"
        "class Trainer(Base):\n    def build(self):\n        return table['net'].Net()\n\n"
        "    def train(self, data):\n        for a, b in data:\n"
        "            loss = nn.functional.mse_loss(self.model(a), b)\n"
        "            loss.backward()\n\n\n"
        "x = y = torch.ones(4, 1)\nTrainer().train(DataLoader(TensorDataset(x, y)))\n",
        "PYR420",
        "the source does not show which class of network this makes: table['net'].Net()",
    ),
    "rows by their numbers": (
        "def load():\n    return torch.ones(4, 1), torch.ones(4, 1), torch.arange(2)\n\n\n"
        "x, y, kept = load()\nnet = Net()\nfor epoch in range(3):\n    out = net(x)\n"
        "    loss = nn.functional.mse_loss(out[kept], y[kept])\n    loss.backward()\n",
        "PYR422",
        "depends on the data: kept is set together with x",
    ),
    "own state": (
        "x = y = torch.ones(4, 1)\nnet = Net()\n" + STEP.replace("net(a)", "net(net.start(a))"),
        "PYR421",
        "the network is given what it made itself",
    ),
}


@pytest.mark.parametrize("case", IN_THE_WAY)
def test_what_cannot_be_cut_out_is_a_finding(case: str, lay_out: LayOut) -> None:
    rest, code, message = IN_THE_WAY[case]
    folder = rewritten(lay_out, rest)
    found = refused(folder)
    assert found[0] == code
    assert message in found[2]


def test_a_network_that_is_not_rewritten_is_refused(lay_out: LayOut) -> None:
    folder = lay_out(
        {"train.py": f"{NET}x = y = torch.ones(4, 1)\nnet = Net()\n{STEP}", "pyroify.yaml": SPEC}
    )
    code, _, message = refused(folder)
    assert (code, message) == ("PYR420", "Net is not rewritten yet")


TUNED = """
x = y = torch.ones(8, 1)
net = Net()
optimizer = torch.optim.{optimizer}
schedule = torch.optim.lr_scheduler.{schedule}
for epoch in range(3):
    for a, b in DataLoader(TensorDataset(x, y), batch_size=2):
        loss = nn.functional.mse_loss(net(a), b)
        loss.backward()
        {clip}
        optimizer.step()
"""


@pytest.mark.parametrize(
    ("optimizer", "schedule", "clip", "section", "notes", "findings"),
    [
        (
            "AdamW(net.parameters(), lr=0.1, weight_decay=1e-4)",
            "CosineAnnealingLR(optimizer, 3)",
            "nn.utils.clip_grad_norm_(net.parameters(), max_norm=0.5)",
            {"name": "Adam", "lr": 0.1, "schedule": "cosine", "clip_norm": 0.5},
            [
                "weight decay: 0.0001 is left to the prior, by train.py:25",
                "schedule: cosine, by train.py:26",
                "clip_norm: 0.5, by train.py:31",
            ],
            [],
        ),
        (
            "AdamW(net.parameters(), lr=0.1)",
            "StepLR(optimizer, 30)",
            "nn.utils.clip_grad_value_(net.parameters(), 1.0)",
            {"name": "Adam", "lr": 0.1},
            ["weight decay: 0.01, the default of AdamW is left to the prior"],
            [
                (26, "StepLR is not taken: the rate falls along a cosine"),
                (31, "gradients are cut by their norm, to 10, not by their values"),
            ],
        ),
        (
            "Adam(net.parameters(), lr=0.1, weight_decay=0.0)",
            "CosineAnnealingLR(optimizer, 3)",
            "pass",
            {"name": "Adam", "lr": 0.1, "schedule": "cosine"},
            [],
            [],
        ),
    ],
)
def test_decay_schedule_and_clipping_are_taken_or_said(
    optimizer: str,
    schedule: str,
    clip: str,
    section: dict[str, Any],
    notes: list[str],
    findings: list[tuple[int, str]],
    lay_out: LayOut,
) -> None:
    text = TUNED.format(optimizer=optimizer, schedule=schedule, clip=clip)
    origin = take(rewritten(lay_out, text))
    assert origin.section["optimizer"] == section
    said = "\n".join(origin.notes)
    for note in notes:
        assert note in said
    assert ("weight decay" in said) == any("weight decay" in note for note in notes)
    found = [(each.line, each.message) for each in origin.findings]
    assert found == findings


LIT = """
import lightning


class Lit(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = Net()

    def forward(self, batch):
        a, b = batch
        return nn.functional.mse_loss(self.net(a), b)

    def training_step(self, batch, number):
        return self.forward(batch)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.02)


x = y = torch.ones(8, 1)
trainer = lightning.Trainer(max_epochs=3, gradient_clip_val=2.0)
trainer.fit(Lit(), DataLoader(TensorDataset(x, y), batch_size=4))
"""


def test_a_step_that_returns_its_forward_is_followed(lay_out: LayOut) -> None:
    folder = rewritten(lay_out, LIT)
    origin = take(folder)
    assert origin.section["likelihood"] == {"family": "normal"}
    assert origin.section["optimizer"] == {"name": "Adam", "lr": 0.02, "clip_norm": 2.0}
    module = load_module(write_script(folder, origin))
    assert len(module.read_project()) == 8


# ---- the offer -----------------------------------------------------------------------


def test_emit_and_init_offer_the_script(lay_out: LayOut, run: Run) -> None:
    folder = rewritten(lay_out, f"x = y = torch.ones(4, 1)\nnet = Net()\n{OPTIMISED}")
    offer = "trains Net; `pyroify emit --from train.py` takes network, data and loss from it"
    ended = run("emit")
    assert ended.code == 2 and offer in ended.err
    (folder / "pyroify.yaml").unlink()
    assert offer in run("init").err


def test_rewrite_names_the_script_to_take_from(lay_out: LayOut, run: Run) -> None:
    text = f"{NET}x = y = torch.ones(4, 1)\nnet = Net()\n{OPTIMISED}"
    lay_out({"train.py": text, "pyroify.yaml": SPEC})
    assert "`pyroify emit --from train.py` writes a script" in run("rewrite").out


def test_a_script_outside_the_project_is_refused(
    lay_out: LayOut, run: Run, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lay_out({"pyroify.yaml": SPEC, "net.py": NET})
    other = tmp_path_factory.mktemp("other") / "train.py"
    other.write_text(NET)
    ended = run("emit", "--from", str(other))
    assert ended.code == 2 and "is not in the project" in ended.err


OPTIMISED = f"optimizer = torch.optim.Adam(net.parameters())\n{STEP}"

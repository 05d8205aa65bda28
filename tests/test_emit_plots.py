"""What a run leaves for people: pictures, and a report of one file that holds everything."""

import base64
import html
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from emit_cases import load_module, read_case, run_main
from test_emit_training import write_script

PNG = b"\x89PNG"
CURVE = {
    "model": {
        "class": "models.networks:MLP",
        "kwargs": {"in_size": 1, "hidden": 4, "out_size": 1},
    },
    "data": {"source": "rows.npz", "batch_size": 32},
}


def write_rows(folder: Path) -> None:
    x = np.linspace(-3, 3, 80)[:, None]
    np.savez(folder / "rows.npz", x=x, y=100 + 10 * np.sin(x[:, 0]))


class Elements(HTMLParser):
    """The tags of a page, its pictures, and the text of its cells row by row."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.pictures: dict[str, str] = {}
        self.rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "img":
            self.pictures[given["alt"].partition(":")[0]] = given["src"]
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self.rows.append([])


OF_NUMBERS = {"intervals", "errors", "calibration", "ranks", "predictive"}
OF_ALL = {"prior_posterior", "posterior_sd", "training"}


@pytest.mark.parametrize("engine", ["torch", "nuts"])
def test_the_report_is_one_file_with_numbers_settings_and_pictures(
    engine: str, tmp_path: Path
) -> None:
    changes = {"engine": engine, "nuts": {"samples": 5, "warmup": 5}} if engine == "nuts" else {}
    ran = run_main(load_module(write_script(tmp_path, **changes)), "--plots", "--samples=10")
    assert ran.code == 0, ran.err
    out = tmp_path / "runs/train_svi"
    text = (out / "report.html").read_text()
    page = Elements(text)
    assert page.pictures.keys() == OF_NUMBERS | OF_ALL
    assert text.count("<figcaption>") == len(page.pictures)
    for name, source in page.pictures.items():
        content = base64.b64decode(source.removeprefix("data:image/png;base64,"))
        assert content.startswith(PNG)
        assert content == (out / "plots" / f"{name}.png").read_bytes()
    results = json.loads((out / "results.json").read_text())
    assert page.rows[0] == ["", "posterior", "original network", "what it tells"]
    assert [row[0] for row in page.rows[1:] if row] == list(results["posterior"])
    for name, *cells, meaning in filter(None, page.rows[1:]):
        assert cells == [f"{column[name]:.4f}" for column in results.values()]
        assert len(meaning.split()) > 5
    assert text.index("<li><b>") < text.index("<table>"), "the verdicts are not on top"
    settings = re.search("<pre[^>]*>(.*)</pre>", text, re.DOTALL)
    assert settings
    facts = json.loads(html.unescape(settings[1]))
    assert facts == json.loads((out / "run.json").read_text())
    assert facts["versions"]["torch"] == torch.__version__
    assert not re.search(r'(src|href)="(?!data:)', text), "the report needs another file"


SHOWN = {
    "categorical": {"calibration", "confusion"},
    "censored_weibull": {"survival", "brier"},
    "dirichlet": {"calibration"},
}


@pytest.mark.parametrize("family", SHOWN)
def test_every_kind_of_target_has_pictures_of_its_own(family: str, tmp_path: Path) -> None:
    script = write_script(tmp_path, **read_case("likelihoods", family))
    ran = run_main(load_module(script), "--plots", "--samples=10", "--no-baseline")
    assert ran.code == 0, ran.err
    page = Elements((tmp_path / "runs/train_svi/report.html").read_text())
    assert page.pictures.keys() == SHOWN[family] | OF_ALL


def test_one_input_is_drawn_as_a_curve(tmp_path: Path) -> None:
    script = write_script(tmp_path, **CURVE)
    write_rows(tmp_path)
    module = load_module(script)
    assert run_main(module, "--plots", "--samples=10").code == 0
    out = tmp_path / "runs/train_svi"
    assert (out / "plots/curve.png").read_bytes().startswith(PNG)
    assert "curve" in Elements((out / "report.html").read_text()).pictures


def test_a_curve_is_in_the_units_of_the_data(tmp_path: Path) -> None:
    script = write_script(tmp_path, **CURVE)
    write_rows(tmp_path)
    module = load_module(script)
    flags = module.parse_flags(["--samples=10"])
    rows = module.split(module.load_data(flags), 0)
    scalings = module.fit_scalings(rows["train"], targets=True)
    parts = {name: module.scale_rows(part, scalings) for name, part in rows.items()}
    model, values = module.build_model(len(rows["train"]))
    objective = module.build_objective(model, values, parts["train"][:2]).eval()
    predictors = {"posterior": module.posterior(objective, 10)}
    axes = module.load_pyplot().figure().subplots()
    module.plot_curve(axes, predictors, parts, scalings)
    x, y = axes.collections[0].get_offsets().T
    np.testing.assert_allclose(x, rows["train"].inputs[0][:, 0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(y, rows["train"].targets, rtol=1e-5)
    across = axes.lines[0].get_xdata()
    assert across[0] < -3 < 3 < across[-1]
    assert 80 < np.mean(axes.lines[0].get_ydata()) < 120


def test_a_posterior_sd_is_that_of_the_guide(tmp_path: Path) -> None:
    module = load_module(write_script(tmp_path))
    rows = module.made_up_rows(8)
    objective = module.build_objective(*module.build_model(8), rows)
    with torch.no_grad():
        objective.guide.locs["net/fc1/weight"].fill_(1000.0)  # where squares would cancel
        objective.guide.log_scales["net/fc1/weight"].fill_(-2.0)
    sds = module.posterior_sds(objective.guide, 400)
    expected = torch.full((12,), -2.0).exp()
    torch.testing.assert_close(sds["net.fc1.weight"], expected, rtol=0.2, atol=0.0)


def test_plots_without_matplotlib_are_refused_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load_module(write_script(tmp_path))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ran = run_main(module, "--plots")
    assert ran.code == 2
    assert ran.err == "train_svi.py: --plots needs matplotlib: pip install matplotlib\n"
    assert not (tmp_path / "runs").exists()


def test_a_report_shows_no_pictures_of_an_earlier_run(tmp_path: Path) -> None:
    module = load_module(write_script(tmp_path))
    assert run_main(module, "--plots", "--no-baseline").code == 0
    assert run_main(module, "--eval", "--no-baseline").code == 0
    assert not Elements((tmp_path / "runs/train_svi/report.html").read_text()).pictures

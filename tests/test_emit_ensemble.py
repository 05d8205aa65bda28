"""An ensemble: members that differ, what is kept of each, and what a stop leaves."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from emit_cases import emit, lay_out_project, load_module, run_main

FLAGS = ("--epochs=4", "--samples=9")


def script_of(folder: Path, **changes: Any) -> ModuleType:
    lay_out_project(folder)
    path = folder / "train_svi.py"
    likelihood = {"family": "normal", "scale": "learned"}  # plain beside the latents
    settings = {"engine": "ensemble", "ensemble": {"members": 3}, "likelihood": likelihood}
    path.write_text(emit(**{**settings, **changes}).script)
    return load_module(path)


@pytest.fixture
def script(tmp_path: Path) -> ModuleType:
    return script_of(tmp_path)


def members(out: Path) -> dict[str, Any]:
    state = torch.load(out / "last.pt", weights_only=True)
    return state["parameters"]["guide._extra_state"]


def test_members_differ_and_each_keeps_what_is_plain(script: ModuleType, tmp_path: Path) -> None:
    out = tmp_path / "runs/train_svi"
    assert run_main(script, *FLAGS).code == 0
    kept = members(out)
    weights = kept["samples"]["net.fc1.weight"]
    assert weights.shape == (3, 4, 3)
    assert not torch.equal(weights[0], weights[1])
    noises = {float(plain["scale_unconstrained"]) for plain in kept["plain"]}
    assert len(noises) == 3
    objective, _ = script.load_trained(script.parse_flags([]))
    inputs = (torch.randn(5, 3),)
    predicted = script.rt.posterior(objective, 9)(inputs)
    assert len(predicted) == 9  # so many draws of targets, for intervals
    assert len({float(each.stddev[0].detach()) for each in predicted}) == 3
    assert json.loads((out / "results.json").read_text()).keys() == {
        "posterior",
        "original network",
    }


def test_a_member_is_fitted_under_its_prior(tmp_path: Path) -> None:
    sizes = []
    for weight in (1e-6, 1e3):
        out = tmp_path / str(weight)
        flags = (*FLAGS, "--no-baseline", f"--kl-weight={weight}", f"--out={out}", "--lr=0.1")
        assert run_main(script_of(tmp_path), *flags).code == 0
        sizes.append(members(out)["samples"]["net.fc1.weight"].square().mean())
    assert sizes[1] < sizes[0]


def test_a_stopped_ensemble_goes_on_with_the_next_member(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert run_main(script, *FLAGS, "--no-baseline", f"--out={whole}").code == 0
    fit = script.rt.fit_point
    fitted: Iterator[int] = iter(range(1))

    def stop_at_the_second(*given: Any, **options: Any) -> Any:
        if next(fitted, None) is None:
            raise KeyboardInterrupt
        return fit(*given, **options)

    with monkeypatch.context() as patched:
        patched.setattr(script.rt, "fit_point", stop_at_the_second)
        assert run_main(script, *FLAGS, f"--out={cut}").code == 130
    ran = run_main(script, *FLAGS, "--no-baseline", f"--out={cut}")
    assert "going on after member 1" in ran.err
    for name, values in members(whole)["samples"].items():
        assert torch.equal(members(cut)["samples"][name], values), name
    again = run_main(script, *FLAGS, "--no-baseline", f"--out={cut}")
    assert "going on after member 3" in again.err
    refused = run_main(script, *FLAGS, "--lr=0.5", f"--out={cut}")
    assert (refused.code, "was made with other --lr" in refused.err) == (2, True)
    from_file = run_main(script, *FLAGS, f"--resume={cut / 'last.pt'}")
    assert (from_file.code, "cannot go on from a file" in from_file.err) == (2, True)


def test_every_member_is_exported_with_its_own_noise(script: ModuleType, tmp_path: Path) -> None:
    run_main(script, *FLAGS, "--no-baseline")
    assert run_main(script, "--export").code == 0
    exported = torch.load(tmp_path / "runs/train_svi/draws.pt", weights_only=True)
    assert len(exported["draws"]) == 3
    kept = members(tmp_path / "runs/train_svi")
    for number, (network, noise) in enumerate(
        zip(exported["draws"], exported["likelihood"], strict=True)
    ):
        assert torch.equal(network["fc1.weight"], kept["samples"]["net.fc1.weight"][number])
        assert len({float(each["scale"]) for each in exported["likelihood"]}) == 3
        assert float(noise["scale"]) > 0

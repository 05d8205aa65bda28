"""Rows: made of arrays and files, refused where they are bad, split and scaled."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from pyroify.training.data.files import read_archive, read_arrays, read_csv
from pyroify.training.data.project import read_project
from pyroify.training.data.rows import (
    Rows,
    as_rows,
    fit_scalings,
    held_out,
    scale_inputs,
    scale_rows,
    split,
    unscale,
)
from pyroify.training.data.sources import Source
from pyroify.training.errors import Abort, first_line

X = np.arange(12.0).reshape(6, 2)
Y = np.arange(6.0)


def refusal(make: Any) -> str:
    with pytest.raises(Abort) as caught:
        make()
    assert caught.value.code == 2
    return str(caught.value)


def test_rows_are_cut_with_all_that_belongs_to_them() -> None:
    rows = as_rows([X], Y, 1 + Y, columns=("a", "b"))
    part = rows[torch.tensor([4, 1])]
    assert part.inputs[0].tolist() == [[8, 9], [2, 3]]
    assert part.given["targets"].tolist() == [4, 1]
    assert part.given["weights"].tolist() == [5, 2]
    assert (len(part), part.columns) == (2, ("a", "b"))
    assert as_rows([X], Y).given.keys() == {"targets"}


@pytest.mark.parametrize(
    ("targets", "kind", "message"),
    [
        (Y[:5], {}, "differ in their number of rows: [6, 5]"),
        (Y + 0.5, {"labels": True}, "class labels must be whole numbers"),
        (np.where(Y > 3, np.nan, Y), {}, "NaN or infinite values: 2, the first at index (4,)"),
        (np.where(Y > 3, np.inf, Y), {"may_be_nan": True}, "NaN or infinite values: 2"),
        (Y + 1j, {}, "complex numbers cannot be used"),
        (np.array(["a"] * 6), {}, "<U1 are not numbers"),
    ],
)
def test_bad_targets_are_refused(targets: Any, kind: dict[str, bool], message: str) -> None:
    assert message in refusal(lambda: as_rows([X], targets, **kind))


def test_targets_are_of_the_kind_asked_for() -> None:
    assert as_rows([X], Y, labels=True).targets.dtype == torch.int64
    assert as_rows([X], Y.astype(int)).targets.dtype == torch.get_default_dtype()
    assert as_rows([X], Y[:, None]).targets.shape == (6,)
    missing = as_rows([X], np.where(Y > 3, np.nan, Y), may_be_nan=True).targets
    assert missing.isnan().tolist() == [False] * 4 + [True] * 2


def test_weights_that_are_not_positive_are_refused() -> None:
    assert "weights must be positive" in refusal(lambda: as_rows([X], Y, Y))


def test_a_split_parts_the_rows_and_is_the_same_each_time() -> None:
    rows = as_rows([X], Y)
    parts = split(rows, 3, test=0.34, validation=0.17)
    assert {name: len(part) for name, part in parts.items()} == {
        "train": 3,
        "validation": 1,
        "test": 2,
    }
    assert sorted(torch.cat([part.targets for part in parts.values()]).tolist()) == Y.tolist()
    again = split(rows, 3, test=0.34, validation=0.17)
    assert torch.equal(again["train"].targets, parts["train"].targets)
    assert all(part is parts[name] for name, part in split(parts, 5).items())
    assert held_out(parts) == ("test", parts["test"])
    assert held_out({**parts, "test": rows[:0]})[0] == "validation"
    assert "too few to train" in refusal(lambda: split(rows, 0, test=0.6, validation=0.4))


def test_rows_of_a_table_are_split_where_they_lie_those_of_others_are_copied() -> None:
    """A table's numbers are read for the run: there is one of each, whatever is done to them."""
    table = as_rows([X.copy()], Y.copy(), 1 + Y, columns=("a", "b"))
    others = as_rows([X], Y, 1 + Y)
    parts, copies = (split(rows, 3, test=0.34, validation=0.17) for rows in (table, others))
    for name, part in parts.items():
        assert torch.equal(part.inputs[0], copies[name].inputs[0])
        assert torch.equal(part.targets, copies[name].targets)
        assert torch.equal(part.given["weights"], copies[name].given["weights"])
        assert storage(part.inputs[0]) == storage(table.inputs[0])
        assert storage(copies[name].inputs[0]) != storage(others.inputs[0])
    assert others.targets.tolist() == Y.tolist()


def storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def test_scaling_is_that_of_the_training_rows_and_undone() -> None:
    rows = Rows((torch.tensor([[0.0, 5.0], [2.0, 5.0]]),), torch.tensor([1.0, 3.0]))
    scalings = fit_scalings(rows, targets=True)
    scaled = scale_rows(rows, scalings)
    assert scaled.inputs[0].tolist() == [[-1, 0], [1, 0]]  # a constant column is only moved
    assert scaled.targets.tolist() == [-1, 1]
    assert torch.equal(unscale(scaled.targets, scalings["targets"][0]), rows.targets)
    together = fit_scalings(rows, "together")["inputs"][0]
    assert (together["mean"].item(), together["sd"].dim()) == (3, 0)
    assert fit_scalings(rows, "none") == {"inputs": [{}], "targets": [{}]}


def test_missing_values_do_not_count_for_the_scaling() -> None:
    rows = Rows((torch.zeros(3, 1),), torch.tensor([1.0, 3.0, torch.nan]))
    scaling = fit_scalings(rows, targets=True)["targets"][0]
    assert (scaling["mean"].item(), scaling["sd"].item()) == (2, 1)


def test_whole_numbers_are_not_scaled() -> None:
    rows = Rows((torch.tensor([[1, 2]]),), torch.zeros(1))
    assert fit_scalings(rows)["inputs"] == [{}]


def test_inputs_of_another_form_are_not_scaled() -> None:
    scalings = fit_scalings(as_rows([X], Y))
    assert "2 inputs were given, 1 are needed" in refusal(
        lambda: scale_inputs([torch.zeros(1, 2)] * 2, scalings)
    )
    message = refusal(lambda: scale_inputs([torch.zeros(1, 3)], scalings))
    assert message == "rows of shape [2] are needed, not [3]"


def test_a_table_gives_columns_by_name(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,name,y\n1,x,3\n4,,6\n\n")
    table = read_csv(path)
    assert table.all_but("name") == ("a", "y")
    assert table.pick("y", "a").tolist() == [[3, 1], [6, 4]]
    assert "line 2, column 'name': 'x' is not a number" in refusal(lambda: table.pick("name"))
    assert "has no column 'b'" in refusal(lambda: table.pick("b"))
    path.write_text("a,a\n1,2\n")
    assert "has a column twice" in refusal(lambda: read_csv(path))
    path.write_bytes(b"\xff\xfe")
    assert "is not a .csv file in UTF-8" in refusal(lambda: read_csv(path))


def test_arrays_are_read_by_name_or_in_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", x=X, y=Y)
    y, x = read_archive(tmp_path / "rows.npz", "y", "x")
    assert (x.shape, y.shape) == ((6, 2), (6,))
    assert "has no array 'z'" in refusal(lambda: read_archive(tmp_path / "rows.npz", "z"))
    assert len(read_arrays(tmp_path / "rows.npz")) == 2
    np.save(tmp_path / "x.npy", X)
    assert len(read_arrays(tmp_path / "x.npy")) == 1
    assert "is the path right?" in refusal(lambda: read_arrays(tmp_path / "none.npy"))


def test_a_source_names_itself_and_the_line_that_failed() -> None:
    source = Source("project.data:load", targets="y")
    assert source.read((X, Y)).inputs[0].shape == (6, 2)  # type: ignore[union-attr]
    message = r"project.data:load\(\) failed with ZeroDivisionError: division by zero"
    with pytest.raises(Abort, match=message), source.refusing():
        _ = 1 / 0
    with pytest.raises(Abort, match="as it is"), source.refusing():
        raise Abort(4, "as it is")


def test_an_error_without_a_text_is_named() -> None:
    assert first_line(KeyError()) == "KeyError"
    assert first_line(ValueError("a\nb")) == "a"


def test_a_part_of_a_project_that_is_none_is_left_out() -> None:
    """As scripts have it that test only where there is a test set."""
    loader = DataLoader(TensorDataset(torch.tensor(X), torch.tensor(Y)), batch_size=4)
    given = {"train": loader, "validation": loader, "test": None}
    rows = read_project("train.py", lambda: (given, lambda batch: (batch[:1], batch[1])))
    assert isinstance(rows, dict)
    assert {name: len(part) for name, part in rows.items()} == {
        "train": 6,
        "validation": 6,
        "test": 0,
    }

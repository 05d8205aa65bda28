"""The ``data:`` section: where rows come from and what is done to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from pyroify.emit.section import Section
from pyroify.emit.values import is_reference

FILES: Final = {".npz": "npz", ".csv": "csv", ".parquet": "parquet"}
FORMS: Final = ("flat", "kept")
STANDARDIZE: Final = ("columns", "together", "none")
SKLEARN: Final = ("breast_cancer", "diabetes", "digits", "iris", "linnerud", "wine")


@dataclass(frozen=True, slots=True)
class Data:
    """Where the rows come from, and what is done to them before training.

    ``kind`` names the template; ``file``, or ``module`` and ``name``, say where. ``inputs``
    names arrays or columns, empty for all; with ``keywords`` each goes to that argument of
    ``forward``. ``weights`` names the array or column of row weights, if any. ``shape`` holds
    the shape of one row of each input, empty where it must be guessed. ``rows`` is how many to
    make up where there is no data. ``test`` and ``validation`` are shares of the rows.
    ``standardize`` brings each column to mean 0 and sd 1, or all values of an input together,
    as pixels, where the sd of a column that is rarely used would blow it up. ``form`` is "kept"
    where mappings and tuples go to the network as they are. ``stream`` says whether rows are read
    batch by batch, None where the spec does not. ``size`` rows stand for all, 0 where the data
    tell; ``count`` names what in a batch says how many it has.
    """

    kind: str
    file: str
    module: str
    name: str
    inputs: tuple[str, ...]
    keywords: tuple[str, ...]
    targets: tuple[str, ...]
    weights: str
    shape: tuple[tuple[int, ...], ...]
    rows: int
    batch_size: int
    test: float
    validation: float
    standardize: str
    form: str
    stream: bool | None
    size: int
    count: str

    @property
    def may_be_one_number(self) -> bool:
        """Whether a row's input may be a single number, as far as the settings tell."""
        if self.shape:
            return self.shape == ((1,),)
        if self.inputs or self.keywords:
            return len(self.inputs) == 1
        return self.kind != "sklearn"


def read_data(section: Section) -> Data:
    """The data settings; faults go to the section's problems."""
    source = section.text("source", "synthetic")
    kind, file, module, name = _parse_source(section, source)
    inputs, keywords = _inputs(section, ("x",) if kind == "npz" else ())
    data = Data(
        kind=kind,
        file=file,
        module=module,
        name=name,
        inputs=inputs,
        keywords=keywords,
        targets=section.texts("targets", ("y",)),
        weights=section.text("weights", ""),
        shape=_shape(section),
        rows=section.count("rows", 1000),
        batch_size=section.count("batch_size", 512),
        test=_share(section, "test", 0.2),
        validation=_share(section, "validation", 0.0),
        standardize=section.choice("standardize", STANDARDIZE, "columns"),
        form=section.choice("form", FORMS, "flat"),
        stream=section.flag("stream", False) if "stream" in section.values else None,
        size=section.count("rows", 0) if kind not in ("synthetic", "npz", "sklearn") else 0,
        count=section.text("count", ""),
    )
    if kind != "function":
        for key in ("form", "count", *(["stream"] if kind not in ("csv", "parquet") else [])):
            if key in section.values:
                message = "this is for data that package.module:function gives"
                section.problem(key, message, "leave it out")
    if data.test + data.validation >= 1:
        section.problem("test", "test and validation together leave no row to train on")
    if data.weights and data.stream:
        section.problem("weights", "rows that are read chunk by chunk have no weights")
    if data.weights and not file:
        section.problem("weights", "the weights of rows are an array or column of a file")
    if not data.targets:
        section.problem("targets", "there is nothing to predict", "name an array or column")
    if kind == "npz" and len(data.targets) > 1:
        section.problem("targets", "an archive holds the targets in one array")
    section.finish()
    return data


def _parse_source(section: Section, source: str) -> tuple[str, str, str, str]:
    """Kind, file, module and name of the source."""
    if source == "synthetic":
        return "synthetic", "", "", ""
    scheme, _, name = source.partition(":")
    if scheme == "sklearn":
        if name not in SKLEARN:
            section.problem(
                "source", f"scikit-learn brings no {name!r}", f"choose from {', '.join(SKLEARN)}"
            )
        return "sklearn", "", "", name
    suffix = PurePosixPath(source).suffix
    if suffix in FILES:
        return FILES[suffix], source, "", ""
    if is_reference(source):
        return "function", "", scheme, name
    section.problem(
        "source",
        f"{source!r} is not a source of data",
        "name a .npz, .csv or .parquet file, package.module:function, sklearn:NAME or synthetic",
    )
    return "synthetic", "", "", ""


def _inputs(section: Section, default: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of arrays or columns, and the arguments they go to where a mapping says so."""
    if not isinstance(section.values.get("inputs"), Mapping):
        return section.texts("inputs", default), ()
    pairs = section.mapping("inputs")
    if not all(isinstance(name, str) for name in (*pairs, *pairs.values())):
        section.problem("inputs", "arguments and arrays are given by name")
        return default, ()
    return tuple(pairs.values()), tuple(pairs)


def _share(section: Section, key: str, default: float) -> float:
    value = section.number(key, default, least=0.0)
    if value >= 1:
        section.problem(key, f"{value} is not a share of the rows, from 0 to below 1")
        return default
    return value


def _shape(section: Section) -> tuple[tuple[int, ...], ...]:
    """``[10]`` for one input, ``[[10], [3, 8, 8]]`` for two."""
    value = section.take("shape")
    if value is None:
        return ()
    rows = value if value and isinstance(value, list) and isinstance(value[0], list) else [value]
    for row in rows:
        if not isinstance(row, list) or not all(type(n) is int and n > 0 for n in row):
            section.problem("shape", f"{row!r} is not the shape of one row, such as [10]")
            return ()
    return tuple(tuple(row) for row in rows)

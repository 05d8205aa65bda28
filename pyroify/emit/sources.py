"""The ``data:`` section: where rows come from and what is done to them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from pyroify.emit.section import Section
from pyroify.emit.values import is_reference

FILES: Final = {".npz": "npz", ".csv": "csv", ".parquet": "parquet"}
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
    source = section.read("source")
    kind, file, module, name = _parse_source(section, source)
    inputs, keywords = section.read("inputs") or (("x",) if kind == "npz" else (), ())
    rows = section.read("rows")
    data = Data(
        kind=kind,
        file=file,
        module=module,
        name=name,
        inputs=inputs,
        keywords=keywords,
        targets=section.read("targets"),
        weights=section.read("weights"),
        shape=section.read("shape") or (),
        rows=rows or 1000,
        batch_size=section.read("batch_size"),
        test=section.read("test"),
        validation=section.read("validation"),
        standardize=section.read("standardize"),
        form=section.read("form"),
        stream=section.read("stream"),
        size=rows or 0 if kind not in ("synthetic", "npz", "sklearn") else 0,
        count=section.read("count"),
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

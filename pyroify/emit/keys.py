"""What ``svi:`` may say, as data: the checks, the JSON Schema and the reference are made of it.

What it may say of a likelihood or a guide is in `pyroify.emit.family`, from their templates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pyroify.emit.family import Guides, Likelihoods
from pyroify.emit.output import EXAMPLE
from pyroify.spec.kinds import (
    Choice,
    Count,
    Flag,
    Key,
    Named,
    Number,
    Schema,
    Table,
    Text,
    Texts,
    Wrong,
    is_finite,
)

OPTIMIZERS: Final = ("Adam", "Adamax", "NAdam", "RAdam", "RMSprop", "SGD")
SCHEDULES: Final = ("constant", "cosine", "linear", "exponential")
ENGINES: Final = ("torch", "svi", "lightning", "nuts", "ensemble", "laplace")
ELBOS: Final = ("auto", "Trace_ELBO")
EVERYWHERE: Final = "everywhere"
CHOICES: Final = ("last", "best")
DEVICES: Final = ("one", "several")
PARTS: Final = ("baseline", "export", "plots")
STRUCTURES: Final = ("auto", "full", "kron")
PRIORS: Final = ("kept", "evidence")
FORMS: Final = ("flat", "kept")
STANDARDIZE: Final = ("columns", "together", "none")
LOGGERS: Final = {
    "csv": "CSVLogger(run.flags.out)",
    "mlflow": 'MLFlowLogger(save_dir=str(run.flags.out / "mlruns"))',
    "tensorboard": "TensorBoardLogger(run.flags.out)",
    "wandb": "WandbLogger(save_dir=run.flags.out)",
}
"""Those of Lightning, as source."""


@dataclass(frozen=True, slots=True)
class Auto:
    """``auto``, which gives ``found``, or a count."""

    count: Count
    found: int | None

    def schema(self) -> Schema:
        """The kind as JSON Schema."""
        return {"anyOf": [{"const": "auto"}, self.count.schema()]}

    def read(self, value: Any) -> int | None:
        """The count."""
        return self.found if value == "auto" else self.count.read(value)


@dataclass(frozen=True, slots=True)
class FlagOr:
    """True, false, or a word that is more than true."""

    word: str

    def schema(self) -> Schema:
        """The kind as JSON Schema."""
        return {"anyOf": [Flag().schema(), {"const": self.word}]}

    def read(self, value: Any) -> bool | str:
        """The truth value, or the word."""
        return Choice((self.word,)).read(value) if isinstance(value, str) else Flag().read(value)


@dataclass(frozen=True, slots=True)
class Share:
    """A share of the rows."""

    def schema(self) -> Schema:
        """The kind as JSON Schema."""
        return {"type": "number", "minimum": 0, "exclusiveMaximum": 1}

    def read(self, value: Any) -> float:
        """The share."""
        share = Number(least=0).read(value)
        if share < 1:
            return share
        raise Wrong(f"{share} is not a share of the rows, from 0 to below 1")


@dataclass(frozen=True, slots=True)
class RowShape:
    """The shape of a row: ``[10]`` for one input, ``[[10], [3, 8, 8]]`` for two."""

    def schema(self) -> Schema:
        """The kind as JSON Schema."""
        row = {"type": "array", "items": Count().schema()}
        return {"anyOf": [row, {"type": "array", "items": row, "minItems": 1}]}

    def read(self, value: Any) -> tuple[tuple[int, ...], ...]:
        """The shapes, of each input one."""
        is_nested = value and isinstance(value, list) and isinstance(value[0], list)
        rows = value if is_nested else [value]
        for row in rows:
            if not isinstance(row, list) or not all(type(n) is int and n > 0 for n in row):
                raise Wrong(f"{row!r} is not the shape of one row, such as [10]")
        return tuple(tuple(row) for row in rows)


@dataclass(frozen=True, slots=True)
class Arguments:
    """Names of arrays or columns; in a mapping, each beside the argument that it goes to."""

    def schema(self) -> Schema:
        """The kind as JSON Schema."""
        pairs = {"type": "object", "additionalProperties": {"type": "string"}}
        return {"anyOf": [*Texts().schema()["anyOf"], pairs]}

    def read(self, value: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The names, and the arguments where they are given."""
        if not isinstance(value, Mapping):
            return Texts().read(value), ()
        if not all(isinstance(name, str) for name in (*value, *value.values())):
            raise Wrong("arguments and arrays are given by name")
        return tuple(value.values()), tuple(value)


@dataclass(frozen=True, slots=True)
class Pins:
    """Patterns alone, or each with the number that it pins its sites at."""

    def schema(self) -> Schema:
        """The kind as JSON Schema."""
        value: Schema = {"anyOf": [{"const": "init"}, {"type": "number"}]}
        return {
            "anyOf": [*Texts().schema()["anyOf"], {"type": "object", "additionalProperties": value}]
        }

    def read(self, value: Any) -> tuple[tuple[str, float | None], ...]:
        """Each pattern with its number, None for the value that the guide begins with."""
        if not isinstance(value, Mapping):
            return tuple((pattern, None) for pattern in Texts().read(value))
        for pattern, at in value.items():
            if at != "init" and not is_finite(at):
                raise Wrong(f"{at!r} is no value for {pattern}", "write a number or `init`")
        return tuple((str(p), None if at == "init" else float(at)) for p, at in value.items())


MODEL: Final = Table(
    "model",
    "The network to train.",
    (
        Key(
            "class",
            "Its class, `package.models:Net`; with `emit --from` its name alone will do.",
            Text({"examples": ["package.models:Net"]}),
            default="",
        ),
        Key(
            "kwargs",
            "The arguments of its constructor by name: numbers, text, lists and mappings.",
            Named(),
            default={},
        ),
        Key(
            "path",
            "Folders that the script imports from, relative to the root.",
            Texts(),
            default=".",
        ),
    ),
    is_optional=True,
)

DATA: Final = Table(
    "data",
    "Where the rows come from, and what is done to them.",
    (
        Key(
            "source",
            "A `.npz`, `.csv` or `.parquet` file, `package.module:name`, a data set that comes "
            "with scikit-learn (`sklearn:diabetes`), or `synthetic`.",
            Text({"examples": ["data.npz", "package.module:rows", "sklearn:diabetes"]}),
            default="synthetic",
        ),
        Key(
            "inputs",
            "The arrays or columns that are inputs; in a mapping, each beside the argument of "
            "`forward` that it goes to.",
            Arguments(),
            otherwise="`x` of an archive, else all columns but the targets",
        ),
        Key(
            "targets",
            "The arrays or columns that are predicted.",
            Texts(),
            default="y",
        ),
        Key(
            "weights",
            "An array or column of positive weights, one for each row.",
            Text(),
            default="",
        ),
        Key(
            "shape",
            "The shape of one row of each input, where it must be made up.",
            RowShape(),
            otherwise="guessed",
        ),
        Key(
            "rows",
            "How many rows there are, where the data do not tell it; of `synthetic`, how many are "
            "made up.",
            Count(),
            otherwise="1000 of `synthetic`",
        ),
        Key("batch_size", "Rows in a batch.", Count(), default=512),
        Key("test", "The share of the rows that are kept for the test.", Share(), default=0.2),
        Key(
            "validation",
            "The share of the rows that say which epoch is best.",
            Share(),
            default=0.0,
        ),
        Key(
            "standardize",
            "What is brought to mean 0 and sd 1: each of the `columns`, all values of an input "
            "`together`, or `none`.",
            Choice(STANDARDIZE),
            default="columns",
        ),
        Key(
            "form",
            "`kept` hands mappings and tuples to the network as they are.",
            Choice(FORMS),
            default="flat",
        ),
        Key(
            "stream",
            "Whether rows are read batch by batch, in each epoch anew.",
            Flag(),
            otherwise="whether a function gives them",
        ),
        Key(
            "count",
            "What in a batch says how many rows it has: a number, or a mask.",
            Text(),
            default="",
        ),
    ),
    is_optional=True,
)

OPTIMIZER: Final = Table(
    "optimizer",
    "How the steps are made.",
    (
        Key("name", "One of torch's.", Choice(OPTIMIZERS), default="Adam"),
        Key("lr", "The learning rate.", Number(), default=0.01),
        Key(
            "schedule",
            "How the rate falls. With `steps: auto`, the `cosine` is whole until the loss is flat.",
            Choice(SCHEDULES),
            default="cosine",
        ),
        Key(
            "clip_norm",
            "The norm that gradients are cut down to; 0 leaves them as they are.",
            Number(least=0),
            default=10.0,
        ),
    ),
    is_optional=True,
)

ELBO: Final = Table(
    "elbo",
    "What is optimised.",
    (
        Key(
            "name",
            "`auto` takes the KL in closed form where the guide allows it.",
            Choice(ELBOS),
            default="auto",
        ),
        Key("particles", "Draws for each step.", Count(), default=1),
        Key(
            "local_reparametrization",
            "Draws the noise of weights in the outputs of layers that are used once for each row; "
            "`everywhere`: of convolutions and of layers over tokens too.",
            FlagOr(EVERYWHERE),
            default=True,
        ),
        Key(
            "kl_weight", "The weight of the KL; below 1 is a cold posterior.", Number(), default=1.0
        ),
        Key(
            "kl_warmup",
            "Epochs over which the weight of the KL rises; 0: it is whole from the start; "
            "`auto`: half of the least number of epochs.",
            Auto(Count(least=0), None),
            default="auto",
        ),
    ),
    is_optional=True,
)

NUTS: Final = Table(
    "nuts",
    "Of `engine: nuts`.",
    (
        Key("samples", "Draws that are kept.", Count(least=4), default=200),
        Key("warmup", "Draws that come before them.", Count(), default=200),
    ),
    is_optional=True,
)

ENSEMBLE: Final = Table(
    "ensemble",
    "Of `engine: ensemble`.",
    (Key("members", "Networks that are fitted.", Count(least=2), default=5),),
    is_optional=True,
)

LAPLACE: Final = Table(
    "laplace",
    "Of `engine: laplace`.",
    (
        Key(
            "structure",
            "What is kept of the curvature: all of it (`full`), Kronecker factors of each layer "
            "(`kron`), or `auto`: all of up to 1,000 weights.",
            Choice(STRUCTURES),
            default="auto",
        ),
        Key(
            "sites",
            "The sites that have a posterior, as patterns of their names: those of the last layer, "
            "for instance. All others keep one value.",
            Texts(),
            default="*",
        ),
        Key(
            "prior",
            "`kept` as it is declared, or with its precision scaled by the `evidence`.",
            Choice(PRIORS),
            default="kept",
        ),
        Key("draws", "Draws of the weights that are kept.", Count(least=2), default=200),
    ),
    is_optional=True,
)

HANDLERS: Final = Table(
    "handlers",
    "Effect handlers on latent sites, by patterns of their names.",
    (
        Key(
            "condition",
            "Sites that are pinned where the guide begins, or at a number: `{net.a: 1.0}`.",
            Pins(),
            default=[],
        ),
        Key("reparam", "Sites that location and scale are taken out of.", Texts(), default=[]),
        Key(
            "do",
            "Sites that are zero in one more column of the evaluation.",
            Texts(),
            default=[],
        ),
    ),
    is_optional=True,
)


SVI: Final = Table(
    "svi",
    "What the emitted training script is made of.",
    (
        Key("output", "The script, relative to the root.", Text(), default=EXAMPLE),
        Key("model", MODEL.says, MODEL),
        Key("data", DATA.says, DATA),
        Key(
            "likelihood",
            "What the targets are, given the output of the network.",
            Likelihoods(),
            otherwise="what the loss of the project tells, else `normal`",
        ),
        Key("guide", "The family that the posterior is looked for in.", Guides()),
        Key("optimizer", OPTIMIZER.says, OPTIMIZER),
        Key("elbo", ELBO.says, ELBO),
        Key("nuts", NUTS.says, NUTS),
        Key("ensemble", ENSEMBLE.says, ENSEMBLE),
        Key("laplace", LAPLACE.says, LAPLACE),
        Key("handlers", HANDLERS.says, HANDLERS),
        Key(
            "engine",
            "What trains: a loop of plain torch, Pyro's SVI, Lightning, NUTS, one network after "
            "the other, or one with laplace-torch around it.",
            Choice(ENGINES),
            default="torch",
        ),
        Key("devices", "On how many devices.", Choice(DEVICES), default="one"),
        Key(
            "epochs",
            "How long to train, in passes over the rows.",
            Count(),
            otherwise="as `steps` say",
        ),
        Key(
            "steps",
            "How long to train, in steps; `auto`: until the loss is flat.",
            Auto(Count(), 0),
            default="auto",
        ),
        Key(
            "choose",
            "The epoch that is evaluated: the `last`, or the `best` by the validation.",
            Choice(CHOICES),
            otherwise="`last`; with `patience`, `best`",
        ),
        Key(
            "patience",
            "Epochs without a better validation after which to stop; 0: never.",
            Count(least=0),
            default=0,
        ),
        Key("arviz", "Whether the draws are also written for ArviZ.", Flag(), default=False),
        Key(
            "logger",
            "With `engine: lightning`, one of Lightning's.",
            Choice(("none", *LOGGERS)),
            default="none",
        ),
        Key(
            "leave_out",
            "What the script does without: the `baseline` that trains the original network "
            "for comparison, `export`, `plots`.",
            Texts(PARTS),
            default=[],
        ),
        Key("seed", "Of all that is random.", Count(least=0), default=0),
    ),
    is_optional=True,
)

"""What a spec may say, as data: the checks, the JSON Schema and the reference are made of it.

Below ``svi:`` it is `pyroify.emit.keys`.
"""

from __future__ import annotations

from typing import Final, get_args

from pyroify.catalog.layers import LAYERS
from pyroify.spec.kinds import Choice, Count, Flag, Form, Key, Schema, Table, Text, Texts
from pyroify.spec.model import Helpers

ACTIONS: Final = ("sample", "value", "param", "keep")
INITS: Final = ("keep", "exp", "softplus", "unconstrained")

REFERENCE: Final = r"[^\W\d][\w.]*:[^\W\d][\w.]*"
"""How the name of a class or function with its module looks."""

OWNERS: Final = tuple(name for name, layer in LAYERS.items() if layer.parameters)
"""The layers of torch.nn with parameters."""


def _defined(name: str) -> Form:
    return Form({"$ref": f"#/$defs/{name}"})


def _each(name: str) -> Form:
    return Form({"type": ["array", "null"], "items": {"$ref": f"#/$defs/{name}"}})


_REFERENCE: Final[Schema] = {"type": "string", "pattern": f"^{REFERENCE}$"}

RULE: Final = Table(
    "a rule",
    "Which parameters, and what becomes of them.",
    (
        Key(
            "match",
            "`[module:]Class.path`, the parameter's name. `*`, `?` and `[...]` match within one "
            "segment, `**` any number of segments. Without a module it is any module. `**` is "
            "every parameter, `**.bias` every bias.",
            Text({"minLength": 1, "examples": ["**", "**.bias", "models.mlp:MLP.fc*.weight"]}),
            missing='match: "**"',
        ),
        Key(
            "layer",
            "Only parameters owned by these layers of torch.nn; globs are allowed.",
            Form(
                {
                    "anyOf": [
                        {"$ref": "#/$defs/layer"},
                        {"type": "array", "items": {"$ref": "#/$defs/layer"}},
                    ]
                }
            ),
        ),
        Key("sample", "The parameter becomes a PyroSample with this prior.", _defined("prior")),
        Key(
            "value",
            "The parameter becomes a PyroSample that is computed from other attributes and draws "
            "nothing itself.",
            _defined("expression"),
        ),
        Key(
            "param",
            "The parameter becomes a PyroParam under this constraint.",
            _defined("constraint"),
        ),
        Key("keep", "The parameter stays an nn.Parameter.", Form({"const": True})),
        Key(
            "init",
            "Where a PyroParam starts: at the value the code gives (`keep`), at its `exp` or "
            "`softplus`, at the value taken as the unconstrained one (`unconstrained`), or at a "
            "number.",
            Form({"anyOf": [{"enum": list(INITS)}, {"type": "number"}]}),
            default="keep",
            only_with="param",
        ),
        Key(
            "event_dim",
            "Dimensions of one value of a PyroParam, where not the constraint's own.",
            Count(least=0),
            only_with="param",
        ),
        Key(
            "centered",
            "`false` writes the parameter as location plus scale times a standard latent, which "
            "is easier to fit when the scale is random too.",
            Flag(),
            default=True,
            only_with="sample",
        ),
    ),
    one_of=ACTIONS,
)

LATENT: Final = Table(
    "a latent",
    "A random attribute that the class does not have yet.",
    (
        Key(
            "class",
            "`[module:]Class`, globs allowed.",
            Text({"minLength": 1}),
            missing="class: MyModule",
        ),
        Key(
            "name",
            "The attribute; dotted to put it on a submodule.",
            Text({"pattern": r"^[^\W\d]\w*(\.[^\W\d]\w*)*$"}),
            missing="name: tau",
        ),
        Key("sample", "Its prior.", _defined("prior")),
        Key("value", "What it is computed from, instead of a prior.", _defined("expression")),
        Key(
            "shape",
            "Its sizes: whole numbers, or attributes such as `self.hidden`. Without it the "
            "attribute is a single number.",
            Form(
                {
                    "type": "array",
                    "items": {
                        "anyOf": [
                            {"type": "integer", "minimum": 1},
                            {"type": "string", "pattern": r"^\s*(self(\.\w+)+|[1-9]\d*)\s*$"},
                        ]
                    },
                }
            ),
        ),
    ),
    one_of=("sample", "value"),
)

OPTIONS: Final = Table(
    "options",
    "How the declarations are written.",
    (
        Key(
            "follow_module",
            "Priors follow the module's `.to()` and `.double()`.",
            Flag(),
            default=False,
        ),
        Key(
            "load_original_state_dict",
            "A state_dict of the original class loads into the rewritten one.",
            Flag(),
            default=False,
        ),
        Key(
            "helpers",
            "Functions that declarations call stand in the file that needs them, once in a module "
            "`pyro_helpers` of its package, or (`auto`) there if several files of the package "
            "need them.",
            Choice(get_args(Helpers)),
            default="auto",
        ),
    ),
    is_optional=True,
)

EXAMPLE: Final = Table(
    "an example",
    "One class, and how it is built and called.",
    (
        Key(
            "class",
            "The class: `package.models:Net`.",
            Form(_REFERENCE),
            missing="class: package.models:Net",
        ),
        Key(
            "build",
            "The arguments of its constructor by name, or `package.module:function` that returns "
            "an instance.",
            Form({"anyOf": [{"type": "object"}, _REFERENCE]}),
        ),
        Key(
            "inputs",
            "The arguments of its `forward`, in order or by name, or `package.module:function` "
            "that returns them. The text `float[8, 3]` stands for a tensor of that shape, and so "
            "do `int[...]` and `bool[...]`.",
            Form({"anyOf": [{"type": "object"}, {"type": "array"}, _REFERENCE]}),
        ),
    ),
)

SPEC: Final = Table(
    "the spec",
    "Which parameters of a PyTorch project become random, and how.",
    (
        Key("version", "The version of this format.", Form({"const": 1}), missing="version: 1"),
        Key(
            "include",
            "Only files that match one of these globs are rewritten. Paths are relative to the "
            "project root; `**` stands for any number of folders.",
            Texts(),
        ),
        Key("exclude", "Files that match one of these globs are never rewritten.", Texts()),
        Key(
            "priors",
            "The rules, in order. The last rule that matches a parameter decides.",
            _each("rule"),
        ),
        Key("latents", "New random attributes, for priors to read.", _each("latent")),
        Key("options", OPTIONS.says, OPTIONS),
        Key(
            "svi",
            "What the emitted training script is made of.",
            _defined("svi"),
        ),
        Key(
            "verify",
            "How `verify` builds and calls a class, in place of a guess.",
            _each("example"),
        ),
    ),
)

"""The JSON Schema of the spec: what editors complete and check, and the source of the reference.

The schema knows the structure and the names; what needs arithmetic or the project (supports,
sizes, rules that match nothing) is the loader's and the planner's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, get_args

from pyroify.catalog.constraints import CONSTRAINTS, Constraint
from pyroify.catalog.distributions import DISTRIBUTIONS, REQUIRED, Distribution, Parameter
from pyroify.catalog.layers import LAYERS
from pyroify.spec.expressions import FUNCTIONS, PRESETS, SITE_NAMES
from pyroify.spec.load import INITS, REFERENCE
from pyroify.spec.model import Helpers

Schema = dict[str, Any]

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


def spec_schema() -> Schema:
    """The whole schema, as plain JSON data."""
    return {
        "$schema": _DRAFT,
        "title": "pyroify spec",
        "description": "Which parameters of a PyTorch project become random, and how.",
        "type": "object",
        "properties": {
            "version": {"description": "The version of this format.", "const": 1},
            "include": _strings(
                "Only files that match one of these globs are rewritten. Paths are relative to "
                "the project root; `**` stands for any number of folders."
            ),
            "exclude": _strings("Files that match one of these globs are never rewritten."),
            "priors": _list(
                "The rules, in order. The last rule that matches a parameter decides.", "rule"
            ),
            "latents": _list("New random attributes, for priors to read.", "latent"),
            "options": _options(),
            "svi": {
                "description": "What the emitted training script is made of; see the guide on "
                "training.",
                "type": ["object", "null"],
            },
            "verify": _list(
                "How `verify` builds and calls a class, in place of a guess.", "example"
            ),
        },
        "required": ["version"],
        "additionalProperties": False,
        "$defs": {
            "rule": _rule(),
            "layer": _layer(),
            "latent": _latent(),
            "example": _example(),
            "expression": _expression(),
            "prior": _prior(),
            "constraint": _constraint(),
        },
    }


def _rule() -> Schema:
    return {
        "description": "Which parameters, and what becomes of them.",
        "type": "object",
        "properties": {
            "match": {
                "description": "`[module:]Class.path`, the parameter's name. `*`, `?` and `[...]` "
                "match within one segment, `**` any number of segments. Without a module it is "
                "any module. `**` is every parameter, `**.bias` every bias.",
                "type": "string",
                "minLength": 1,
                "examples": ["**", "**.bias", "models.mlp:MLP.fc*.weight"],
            },
            "layer": {
                "description": "Only parameters owned by these layers of torch.nn; globs are "
                "allowed.",
                "anyOf": [
                    {"$ref": "#/$defs/layer"},
                    {"type": "array", "items": {"$ref": "#/$defs/layer"}},
                ],
            },
            "sample": {
                "description": "The parameter becomes a PyroSample with this prior.",
                "$ref": "#/$defs/prior",
            },
            "value": {
                "description": "The parameter becomes a PyroSample that is computed from other "
                "attributes and draws nothing itself.",
                "$ref": "#/$defs/expression",
            },
            "param": {
                "description": "The parameter becomes a PyroParam under this constraint.",
                "$ref": "#/$defs/constraint",
            },
            "keep": {
                "description": "The parameter stays an nn.Parameter.",
                "const": True,
            },
            "init": {
                "description": "Where a PyroParam starts: at the value the code gives (`keep`), "
                "at its `exp` or `softplus`, at the value taken as the unconstrained one "
                "(`unconstrained`), or at a number.",
                "anyOf": [{"enum": list(INITS)}, {"type": "number"}],
                "default": "keep",
            },
            "event_dim": {
                "description": "Dimensions of one value of a PyroParam, where not the "
                "constraint's own.",
                "type": "integer",
                "minimum": 0,
            },
            "centered": {
                "description": "`false` writes the parameter as location plus scale times a "
                "standard latent, which is easier to fit when the scale is random too.",
                "type": "boolean",
                "default": True,
            },
        },
        "required": ["match"],
        "oneOf": [{"required": [action]} for action in ("sample", "value", "param", "keep")],
        "dependentRequired": {"init": ["param"], "event_dim": ["param"], "centered": ["sample"]},
        "additionalProperties": False,
    }


def _layer() -> Schema:
    owners = [name for name, layer in LAYERS.items() if layer.parameters]
    return {
        "type": "string",
        "anyOf": [{"enum": owners}, {"pattern": r"[*?\[]"}, {"pattern": r"^(torch\.)?nn\.\w+$"}],
    }


def _latent() -> Schema:
    return {
        "description": "A random attribute that the class does not have yet.",
        "type": "object",
        "properties": {
            "class": {
                "description": "`[module:]Class`, globs allowed.",
                "type": "string",
                "minLength": 1,
            },
            "name": {
                "description": "The attribute; dotted to put it on a submodule.",
                "type": "string",
                "pattern": r"^[^\W\d]\w*(\.[^\W\d]\w*)*$",
            },
            "sample": {"description": "Its prior.", "$ref": "#/$defs/prior"},
            "value": {
                "description": "What it is computed from, instead of a prior.",
                "$ref": "#/$defs/expression",
            },
            "shape": {
                "description": "Its sizes: whole numbers, or attributes such as `self.hidden`. "
                "Without it the attribute is a single number.",
                "type": "array",
                "items": {
                    "anyOf": [
                        {"type": "integer", "minimum": 1},
                        {"type": "string", "pattern": r"^\s*(self(\.\w+)+|[1-9]\d*)\s*$"},
                    ]
                },
            },
        },
        "required": ["class", "name"],
        "oneOf": [{"required": ["sample"]}, {"required": ["value"]}],
        "additionalProperties": False,
    }


def _options() -> Schema:
    return {
        "description": "How the declarations are written.",
        "type": ["object", "null"],
        "properties": {
            "follow_module": {
                "description": "Priors follow the module's `.to()` and `.double()`.",
                "type": "boolean",
                "default": False,
            },
            "load_original_state_dict": {
                "description": "A state_dict of the original class loads into the rewritten one.",
                "type": "boolean",
                "default": False,
            },
            "helpers": {
                "description": "Functions that declarations call stand in the file that needs "
                "them, once in a module `pyro_helpers` of its package, or (`auto`) there if "
                "several files of the package need them.",
                "enum": list(get_args(Helpers)),
                "default": "auto",
            },
        },
        "additionalProperties": False,
    }


def _example() -> Schema:
    reference = {"type": "string", "pattern": f"^{REFERENCE}$"}
    return {
        "description": "One class, and how it is built and called.",
        "type": "object",
        "properties": {
            "class": {"description": "The class: `package.models:Net`.", **reference},
            "build": {
                "description": "The arguments of its constructor by name, or "
                "`package.module:function` that returns an instance.",
                "anyOf": [{"type": "object"}, reference],
            },
            "inputs": {
                "description": "The arguments of its `forward`, in order or by name, or "
                "`package.module:function` that returns them. The text `float[8, 3]` stands for a "
                "tensor of that shape, and so do `int[...]` and `bool[...]`.",
                "anyOf": [{"type": "object"}, {"type": "array"}, reference],
            },
        },
        "required": ["class"],
        "additionalProperties": False,
    }


def _expression() -> Schema:
    return {
        "description": "A number, or text: numbers, "
        f"{', '.join(SITE_NAMES)}, shape[i], self.name, the operators + - * / **, "
        f"{', '.join(FUNCTIONS)}, and the scales {', '.join(PRESETS)}. A list is a tensor.",
        "anyOf": [
            {"type": ["number", "string"]},
            {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/expression"}},
        ],
    }


def _prior() -> Schema:
    return {
        "anyOf": [
            _call_text(DISTRIBUTIONS, "Normal(0, 1)"),
            _call_mapping(
                {name: _distribution(row) for name, row in DISTRIBUTIONS.items()},
            ),
        ],
    }


def _distribution(row: Distribution) -> Schema:
    named = {parameter.name: _parameter(parameter) for parameter in row.parameters}
    required = [parameter.name for parameter in row.parameters if parameter.default is REQUIRED]
    support = f" Support: {row.support}." if row.support else ""
    problem = f" No autoguide can take it: {row.guide_problem}." if row.guide_problem else ""
    return {
        "description": f"`{_call(row.name, named)}`.{support}{problem}",
        "anyOf": [
            {
                "type": "object",
                "properties": named,
                "required": required,
                "additionalProperties": False,
            },
            {
                "type": "array",
                "items": {"anyOf": [{"$ref": "#/$defs/expression"}, {"$ref": "#/$defs/prior"}]},
                "maxItems": len(named),
            },
            {"type": ["number", "string"]},
        ],
    }


def _parameter(parameter: Parameter) -> Schema:
    if parameter.kind == "distribution":
        return {"description": "A distribution.", "$ref": "#/$defs/prior"}
    bounds = (
        f"({', '.join(f'{bound:g}' for bound in parameter.bounds)})" if parameter.bounds else ""
    )
    default = f" Default {parameter.default}." if parameter.default is not REQUIRED else ""
    return {
        "description": f"{parameter.constraint or 'any value'}{bounds}.{default}",
        "$ref": "#/$defs/expression",
    }


def _constraint() -> Schema:
    learnable = {name: row for name, row in CONSTRAINTS.items() if row.is_learnable}
    with_bounds = {name: _bounds(row) for name, row in learnable.items() if row.arguments}
    return {
        "anyOf": [_call_text(learnable, "positive"), _call_mapping(with_bounds)],
    }


def _bounds(row: Constraint) -> Schema:
    named = {name: {"$ref": "#/$defs/expression"} for name in row.arguments}
    return {
        "description": f"`{_call(row.name, named)}`.",
        "anyOf": [
            {
                "type": "object",
                "properties": named,
                "required": list(named),
                "additionalProperties": False,
            },
            {
                "type": "array",
                "items": {"$ref": "#/$defs/expression"},
                "minItems": len(named),
                "maxItems": len(named),
            },
            {"type": ["number", "string"]},
        ],
    }


def _call(name: str, arguments: Iterable[str]) -> str:
    return f"{name}({', '.join(arguments)})"


def _call_text(names: Iterable[str], example: str) -> Schema:
    """``Normal(0, 1)``: text that begins with one of ``names``."""
    return {
        "type": "string",
        "pattern": rf"^\s*({'|'.join(names)})\s*(\(|$)",
        "examples": [example],
    }


def _call_mapping(rows: dict[str, Schema]) -> Schema:
    """``{Normal: {loc: 0, scale: 1}}``."""
    return {
        "type": "object",
        "properties": rows,
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }


def _strings(description: str) -> Schema:
    strings = {"type": "array", "items": {"type": "string"}}
    return {"description": description, "anyOf": [{"type": "string"}, strings]}


def _list(description: str, definition: str) -> Schema:
    return {
        "description": description,
        "type": ["array", "null"],
        "items": {"$ref": f"#/$defs/{definition}"},
    }

"""The JSON Schema of the spec: what editors complete and check, and the source of the reference.

The schema knows the structure and the names; what needs arithmetic or the project (supports,
sizes, rules that match nothing) is the loader's and the planner's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pyroify.catalog.constraints import CONSTRAINTS, Constraint
from pyroify.catalog.distributions import DISTRIBUTIONS, REQUIRED, Distribution, Parameter
from pyroify.spec.expressions import FUNCTIONS, PRESETS, SITE_NAMES
from pyroify.spec.keys import EXAMPLE, LATENT, OWNERS, RULE, SPEC
from pyroify.spec.kinds import Schema

SCHEMA_ID: Final = "https://git.example.com/pyroify/docs/reference/spec.schema.json"
"""Where the documentation has this schema."""

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


def spec_schema(svi: Schema) -> Schema:
    """The whole schema, as plain JSON data; ``svi`` is that of its section of this name."""
    return {
        "$schema": _DRAFT,
        "$id": SCHEMA_ID,
        "title": "pyroify spec",
        **SPEC.schema(),
        "$defs": {
            "rule": RULE.schema(),
            "layer": _layer(),
            "latent": LATENT.schema(),
            "example": EXAMPLE.schema(),
            "svi": svi,
            "expression": _expression(),
            "prior": _prior(),
            "constraint": _constraint(),
        },
    }


def _layer() -> Schema:
    return {
        "type": "string",
        "anyOf": [
            {"enum": list(OWNERS)},
            {"pattern": r"[*?\[]"},
            {"pattern": r"^(torch\.)?nn\.\w+$"},
        ],
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

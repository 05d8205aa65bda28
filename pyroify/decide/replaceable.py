"""Whether a declaration may stand where a parameter is made, as people write it by hand.

It may where nothing else makes, changes or reads the parameter while the class is built: a
declaration draws, and what is done to a draw is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from pyroify.program.index import Index, ModuleClass
from pyroify.program.summary import PARAMETERS, ClassSummary, OwnParameter, exclusive, parameters_in
from pyroify.syntax.facts import Assignment, Function
from pyroify.syntax.values import (
    Call,
    Closure,
    MethodCall,
    Name,
    OneOf,
    Parameter,
    Passed,
    SelfRead,
    Value,
)

MODULES = frozenset(("self.modules()", "self.named_modules()"))
"""What a loop over a module and all that is below it is about."""
DEFAULT_DTYPES = ("", "None", "torch.float32", "torch.float", "torch.get_default_dtype()")

TOUCHING_ALL = frozenset(
    {
        *("apply", "parameters", "named_parameters", "modules", "state_dict", "load_state_dict"),
        *("to", "half", "double", "requires_grad_"),
    }
)
"""Methods of a module that read or change all its parameters."""


def is_replaceable(parameter: OwnParameter, summary: ClassSummary, touched: frozenset[str]) -> bool:
    """Whether a parameter can be declared in place of the call that makes it.

    ``touched`` are names of attributes that other code writes to or initialises.
    """
    return (
        not parameter.found
        and not parameter.may_be_handed_in
        and all(map(_is_simple, parameter.made))
        and all(map(_stands_alone, parameter.assignments))
        and is_assigned_directly(parameter)
        and not parameter.taken_back
        and not _is_used_while_built(parameter, summary)
        and not summary.may_be_frozen(parameter.name)
        and parameter.name not in touched
    )


def is_assigned_directly(parameter: OwnParameter) -> bool:
    """Whether ``nn.Parameter(...)`` is what is assigned, or an arm of a conditional."""
    return not parameter.found and all(
        _is_direct(assignment, made)
        for assignment in parameter.assignments
        for made in parameters_in(assignment.value)
    )


def becomes_buffer(parameter: OwnParameter, summary: ClassSummary) -> bool:
    """Whether a frozen parameter that stays is registered as a buffer where it is made.

    A parameter that may as well be a tensor, or has been something else before, keeps its form;
    so does one that is changed with all parameters of the module while that is built.
    """
    return (
        parameter.frozen is True
        and not _changes_all(summary)
        and not parameter.may_be_other
        and all(map(_stands_alone, parameter.assignments))
        and is_assigned_directly(parameter)
        and all(exclusive(*pair) for pair in combinations(parameter.assignments, 2))
    )


def _changes_all(summary: ClassSummary) -> bool:
    """Whether the class, or a relative, goes over its parameters to do more than freeze them."""
    return any(
        (method.self_calls & PARAMETERS and not any(item.path == () for item in method.freezes))
        or goes_over_parameters(method, cls, summary.resolver.index)
        for cls in (summary.cls, *summary.relatives)
        for method in cls.cls.methods
        if method.name in summary.building or _initialises(method)
    )


def goes_over_parameters(method: Function, cls: ModuleClass, index: Index) -> bool:
    """Whether a method goes over the parameters of all modules, to do more than freeze them.

    It may do so in a loop over modules, or by a function that it hands to ``apply`` or calls.
    """
    if any(item.name in MODULES and item.detail in PARAMETERS for item in method.handled):
        return not method.freezes
    return any(
        _is_over_parameters(function, cls, index)
        for call in method.layer_calls
        for function in _sent_over(call, cls, index)
    )


def _sent_over(call: Call, cls: ModuleClass, index: Index) -> Iterator[Value]:
    """What a call sends over the module, as far as it is not a library that does so."""
    if call.callee == SelfRead(("apply",)):
        yield from (passed.value for passed in call.args[:1])
    elif isinstance(call.callee, Name) and any(passed.text == "self" for passed in call.args):
        if index.resolve(call.callee.dotted, cls.file.path).function is not None:
            yield call.callee


def _is_over_parameters(applied: Value, cls: ModuleClass, index: Index) -> bool:
    """Whether a function goes over the parameters of a module, or is not known."""
    function = None
    match applied:
        case Call(callee=Name(dotted="functools.partial"), args=(Passed(value=inner), *_)):
            return _is_over_parameters(inner, cls, index)
        case Closure(body=Call(callee=inner) | MethodCall(call=Call(callee=inner))):
            return _is_over_parameters(inner, cls, index)
        case Name(dotted=dotted):
            function = index.resolve(dotted, cls.file.path).function
        case SelfRead(path=(name,)) if found := cls.find_method(name):
            function = found[1]
    if function is None:
        return True
    return not function.freezes and any(item.detail in PARAMETERS for item in function.handled)


def _is_direct(assignment: Assignment, made: Parameter) -> bool:
    is_arm = isinstance(assignment.value, OneOf)
    if is_arm and assignment.how == "register":
        return False
    if (made.line, made.column) == (assignment.value_line, assignment.value_column):
        return True
    return is_arm and (made.line, made.column) > (assignment.value_line, assignment.value_column)


def _is_simple(made: Parameter) -> bool:
    """Whether the call alone says all about the parameter."""
    if made.shape is None or made.frozen is None:
        return False
    return not made.chained and not is_other_dtype(made.dtype)


def is_other_dtype(source: str) -> bool:
    """Whether the source of a dtype names, or may hold, one that is not the default."""
    return source not in DEFAULT_DTYPES


def _stands_alone(assignment: Assignment) -> bool:
    """Whether an assignment has one target, and is made at most once."""
    if assignment.how in ("chain", "tuple"):
        return False
    return all(kind not in ("for", "try") for kind, _, _ in assignment.branches)


def _is_used_while_built(parameter: OwnParameter, summary: ClassSummary) -> bool:
    """Whether it is used, other than to be assigned, before the class is complete."""
    return any(
        _uses(method, parameter, item, summary)
        for item in (summary.cls, *summary.relatives)
        for method in item.cls.methods
        if method.name in summary.building or method is parameter.method or _initialises(method)
    )


def _uses(
    method: Function, parameter: OwnParameter, owner: ModuleClass, summary: ClassSummary
) -> bool:
    if method.self_calls & TOUCHING_ALL:
        return True
    assigns = owner is summary.cls and method.name in summary.building | {parameter.method.name}
    return any(
        use.path[0] == parameter.name
        and not (assigns and use.how == "store" and len(use.path) == 1)
        for use in method.uses
    )


def _initialises(method: Function) -> bool:
    """Whether a method is one that initialises, by its name, whoever calls it."""
    return method.name.lstrip("_").startswith(("reset", "init", "build"))

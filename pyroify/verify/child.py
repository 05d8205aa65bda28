"""The child process of a verification: builds, compares, and reports line by line.

``python -m pyroify.verify.child REQUEST PLAN RESULTS`` reads the request and what was planned, and
appends one JSON document a line to RESULTS: ``{"target": 3, "stage": "original"}`` says whose code
runs from now on, so that the parent knows whom to blame for a crash, and
``{"target": 3, "result": {...}}`` ends a target.
"""

from __future__ import annotations

import functools
import inspect
import json
import math
import pickle
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyro
import torch
from pyro.nn import PyroModule
from torch import nn

from pyroify.verify.compare.agreement import compare_with_plan
from pyroify.verify.compare.draws import KeptDraw, SameDraws, audit_construction, values_replaced
from pyroify.verify.compare.fresh import compare_fresh
from pyroify.verify.compare.lines import find_classes
from pyroify.verify.compare.outputs import tensors
from pyroify.verify.compare.pin import Comparison, OriginalError, compare_call, copy_values
from pyroify.verify.compare.run import Call, describe, invoke
from pyroify.verify.compare.sites import buffers, parameters
from pyroify.verify.making.guess import (
    Arguments,
    GuessedCode,
    Maker,
    complete_arguments,
    guess_arguments,
    imported,
    take_given,
    uneven_arguments,
)
from pyroify.verify.making.inputs import NoCall, find_call, given_call
from pyroify.verify.making.rows import rows_of
from pyroify.verify.making.size import SizeLimit
from pyroify.verify.making.stand_in import load_without
from pyroify.verify.making.tree import Imports, Tree
from pyroify.verify.making.variants import Varied, vary
from pyroify.verify.model import IMPORTING, Build, PlannedClasses, Status, Target, VerifyResult
from pyroify.verify.own_runs.replay import RecordedArguments, RecordedCall

MEMORY = 12 * 2**30
"""Bytes; a guessed size must not make the machine swap."""

_SEARCH_SECONDS = 20.0
"""How long arguments are tried for one class."""

_VARIANT_SECONDS = 30.0
"""After that much time only one variant of each call is compared."""

_LARGEST = 500_000_000
"""Numbers that a class with guessed arguments may hold: defaults may be those of a large model."""

_BUILDS_CALLED = 12
_RECORDED = 3
_METHODS = 8
_NO_ENTRY_POINT = re.compile(
    "save|load|from_|to_|fit|train|reset|set_|add_|register|remove|clear|init|freeze|unfreeze"
    "|print|plot|export|build|update|backward|configure|requires_grad|parameters"
)

ORIGINAL, REWRITTEN = "original", "rewritten"

Built = Arguments | GuessedCode | Maker | RecordedArguments
"""How a class is built, twice alike."""


class NotVerified(Exception):
    """The original cannot be run; the message says why."""

    status: Status = "not_verified"


class Abstract(NotVerified):
    """The original cannot be built on purpose."""

    status: Status = "abstract"


class NothingToCall(NotVerified):
    """The original is built, and has no method that computes something."""

    status: Status = "nothing_to_call"


class Failed(Exception):
    """The rewritten class cannot do what the original does; the message says what."""


@dataclass(frozen=True, slots=True)
class OriginalRun:
    """How the original was built, and the calls that ran, by label; each with variants of it.

    ``silent`` says why forward could not be called, if so.
    """

    arguments: Built
    calls: Mapping[str, Varied]
    silent: str = ""

    @property
    def is_recorded(self) -> bool:
        """Whether a run of the project's own did the same."""
        return isinstance(self.arguments, RecordedArguments)


class Verifier:
    """Verifies targets one after the other; ``announce`` is told whose code runs from now on."""

    def __init__(
        self,
        trees: Mapping[str, Tree],
        planned: PlannedClasses | None,
        announce: Callable[[str], None],
    ) -> None:
        self._trees = trees
        self._planned = planned
        self._announce = announce
        self._imports = Imports()
        self._missing: set[str] = set()
        """The packages that are not installed, and that the class's module imports."""

    def verify(self, target: Target) -> VerifyResult:
        """Build and call the original, then compare every call with the rewritten class."""
        result = VerifyResult(
            target.name, target.path, "not_verified", left_out=tuple(target.left_out)
        )
        try:
            with self._side(ORIGINAL):
                self._announce(IMPORTING)
                cls = self._load_original(target)
                self._announce(ORIGINAL)
                rehearsals = self._rehearse(cls, target)
        except NotVerified as error:
            return replace(result, status=error.status, reason=str(error))
        done: list[VerifyResult] = []
        for rehearsal in rehearsals:
            done.append(self._verify_as(target, rehearsal, result))
            if done[-1].status in ("different", "failed"):
                return done[-1]
        equal = [each for each in done if each.status == "equal"]
        if not equal:
            return done[0]
        built = " and ".join(dict.fromkeys(each.built for each in equal))
        calls = dict.fromkeys(call for each in equal for call in each.calls)
        return replace(equal[0], built=built, calls=tuple(calls))

    def _verify_as(
        self, target: Target, rehearsal: OriginalRun, result: VerifyResult
    ) -> VerifyResult:
        """Compare every call of a class that is built in one way."""
        result = replace(
            result,
            built=f"{target.qualname}({rehearsal.arguments}){self._without()}",
            recorded=rehearsal.is_recorded,
        )
        try:
            with self._side(REWRITTEN):
                # Before any call: instances may share modules, and Pyro names none that has run.
                faults = self._as_built(target, rehearsal)
                comparisons = list(self._compare(target, rehearsal))
        except NotVerified as error:
            return replace(result, calls=(), reason=str(error))
        except Failed as error:
            reason = f"{target.qualname}: {error}"
            return replace(result, status="failed", reason=reason)
        return _with_faults(_summed_up(result, comparisons, rehearsal.silent), faults)

    def _without(self) -> str:
        """What is stood in for, as part of how a class was built."""
        return f" without {', '.join(sorted(self._missing))}" if self._missing else ""

    def _rehearse(self, cls: type[nn.Module], target: Target) -> list[OriginalRun]:
        """How the original is built and called: as a run did it, or else as can be guessed."""
        said, runs = target.build.unrecorded, []
        for build, calls in target.build.recorded:
            try:
                arguments = RecordedArguments.read(Path(build), self._imports)
                made = [RecordedCall(Path(call), self._imports) for call in calls]
                labelled = {call.label: call for call in made}
                runs.append(_as_recorded(cls, arguments, labelled, target))
            except (Exception, SystemExit) as error:
                said = said or f"what the run did cannot be done again: {describe(error)}"
        if runs := [run for run in runs if run.calls]:
            return runs[:_RECORDED]
        try:
            found = _rehearse(cls, target)
            return [found, *islice(_uneven(cls, target, found), 1)]
        except NotVerified as error:
            raise type(error)("; ".join(filter(None, (str(error), said)))) from error

    @contextmanager
    def _side(self, name: str) -> Iterator[None]:
        self._announce(name)
        with self._imports.of(self._trees[name]):
            yield
        self._announce(REWRITTEN)

    def _load(self, side: str, target: Target) -> Any:
        """Import the class; packages that the original lacks are stood in for on both sides."""
        tree = self._trees[side]

        def load() -> Any:
            return tree.load(target.path, target.module, target.qualname)

        return load_without(load, tree.root, self._missing)

    def _load_original(self, target: Target) -> type[nn.Module]:
        pyro.set_rng_seed(0)  # for what is made as it is imported
        try:
            cls = self._load(ORIGINAL, target)
        except (Exception, SystemExit) as error:
            raise NotVerified(f"cannot be imported: {describe(error)}") from error
        if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
            raise NotVerified("is no nn.Module class when it is imported")
        if inspect.isabstract(cls):
            raise Abstract("is abstract")
        return cls

    def _load_rewritten(self, target: Target) -> type[nn.Module]:
        pyro.set_rng_seed(0)
        try:
            cls: type[nn.Module] = self._load(REWRITTEN, target)
        except (Exception, SystemExit) as error:
            raise Failed(f"cannot be imported any more: {describe(error)}") from error
        return cls

    def _compare(self, target: Target, rehearsal: OriginalRun) -> Iterator[tuple[str, Comparison]]:
        """Compare every call and its variants, in training and in evaluation mode.

        Yields each comparison with the label of its call, up to the first fault. The variants of a
        call are made on modules that have been called, each with other weights: what was kept of
        the first draws shows.
        """
        after = self._load_rewritten(target)
        with self._side(ORIGINAL):
            before = self._load_original(target)
        said, done = "", False
        until = time.monotonic() + _VARIANT_SECONDS
        for label, varied in rehearsal.calls.items():
            modules = self._build_both(before, after, rehearsal.arguments)
            _vary_constants(modules[0])
            for name, call in [("", varied.call), *varied.variants.items()]:
                if name and time.monotonic() > until:
                    break
                for training in (True, False):
                    modules[0].train(training)
                    try:
                        comparison = self._compare_call(*modules, call, thorough=not done)
                        if name and not comparison.equal:
                            # The original may go on with what it has computed from old weights.
                            modules = self._built_anew(modules[0], rehearsal.arguments), modules[1]
                            comparison = self._compare_call(*modules, call, thorough=not done)
                    except OriginalError as error:  # one of the modes may not be for it
                        said = str(error)
                        continue
                    yield f"{label}{name and f', {name}'}", comparison
                    if not comparison.equal:
                        return
                    done = True
                _vary_weights(modules[0])
        if not done:
            raise NotVerified(f"the original raises {said}")

    def _compare_call(
        self, original: nn.Module, rewritten: nn.Module, call: Call, thorough: bool
    ) -> Comparison:
        within = functools.partial(self._side, ORIGINAL)
        return compare_call(original, rewritten, call, thorough=thorough, within=within)

    def _built_anew(self, original: nn.Module, arguments: Built) -> nn.Module:
        """The original as it was never called, with the same values and in the same mode."""
        with self._side(ORIGINAL):
            anew: nn.Module = arguments.construct(type(original))
        copy_values({**parameters(original), **buffers(original)}, anew)
        return anew.train(original.training)

    def _as_built(self, target: Target, rehearsal: OriginalRun) -> tuple[str, ...]:
        """Say what of the rewritten class, as built, was not planned or is not as it was."""
        arguments, after = rehearsal.arguments, self._load_rewritten(target)
        with self._side(ORIGINAL):
            before = self._load_original(target)
        with self._alike(before, arguments):
            with values_replaced() as starts:
                original, rewritten = self._build_both(before, after, arguments)
            with self._side(ORIGINAL):
                again: nn.Module = arguments.construct(before, seed=1)
        try:
            if self._planned is None:
                return compare_fresh(original, rewritten, again, starts)
            with self._side(ORIGINAL):
                planned = find_classes(self._planned, self._trees[ORIGINAL].root, original)
            begun = () if planned.begins_elsewhere(original) else starts
            return (
                *compare_with_plan(planned, original, rewritten, again),
                *compare_fresh(original, rewritten, again, begun),
            )
        except (Exception, SystemExit) as error:
            raise Failed(f"cannot be compared with the plan: {describe(error)}") from error

    def _alike(self, before: type[nn.Module], arguments: Built) -> AbstractContextManager[object]:
        """Draws that are the same whatever was drawn before, where the original can do with it."""
        with self._side(ORIGINAL):
            try:
                with SameDraws():
                    arguments.construct(before)
            except (Exception, SystemExit):
                return nullcontext()
        return SameDraws()

    def _build_both(
        self, before: type[nn.Module], after: type[nn.Module], arguments: Built
    ) -> tuple[nn.Module, nn.Module]:
        with self._side(ORIGINAL):
            original: nn.Module = arguments.construct(before)
        try:
            converted = issubclass(after, PyroModule)
            rewritten = audit_construction(lambda: arguments.construct(after, converted=converted))
        except KeptDraw as error:
            raise Failed(str(error)) from error
        except (Exception, SystemExit) as error:
            raise Failed(f"cannot be built any more: {describe(error)}") from error
        return original, rewritten


def _vary_constants(module: nn.Module) -> None:
    """Make parameters that are all zero or all one uneven: equal values hide a mix-up."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            values = parameter.data
            if values.is_floating_point() and values.numel() and (values == values.max()).all():
                noise = 0.1 * torch.rand(values.shape, generator=generator).to(values)
                values.copy_(values * (1 - noise) if values.any() else noise)


def _vary_weights(module: nn.Module) -> None:
    """Change all parameters a little, none of them in its sign."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            values = parameter.data
            if values.is_floating_point() and values.numel():
                noise = torch.rand(values.shape, generator=generator).to(values)
                values.copy_(values * (0.8 + 0.4 * noise))


def _rehearse(cls: type[nn.Module], target: Target) -> OriginalRun:
    """Find constructor arguments and calls that run, the more calls the better."""
    best: OriginalRun | None = None
    deadline = time.monotonic() + _SEARCH_SECONDS
    for arguments in islice(_buildable(cls, target.build, deadline), _BUILDS_CALLED):
        rehearsal = _with_calls(cls, arguments, target, deadline, _entry_points(cls))
        if rehearsal.calls and not rehearsal.silent:
            return rehearsal
        best = best if best and (best.calls or not rehearsal.calls) else rehearsal
    assert best is not None  # _buildable yields or raises
    if not best.calls:
        reason = best.silent or "there is nothing to call"
        kind = NotVerified if best.silent else NothingToCall
        raise kind(f"{cls.__name__}({best.arguments}) is built, but {reason}")
    return best


def _uneven(cls: type[nn.Module], target: Target, found: OriginalRun) -> Iterator[OriginalRun]:
    """Build and call it with sizes that are not the same: a square hides which side is which."""
    if not (target.build.is_guessed and isinstance(found.arguments, Arguments)):
        return
    deadline = time.monotonic() + _SEARCH_SECONDS / 2
    entry_points = [varied.call.method for varied in found.calls.values()]
    for arguments in uneven_arguments(found.arguments):
        with suppress(Exception, SystemExit):
            arguments.construct(cls)
            run = _with_calls(cls, arguments, target, deadline, entry_points)
            if run.calls and not run.silent:
                calls = {label: Varied(made.call, {}) for label, made in run.calls.items()}
                yield replace(run, calls=calls)


def _as_recorded(
    cls: type[nn.Module],
    arguments: RecordedArguments,
    calls: Mapping[str, Call],
    target: Target,
) -> OriginalRun:
    """The calls of a run that can be made again, and other entry points that can be called.

    Raises what the original raises when it is built.
    """
    deadline = time.monotonic() + _SEARCH_SECONDS
    arguments.construct(cls)
    others = [name for name in _entry_points(cls) if name != "forward" or not calls]
    found = _with_calls(cls, arguments, target, deadline, others)
    able: dict[str, Varied] = {}
    for label, call in calls.items():
        with suppress(Exception, SystemExit):
            invoke(arguments.construct(cls), call)
            able[label] = vary(arguments.construct(cls), call, deadline)
    return OriginalRun(arguments, {**able, **found.calls}, "" if able else found.silent)


def _buildable(cls: type[nn.Module], build: Build, deadline: float) -> Iterator[Built]:
    """Yield the arguments with which the class can be built; at least one."""
    guesses: Iterator[Built] = guess_arguments(cls) if build.is_guessed else iter([_given(build)])
    first_error, any_built = "", False
    completed: list[Built] = []
    while time.monotonic() < deadline:
        arguments = completed.pop() if completed else next(guesses, None)
        if arguments is None:
            break
        try:
            with SizeLimit(_LARGEST) if build.is_guessed else nullcontext():
                arguments.construct(cls)
        except (Exception, SystemExit) as error:
            first_error = first_error or describe(error)
            completed += complete_arguments(arguments, error)
            continue
        any_built = True
        yield arguments
    if not any_built:
        which = "guessed" if build.is_guessed else "these"
        reason = first_error or "its signature is not known"
        raise NotVerified(f"cannot be built with {which} arguments: {reason}")


def _given(build: Build) -> Arguments | GuessedCode | Maker:
    if build.code:
        return GuessedCode(build.code)
    if build.function:
        return Maker(build.function)
    return Arguments(tuple(build.args), dict(build.kwargs or {}))


def _with_calls(
    cls: type[nn.Module],
    arguments: Built,
    target: Target,
    deadline: float,
    entry_points: Sequence[str],
) -> OriginalRun:
    calls: dict[str, Varied] = {}
    silent = ""
    for method in entry_points:
        if method in target.left_out:
            continue
        try:
            call, label = _find(arguments.construct(cls), method, target.build, deadline)
        except (Exception, SystemExit) as error:
            said = str(error) if isinstance(error, NoCall) else describe(error)
            if method == "forward" and not said.startswith("NotImplementedError"):
                silent = f"forward cannot be called: {said}"
            continue
        calls[label] = vary(arguments.construct(cls), call, deadline)
    return OriginalRun(arguments, calls, silent)


def _find(module: nn.Module, method: str, build: Build, deadline: float) -> tuple[Call, str]:
    if method == "forward" and (inputs := _given_inputs(build)) is not None:
        return given_call(inputs)
    if method == "forward" and build.data is not None:
        with suppress(Exception, SystemExit):  # then it is guessed
            call, label = given_call(rows_of(build.data))
            invoke(module, call)
            return call, label
    call, label = find_call(module, method, deadline)
    if method != "forward" and not tensors(invoke(module, call)):
        raise NoCall(f"{method} returns no tensor")
    return call, label


def _given_inputs(build: Build) -> Sequence[Any] | Mapping[str, Any] | None:
    if build.code:
        inputs: Sequence[Any] | None = GuessedCode(build.code).run().get("inputs")
        return inputs
    if not isinstance(build.inputs, str):
        return build.inputs
    given = imported(build.inputs)()
    return given if isinstance(given, tuple | list | Mapping) else (given,)


def _entry_points(cls: type[nn.Module]) -> list[str]:
    """Forward, if there is one, and the public methods and properties of the class's own."""
    names = [] if cls.forward is nn.Module.forward else ["forward"]
    for base in cls.__mro__:
        if base.__module__.split(".")[0] not in ("torch", "pyro", "builtins"):
            names += [name for name, value in vars(base).items() if _is_entry_point(name, value)]
    return list(dict.fromkeys(names))[: _METHODS + 1]


def _is_entry_point(name: str, value: Any) -> bool:
    if name.startswith("_") or hasattr(nn.Module, name) or _NO_ENTRY_POINT.match(name):
        return False
    return inspect.isfunction(value) or isinstance(value, property | functools.cached_property)


def _summed_up(
    result: VerifyResult, labelled: list[tuple[str, Comparison]], silent: str
) -> VerifyResult:
    comparisons = [comparison for _, comparison in labelled]
    result = replace(
        result,
        calls=tuple(dict.fromkeys(label for label, _ in labelled)),
        left_out=(*result.left_out, *comparisons[0].left_out),
        max_difference=_largest(c.max_difference for c in comparisons),
        sites={n: (s.shape, s.event_dim) for c in comparisons for n, s in c.sites.items()},
    )
    call, last = labelled[-1]
    if last.equal:
        return replace(result, reason=silent, status="not_verified" if silent else "equal")
    cls = result.name.rpartition(":")[2]
    reason = "; ".join(f"{cls}.{call}: {problem}" for problem in last.problems)
    if last.same_output or last.max_difference is None:
        return replace(result, status="failed", reason=reason)
    return replace(result, status="different", reason=reason)


def _with_faults(result: VerifyResult, faults: Sequence[str]) -> VerifyResult:
    """The result, where the class is not what was planned whatever it computes."""
    if not faults:
        return result
    reason = "; ".join(filter(None, (*faults, result.reason)))
    status: Status = "failed" if result.status == "failed" else "different"
    return replace(result, status=status, reason=reason)


def _largest(differences: Iterable[float | None]) -> float | None:
    finite = [d for d in differences if d is not None and math.isfinite(d)]
    return max(finite, default=None)


def main(request_file: Path, plan_file: Path, results_file: Path) -> None:
    """Verify the targets of the request, one after the other."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    _limit_memory()
    request = json.loads(request_file.read_text())
    planned = pickle.loads(plan_file.read_bytes())
    take_given(planned.classes if planned else ())
    pyro.settings.set(module_local_params=request["local_params"])
    sys.argv = ["pyroify-verify"]
    trees = {name: Tree(Path(request[name])) for name in (ORIGINAL, REWRITTEN)}
    with results_file.open("a", buffering=1) as results:
        for document in request["targets"]:
            number = document.pop("number")
            target = Target(**{**document, "build": Build(**document["build"])})

            def write(key: str, value: Any, number: int = number) -> None:
                results.write(json.dumps({"target": number, key: value}) + "\n")

            verifier = Verifier(trees, planned, functools.partial(write, "stage"))
            write("result", asdict(verifier.verify(target)))


def _limit_memory() -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))

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
import os
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
from torch.nn.parameter import UninitializedParameter

from pyroify.verify.compare.agreement import compare_with_plan
from pyroify.verify.compare.draws import KeptDraw, SameDraws, audit_construction, values_replaced
from pyroify.verify.compare.fresh import compare_fresh
from pyroify.verify.compare.lines import find_classes
from pyroify.verify.compare.outputs import tensors
from pyroify.verify.compare.pin import Comparison, OriginalError, compare_call, copy_values
from pyroify.verify.compare.run import Call, describe, invoke, set_seed
from pyroify.verify.compare.sites import buffers, parameters
from pyroify.verify.making.by_code import CodeCall, GuessedCode
from pyroify.verify.making.guess import (
    Arguments,
    Maker,
    arguments_for_call,
    complete_arguments,
    guess_arguments,
    imported,
    smaller_arguments,
    take_given,
    uneven_arguments,
)
from pyroify.verify.making.inputs import NoCall, find_call, given_call
from pyroify.verify.making.own_uses import OwnUse, OwnUses
from pyroify.verify.making.rows import rows_of
from pyroify.verify.making.size import SizeLimit, TooLargeError
from pyroify.verify.making.stand_in import load_without
from pyroify.verify.making.time_limit import computing, within
from pyroify.verify.making.tree import Imports, Tree
from pyroify.verify.making.uninitialised import fill_uninitialised
from pyroify.verify.making.variants import Varied, vary
from pyroify.verify.model import (
    IMPORTING,
    Build,
    PlannedClasses,
    Status,
    Target,
    VerifyResult,
    Way,
)
from pyroify.verify.own_runs.recorder import Recorder
from pyroify.verify.own_runs.replay import RecordedArguments, RecordedCall, read_note

MEMORY = 12 * 2**30
"""Bytes; a guessed size must not make the machine swap."""

_SEARCH_SECONDS = 20.0
"""How long arguments are tried for one class."""

_VARIANT_SECONDS = 30.0
"""After that much time each further call is compared in one mode, and with no other arguments."""

_LARGEST = 500_000_000
"""Numbers that a class with guessed arguments may hold: defaults may be those of a large model."""

_MODERATE = 4_000_000
"""Numbers above which a class with guessed arguments is built smaller, if it can be."""

_COMPARED = 10
"""How many times as long as a call it takes to compare it: it is made on copies, and trained."""

_CLASS_SECONDS = 60.0
"""After that much time a class is not compared in further ways of building it, or calling it."""

OUT_OF_TIME = "more inputs: the time for one class was over"
"""What is left out then, in the words of the result."""

_BUILDS_CALLED = 12
_COMPLETED = 150
"""How many arguments that do not do are mended by what the constructor says of them."""

_RECORDED = 3
_OWN = 2
"""In how many ways of the project's own code a class is built."""

_CALL_SECONDS = 20.0
"""How long a call that is known from elsewhere may compute: it is made many times."""

_OWN_SECONDS = 30.0
"""How long these may take together to build it and to make the calls."""

_QUICK_SECONDS = 8.0
"""How long arguments are tried for one class that is built and called already."""

_NOTES = 1 << 28
"""Bytes of notes about the parts of what is built."""
_METHODS = 8
_NO_ENTRY_POINT = re.compile(
    "save|load|from_|to_|fit|train|reset|set_|add_|register|remove|clear|init|freeze|unfreeze"
    "|print|plot|export|build|update|backward|configure|requires_grad|parameters"
)

ORIGINAL, REWRITTEN = "original", "rewritten"

Built = Arguments | GuessedCode | Maker | RecordedArguments
"""How a class is built, twice alike."""


class _Allowance:
    """Some time to compute in; ``ran_out`` says whether something had to be left out for it."""

    def __init__(self, seconds: float) -> None:
        self.until, self.ran_out = time.process_time() + seconds, False

    def is_over(self) -> bool:
        """Whether the time is over, so that what comes next is left out."""
        self.ran_out |= time.process_time() > self.until
        return self.ran_out


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

    ``silent`` says why forward could not be called, if so. ``way`` and ``place`` are those of the
    result.
    """

    arguments: Built
    calls: Mapping[str, Varied]
    silent: str = ""
    way: Way = "guess"
    place: str = ""
    error: BaseException | None = None
    """What forward raised, if it could not be called."""


class Verifier:
    """Verifies targets one after the other."""

    def __init__(
        self, trees: Mapping[str, Tree], planned: PlannedClasses | None, notes: Path
    ) -> None:
        self._trees = trees
        self._planned = planned
        self._announce: Callable[[str], None] = lambda stage: None
        self._imports = Imports()
        self._uses = OwnUses(trees[ORIGINAL].root)
        self._notes = notes
        self._missing: dict[str, set[str]] = {}
        """By file: the packages that it imports, and that are not installed."""
        self._failed: dict[tuple[str, str], BaseException] = {}
        """What was raised by files that cannot be imported, by version and path."""

    def verify(self, target: Target, announce: Callable[[str], None]) -> VerifyResult:
        """Verify one target; ``announce`` is told whose code runs from now on."""
        self._announce = announce
        return self._verify(target)

    def _verify(self, target: Target) -> VerifyResult:
        """Build and call the original, then compare every call with the rewritten class."""
        result = VerifyResult(
            target.name, target.path, "not_verified", left_out=tuple(target.left_out)
        )
        try:
            with self._side(ORIGINAL):
                self._announce(IMPORTING)
                cls = self._load_original(target)
                self._announce(ORIGINAL)
                around = self._around(cls, target)
                rehearsals = [] if around else self._rehearse(cls, target)
                self._note_parts(cls, rehearsals)
        except NotVerified as error:
            return replace(result, status=error.status, reason=str(error))
        if around:
            return self._verify_within(target, around, result)
        done: list[VerifyResult] = []
        allowance = _Allowance(_CLASS_SECONDS)
        for rehearsal in rehearsals:
            if any(each.status == "equal" for each in done) and allowance.is_over():
                break
            done.append(self._verify_as(target, rehearsal, result, allowance))
            if done[-1].status in ("different", "failed"):
                return done[-1]
        equal = [each for each in done if each.status == "equal"]
        if not equal:
            return done[0]
        built = " and ".join(dict.fromkeys(each.built for each in equal))
        calls = dict.fromkeys(call for each in equal for call in each.calls)
        left_out = (*equal[0].left_out, *([OUT_OF_TIME] if allowance.ran_out else []))
        return replace(equal[0], built=built, calls=tuple(calls), left_out=left_out)

    def _around(self, cls: type[nn.Module], target: Target) -> Target | None:
        """What a run called ``cls`` within, where the run shows no more of it."""
        for build, calls in target.build.enclosing:
            with suppress(Exception, SystemExit):
                outer, _ = read_note(Path(build), self._imports)
                arguments = RecordedArguments.read(Path(build), self._imports)
                parts = {type(part) for part in arguments.construct(outer).modules()}
                path = self._trees[ORIGINAL].path_of(outer)
                if cls in parts and path:
                    recorded = Build(recorded=((build, calls),))
                    return Target(outer.__module__, outer.__qualname__, path, recorded)
        return None

    def _verify_within(self, target: Target, around: Target, result: VerifyResult) -> VerifyResult:
        """Compare what a class is called within, in its place."""
        found = self._verify(around)
        result = replace(found, name=result.name, path=result.path, left_out=result.left_out)
        if found.status == "equal":
            way: Way = "part" if target.build.is_part else "within"
            return replace(result, way=way, place=around.qualname)
        reason = f"{around.qualname}, within which it is called, is {found.status}: {found.reason}"
        return replace(result, status="not_verified", reason=reason)

    def _note_parts(self, cls: type[nn.Module], rehearsals: Sequence[OriginalRun]) -> None:
        """Note how the parts of what is built are built and called: they may need it.

        In a process of its own, for the recorder changes torch's Module.
        """
        if not hasattr(os, "fork"):
            return
        if process := os.fork():
            os.waitpid(process, 0)
            return
        with suppress(BaseException), within(_OWN_SECONDS):
            Recorder(self._trees[ORIGINAL].root, self._notes, _NOTES).watch(nn.Module)
            for rehearsal in rehearsals[:_OWN]:
                module = rehearsal.arguments.construct(cls)
                for varied in rehearsal.calls.values():
                    invoke(module, varied.call)
        os._exit(0)

    def _verify_as(
        self,
        target: Target,
        rehearsal: OriginalRun,
        result: VerifyResult,
        allowance: _Allowance,
    ) -> VerifyResult:
        """Compare every call of a class that is built in one way, as far as there is time."""
        with self._side(ORIGINAL):  # to show what source code makes, it is run
            built = f"{target.qualname}({rehearsal.arguments}){self._without(target)}"
        result = replace(result, built=built, way=rehearsal.way, place=rehearsal.place)
        try:
            with self._side(REWRITTEN), _default_dtype(rehearsal.arguments):
                # Before any call: instances may share modules, and Pyro names none that has run.
                faults = self._as_built(target, rehearsal)
                comparisons = list(self._compare(target, rehearsal, allowance))
        except NotVerified as error:
            return replace(result, calls=(), reason=str(error))
        except Failed as error:
            reason = f"{target.qualname}: {error}"
            return replace(result, status="failed", reason=reason)
        return _with_faults(_summed_up(result, comparisons, rehearsal.silent), faults)

    def _without(self, target: Target) -> str:
        """What is stood in for, as part of how a class was built."""
        missing = self._missing.get(target.path)
        return f" without {', '.join(sorted(missing))}" if missing else ""

    def _rehearse(self, cls: type[nn.Module], target: Target) -> list[OriginalRun]:
        """How the original is built and called: as a run did it, or else as can be found out.

        What lines of the project do with it goes before a guess, which is made as well: other
        sizes may show more.
        """
        recorded, said = self._recorded(cls, target)
        if recorded:
            return recorded
        used = self._used(cls, target)
        try:
            found = _rehearse(cls, target, _QUICK_SECONDS if used else _SEARCH_SECONDS)
        except NotVerified as error:
            if used:
                return used
            raise type(error)("; ".join(filter(None, (str(error), said)))) from error
        return [*used, found, *islice(_uneven(cls, target, found), 1)]

    def _recorded(self, cls: type[nn.Module], target: Target) -> tuple[list[OriginalRun], str]:
        """What a run did with the class, or why that cannot be done again."""
        said, runs = target.build.unrecorded, list[OriginalRun]()
        deadline = time.process_time() + _OWN_SECONDS
        for build, calls in target.build.recorded:
            if len(runs) == _RECORDED or (runs and time.process_time() > deadline):
                break
            try:
                arguments = RecordedArguments.read(Path(build), self._imports)
                made = [RecordedCall(Path(call), self._imports) for call in calls]
                with _default_dtype(arguments):
                    run = _as_noted(cls, arguments, made, target)
            except (Exception, SystemExit) as error:
                said = said or f"what the run did cannot be done again: {describe(error)}"
            else:
                runs += [run] if run.calls else []
        way: Way = "part" if target.build.is_part else "run"
        place = "what holds it" if target.build.is_part else ""
        return [replace(run, way=way, place=place) for run in runs], said

    def _used(self, cls: type[nn.Module], target: Target) -> list[OriginalRun]:
        """What lines of the project do with the class, if nothing is said about it."""
        build, runs = target.build, list[OriginalRun]()
        if not build.is_guessed or build.inputs is not None or build.data is not None:
            return runs
        deadline = time.process_time() + _OWN_SECONDS
        for use in self._uses.of(target.path, target.module, target.qualname):
            with suppress(Exception, SystemExit):
                run = _as_used(cls, use, target, deadline)
                if run.calls and not run.silent:
                    runs.append(run)
            if len(runs) == _OWN or time.process_time() > deadline:
                break
        return runs

    @contextmanager
    def _side(self, name: str) -> Iterator[None]:
        self._announce(name)
        with self._imports.of(self._trees[name]):
            yield
        self._announce(REWRITTEN)

    def _load(self, side: str, target: Target) -> Any:
        """Import the class; packages that the original lacks are stood in for on both sides.

        A file that cannot be imported is not tried again for its other classes.
        """
        tree, place = self._trees[side], (side, target.path)
        if failed := self._failed.get(place):
            raise failed
        load = functools.partial(tree.module_of, target.path, target.module)
        try:
            module = load_without(load, tree.root, self._missing.setdefault(target.path, set()))
        except (Exception, SystemExit) as error:
            self._failed[place] = error
            raise
        return functools.reduce(getattr, target.qualname.split("."), module)

    def _load_original(self, target: Target) -> type[nn.Module]:
        set_seed(0)  # for what is made as it is imported
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
        set_seed(0)
        try:
            cls: type[nn.Module] = self._load(REWRITTEN, target)
        except (Exception, SystemExit) as error:
            raise Failed(f"cannot be imported any more: {describe(error)}") from error
        return cls

    def _compare(
        self, target: Target, rehearsal: OriginalRun, allowance: _Allowance
    ) -> Iterator[tuple[str, Comparison]]:
        """Compare every call and its variants, in training and in evaluation mode.

        One call is compared in any case, the others within the ``allowance``. Yields each
        comparison with the label of its call, up to the first fault. The variants of a call are
        made on modules that have been called, each with other weights: what was kept of the first
        draws shows.
        """
        after = self._load_rewritten(target)
        with self._side(ORIGINAL):
            before = self._load_original(target)
        said, done = "", False
        for_variants = _Allowance(_VARIANT_SECONDS)
        for label, varied in rehearsal.calls.items():
            if done and allowance.is_over():
                break
            allowance.ran_out |= varied.cut
            modules = self._build_both(before, after, rehearsal.arguments)
            if isinstance(varied.call, RecordedCall):
                varied.call.restore(modules[0])
            _vary_constants(fill_uninitialised(modules[0]))
            for name, call in [("", varied.call), *varied.variants.items()]:
                modes = [True, False] if name else _modes(modules[0])
                for training in modes:
                    is_further = done and (name or training is not modes[0])
                    if is_further and for_variants.is_over():
                        allowance.ran_out = True
                        break
                    if training is not None:
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


@contextmanager
def _default_dtype(arguments: Built) -> Iterator[None]:
    """Make new tensors of the dtype that they had in the run, if there was one."""
    before = torch.get_default_dtype()
    if isinstance(arguments, RecordedArguments):
        torch.set_default_dtype(arguments.dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _modes(module: nn.Module) -> list[bool | None]:
    """Training and evaluation; and before that as it is, where not all parts are in one mode."""
    is_mixed = len({part.training for part in module.modules()}) > 1
    return [None, True, False] if is_mixed else [True, False]


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


def _rehearse(cls: type[nn.Module], target: Target, seconds: float) -> OriginalRun:
    """Find constructor arguments and calls that run, the more calls the better."""
    best: OriginalRun | None = None
    deadline = time.process_time() + seconds
    asked = list[Built]()
    for arguments in islice(_buildable(cls, target.build, deadline, asked), _BUILDS_CALLED):
        rehearsal = _with_calls(cls, arguments, target, deadline, _entry_points(cls))
        if rehearsal.calls and not rehearsal.silent:
            is_said = not target.build.is_guessed
            return replace(rehearsal, way="spec") if is_said else rehearsal
        asked += arguments_for_call(cls, arguments, rehearsal.error)
        best = best if best and (best.calls or not rehearsal.calls) else rehearsal
    assert best is not None  # _buildable yields or raises
    if not target.build.is_guessed:
        best = replace(best, way="spec")
    if not best.calls:
        reason = best.silent or "there is nothing to call"
        kind = NotVerified if best.silent else NothingToCall
        raise kind(f"{cls.__name__}({best.arguments}) is built, but {reason}")
    return best


def _uneven(cls: type[nn.Module], target: Target, found: OriginalRun) -> Iterator[OriginalRun]:
    """Build and call it with sizes that are not the same: a square hides which side is which."""
    if not (target.build.is_guessed and isinstance(found.arguments, Arguments)):
        return
    deadline = time.process_time() + _SEARCH_SECONDS / 2
    entry_points = [varied.call.method for varied in found.calls.values()]
    for arguments in uneven_arguments(found.arguments):
        with suppress(Exception, SystemExit):
            arguments.construct(cls)
            run = _with_calls(cls, arguments, target, deadline, entry_points)
            if run.calls and not run.silent:
                calls = {label: Varied(made.call, {}) for label, made in run.calls.items()}
                yield replace(run, calls=calls)


def _as_noted(
    cls: type[nn.Module],
    arguments: RecordedArguments | GuessedCode,
    calls: Sequence[RecordedCall | CodeCall],
    target: Target,
) -> OriginalRun:
    """The calls that were noted and can be made again, and other entry points that can be called.

    Raises what the original raises when it is built.
    """
    deadline = time.process_time() + _SEARCH_SECONDS
    arguments.construct(cls)
    able: dict[str, Varied] = {}
    for call in calls:
        with suppress(Exception, SystemExit):
            module, began = arguments.construct(cls), time.process_time()
            with computing(_CALL_SECONDS):
                invoke(module, call)
            is_slow = (time.process_time() - began) * _COMPARED > _VARIANT_SECONDS
            able[call.label] = vary(arguments.construct(cls), call, began if is_slow else deadline)
    done = {varied.call.method for varied in able.values()}
    others = [name for name in _entry_points(cls) if name not in done]
    found = _with_calls(cls, arguments, target, deadline, others)
    silent = "" if "forward" in done else found.silent
    return OriginalRun(arguments, {**able, **found.calls}, silent)


def _as_used(cls: type[nn.Module], use: OwnUse, target: Target, deadline: float) -> OriginalRun:
    """Build and call a class as a line of the project does. Raises what the original raises."""
    arguments = GuessedCode(use.build, use.place)
    methods = _entry_points(cls)
    with within(max(deadline - time.process_time(), 1.0)), SizeLimit(_LARGEST):
        module = arguments.construct(cls)
        calls = []
        for method, code in use.calls:
            with suppress(Exception, SystemExit):
                if method in methods and method not in target.left_out:
                    call = CodeCall(method, code)
                    invoke(module, call)
                    calls.append(call)
    return replace(_as_noted(cls, arguments, calls, target), way="code", place=use.place)


def _buildable(
    cls: type[nn.Module], build: Build, deadline: float, asked: list[Built]
) -> Iterator[Built]:
    """Yield the arguments with which the class can be built; at least one.

    Those ``asked`` for meanwhile come next, the last one first.
    """
    guesses: Iterator[Built] = guess_arguments(cls) if build.is_guessed else iter([_given(build)])
    first_error, any_built = "", False
    waiting: list[Built] = []
    tried = set[str]()
    while time.process_time() < deadline:
        while asked and str(asked[-1]) in tried:
            asked.pop()
        arguments = waiting.pop() if waiting else asked.pop() if asked else next(guesses, None)
        if arguments is None:
            break
        more: list[Arguments] = []
        is_new = str(arguments) not in tried
        tried.add(str(arguments))
        try:
            with SizeLimit(_LARGEST) if build.is_guessed else nullcontext():
                made = arguments.construct(cls)
            if build.is_guessed and is_new and _numbers(made) > _MODERATE:
                more = smaller_arguments(cls, arguments)
        except (Exception, SystemExit) as error:
            first_error = first_error or describe(error)
            if isinstance(error, TooLargeError):
                more = smaller_arguments(cls, arguments)
            elif len(tried) < _COMPLETED:
                more = complete_arguments(cls, arguments, error)
            waiting += [other for other in more if str(other) not in tried]
            continue
        if smaller := [other for other in more if str(other) not in tried]:
            waiting += [arguments, *smaller]
            continue
        any_built = True
        yield arguments
    if not any_built:
        which = "guessed" if build.is_guessed else "these"
        reason = first_error or "its signature is not known"
        raise NotVerified(f"cannot be built with {which} arguments: {reason}")


def _numbers(module: nn.Module) -> int:
    """How many numbers its parameters hold; those of a lazy layer have no size yet."""
    sized = (p for p in module.parameters() if not isinstance(p, UninitializedParameter))
    return sum(parameter.numel() for parameter in sized)


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
    silent, cause = "", None
    for method in entry_points:
        if method in target.left_out:
            continue
        try:
            module = fill_uninitialised(arguments.construct(cls))
            call, label = _find(module, method, target.build, deadline)
        except (Exception, SystemExit) as error:
            said = str(error) if isinstance(error, NoCall) else describe(error)
            if method == "forward" and not said.startswith("NotImplementedError"):
                silent, cause = f"forward cannot be called: {said}", error.__cause__
            continue
        calls[label] = vary(fill_uninitialised(arguments.construct(cls)), call, deadline)
    return OriginalRun(arguments, calls, silent, error=cause)


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
    verifier = Verifier(trees, planned, Path(request["notes"]))
    with results_file.open("a", buffering=1) as results:
        for document in request["targets"]:
            number = document.pop("number")
            target = Target(**{**document, "build": Build(**document["build"])})

            def write(key: str, value: Any, number: int = number) -> None:
                results.write(json.dumps({"target": number, key: value}) + "\n")

            result = verifier.verify(target, functools.partial(write, "stage"))
            write("result", asdict(result))


def _limit_memory() -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))

"""Guides written by hand: they lack the sites that are new, or draw what is not in the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pyroify.catalog.training import INFERENCE, LOSSES, SAMPLING
from pyroify.checks.instances import Script, dotted
from pyroify.decide.project import Key
from pyroify.decide.randomness import Randomness
from pyroify.diagnostics import Finding
from pyroify.dispatch import needs
from pyroify.program.index import ModuleClass
from pyroify.program.points_to import CallSite, called_on, calls_of, code_of
from pyroify.syntax.facts import Function
from pyroify.syntax.traits import called
from pyroify.syntax.values import Call, Constant, Name, Passed

CODE = "PYR090"

Drawn = Mapping[Key, ModuleClass]
"""Classes of which some code draws the random parameters."""


@needs((Name, "pyro"), (Function, "guide"), *called(*LOSSES))
def guide_by_hand(script: Script) -> Iterator[Finding]:
    """A guide that a script pairs with a model that draws more than it did."""
    for pair in (*_pairs(script), *_named_pairs(script)):
        model, guide = pair.drawn(pair.models), pair.drawn([pair.guide])
        if missing := _without(model, guide):
            if not any(_completes(script, call, pair.guide) for call in calls_of(pair.guide)):
                yield pair.finding(
                    f"lacks sites for the random parameters of {missing}: they stay at their prior",
                    pair.completion(),
                )
        if surplus := _without(guide, model):
            yield pair.finding(
                f"draws the random parameters of {surplus}, which its model does not have",
                f"keep them, by a rule of the spec for {surplus.partition(',')[0]}.**",
            )


@dataclass(frozen=True)
class _Pair:
    """A guide of the project, what it is paired with, and how the code says that."""

    script: Script
    models: tuple[CallSite, ...]
    guide: CallSite
    model_text: str

    def drawn(self, code: Iterable[CallSite]) -> Drawn:
        """The classes of which any of some functions draws the random parameters."""
        found: dict[Key, ModuleClass] = {}
        for at in code:
            found |= drawn_by(self.script, at)
        return found

    def finding(self, message: str, help: str) -> Finding:
        """A finding at the guide."""
        function = self.guide.function
        assert function is not None
        place = (self.guide.file.path, function.line, function.column + 1)
        return Finding(*place, CODE, f"{function.name.rpartition('.')[2]} {message}", help)

    def completion(self) -> str:
        """The lines that complete the guide."""
        function = self.guide.function
        assert function is not None
        hidden = ", ".join(f'"{name}"' for name in _sites(self.guide))
        given = ", ".join(function.arguments)
        return (
            f"once: rest = AutoNormal(poutine.block({self.model_text}, hide=[{hidden}])); "
            f"then call rest({given}) first in the guide"
        )


def _pairs(script: Script) -> Iterator[_Pair]:
    """Models and guides that the code of a file gives to inference."""
    for call, at in script.calls:
        if not _infers(call):
            continue
        model, guide = call.argument("model", 0), call.argument("guide", 1)
        if model is not None and guide is not None:
            models = tuple(script.project.pointers.functions(model.value, at))
            for found in script.project.pointers.functions(guide.value, at):
                yield _Pair(script, models, found, model.text)


def _named_pairs(script: Script) -> Iterator[_Pair]:
    """``model`` and ``guide`` side by side, where nothing is seen to call or give the guide."""
    if script.project.pointers.is_mentioned("guide"):
        return
    found = {
        (at.cls.qualname if at.cls else "", at.function.name): at
        for at in code_of(script.file)
        if at.function is not None
    }
    for (cls, name), guide in found.items():
        model = found.get((cls, "model"))
        if name == "guide" and model is not None:
            yield _Pair(script, (model,), guide, "self.model" if cls else "model")


def _infers(call: Call) -> bool:
    """Whether a call is given a model and a guide: ``SVI(...)``, ``Trace_ELBO()(...)``."""
    made = dotted(call.callee) if isinstance(call.callee, Call) else dotted(call)
    return bool(INFERENCE.fullmatch(made)) or called_on(call)[1] in LOSSES


def drawn_by(script: Script, at: CallSite) -> dict[Key, ModuleClass]:
    """The converted classes of which a function draws random parameters, by its calls."""
    found: dict[Key, ModuleClass] = {}
    seen: set[tuple[str, int]] = set()
    waiting = [at]
    while waiting:
        here = waiting.pop()
        assert here.function is not None
        if (here.file.path, here.function.line) in seen:
            continue
        seen.add((here.file.path, here.function.line))
        for call in calls_of(here):
            called = tuple(script.project.pointers.functions(call.callee, here))
            waiting += called
            if not called:
                found |= {cls.key: cls for cls in script.drawn(call.callee, here)}
    if not found and (cls := _own_class(script, at)):
        found[cls.key] = cls
    return found


def _own_class(script: Script, at: CallSite) -> ModuleClass | None:
    """The class of a method that reads random parameters of its own."""
    key = (at.file.path, at.cls.qualname) if at.cls else ("", "")
    summary = script.project.summaries.get(key)
    if summary is None or at.function is None or key not in script.converted:
        return None
    is_drawing = Randomness(script.project, summary).is_drawing(at.function)
    return summary.cls if is_drawing else None


def _without(drawn: Drawn, other: Drawn) -> str:
    """The names of the classes that one has and another has not."""
    return ", ".join(cls.cls.name for key, cls in drawn.items() if key not in other)


def _sites(guide: CallSite) -> Iterator[str]:
    """The names of the sites of a guide."""
    for call in calls_of(guide):
        name = _site(call)
        if name is not None and isinstance(name.value, Constant):
            yield name.text.strip("'\"")


def _site(call: Call) -> Passed | None:
    return call.argument("name", 0) if dotted(call) in SAMPLING else None


def _completes(script: Script, call: Call, guide: CallSite) -> bool:
    """Whether a call in a guide draws sites that it does not name, or those of parameters.

    A variable of a function around it may be a guide.
    """
    found = script.points_to(call.callee, guide)
    is_from_around = isinstance(call.callee, Name) and "." not in call.callee.dotted
    if found.guide or (found.anything and is_from_around):
        return True
    name = _site(call)
    return name is not None and ("." in name.text or not isinstance(name.value, Constant))

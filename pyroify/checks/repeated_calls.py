"""Networks that are called more than once where one draw is meant, or once where several are."""

from __future__ import annotations

from collections.abc import Iterator

from pyroify.catalog.training import PYRO_STATEMENTS
from pyroify.checks.instances import Script, dotted
from pyroify.checks.subject import Subject
from pyroify.decide.methods import methods_to_decorate
from pyroify.decide.randomness import Randomness
from pyroify.diagnostics import Finding
from pyroify.dispatch import needs
from pyroify.program.index import ModuleClass
from pyroify.program.points_to import CallSite, calls_of, code_of
from pyroify.syntax.facts import Function, Repeat
from pyroify.syntax.traits import anywhere, called
from pyroify.syntax.values import Argument, Call, SelfRead

AGAIN = {
    "again": "is called again, with other draws",
    "carried": "is called turn after turn, each time with other draws",
    "summed": "is called turn after turn for one loss, each time with other draws",
}
TAKEN = "is called again in a Pyro function, where the names of its sites are taken by then"
ONE_MODULE = "make these calls in the forward of one PyroModule: what it holds draws once a call"


@needs(Repeat)
def called_again(script: Script) -> Iterator[Finding]:
    """A network that is called several times for one loss, outside of any module of Pyro."""
    how = {(one.line, one.column): AGAIN.get(one.how) for one in script.file.repeats}
    for call, at in script.calls:
        said = how.get(call.place)
        if said is None or script.is_within_call(at):
            continue
        if classes := tuple(script.drawn(call.callee, at)):
            said = TAKEN if _is_of_pyro(at) else said
            message = f"{call.text} ({_names(classes)}) {said}"
            yield script.finding(call, "PYR092", message, ONE_MODULE)


@needs(*called("sample", "plate", "factor", "deterministic", "markov"))
def colliding_roots(script: Script) -> Iterator[Finding]:
    """Two networks in one Pyro function, whose sites have the same names."""
    for at in code_of(script.file):
        if not _is_of_pyro(at) or script.is_within_call(at):
            continue
        roots: dict[str, ModuleClass] = {}
        for call in calls_of(at):
            if call.text in roots:
                continue
            for cls in script.drawn(call.callee, at):
                other = next((text for text in roots if _collide(script, roots[text], cls)), None)
                roots[call.text] = cls
                if other is not None:
                    yield _collision(script, call, other)
                    break


def _collision(script: Script, call: Call, other: str) -> Finding:
    one, two = other.rpartition(".")[2], call.text.rpartition(".")[2]
    return script.finding(
        call,
        "PYR091",
        f"the sites of {call.text} have the names of those of {other}, in one Pyro function",
        "name both by a root, before either is called: "
        f"nets = PyroModule(); nets.{one}, nets.{two} = {other}, {call.text}",
    )


def _collide(script: Script, one: ModuleClass, other: ModuleClass) -> bool:
    """Whether sites of two classes may have the same names."""
    return bool(_first_names(script, one) & _first_names(script, other))


def _first_names(script: Script, cls: ModuleClass) -> frozenset[str]:
    summary = script.project.summaries.get(cls.key)
    return Randomness(script.project, summary).names if summary else frozenset()


def _is_of_pyro(at: CallSite) -> bool:
    """Whether code draws or observes by itself."""
    is_function = at.function is not None
    return is_function and any(PYRO_STATEMENTS.fullmatch(dotted(call)) for call in calls_of(at))


def _names(classes: tuple[ModuleClass, ...]) -> str:
    return ", ".join(dict.fromkeys(cls.cls.name for cls in classes))


@needs(*anywhere(Repeat))
def draws_of_one_call(subject: Subject) -> Iterator[Finding]:
    """A loop for many draws within one call, which has one draw of each parameter."""
    same = {(one.line, one.column) for one in subject.cls.file.repeats if one.how == "same"}
    for method in _entries(subject) if same else ():
        for call in method.layer_calls:
            if call.place in same and _draws(subject, call):
                yield subject.finding(
                    call.line,
                    call.column,
                    "PYR093",
                    f"{call.text} gives the same in each turn: a call of {method.name} draws once",
                    f"let the caller of {method.name} loop, or use Predictive",
                )


def _entries(subject: Subject) -> Iterator[Function]:
    """Methods whose calls draw once: those that Pyro sees, and what these call."""
    entries = [method for method, _ in methods_to_decorate(subject.summary, subject.randomness)]
    entries += [method for method in subject.methods if method.name == "forward"]
    reached = subject.summary.calls.reached([(subject.cls, method) for method in entries])
    yield from {id(m): m for cls, m in reached if cls is subject.cls}.values()


def _draws(subject: Subject, call: Call) -> bool:
    """Whether a call of the module, a method of it or a part draws."""
    match call.callee:
        case Argument():
            return True
        case SelfRead(path=(name,)) if found := subject.cls.find_method(name):
            return subject.randomness.is_drawing(found[1])
        case SelfRead(path=(name, *_)):
            return name in subject.randomness.names or name in ("forward", "__call__")
    return False

"""Networks outside of classes: at file level, in functions, in classes that are no modules.

No class declares their parameters, so nothing of them is converted. What some class of the project
makes by a function, or is handed, is left to that class: it follows the functions it calls, and
converts at run time what it is handed. What stands at the top of a file or in a class body is there
once for all instances, whoever uses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from pyroify.catalog.thirdparty import MAKING_NETWORKS
from pyroify.code.names import SOURCES
from pyroify.decide.sites import OTHER
from pyroify.diagnostics import Finding
from pyroify.program.faults import looking_at
from pyroify.program.index import Index, ModuleClass
from pyroify.program.resolve import Resolver
from pyroify.program.values import LayerInstance, Scope
from pyroify.spec.match import SiteKey, decide
from pyroify.spec.model import Keep, Spec
from pyroify.syntax.facts import File, Function
from pyroify.syntax.values import Call, Closure, Location, Name, Unknown, Value, calls_in, walk

CODE = "PYR046"
HELP = "make it a class that derives from nn.Module, or from nn.Sequential"

SHOWN = 3

Key = tuple[str, str]
"""A function: the path of its file and its name."""

Place = tuple[str, Location]
"""Where a call stands: the path of its file, and line and column."""


@dataclass(frozen=True, slots=True)
class Code:
    """Calls that stand together: in a function, a class that is no module, a file, a class body."""

    file: File
    name: str
    calls: tuple[Call, ...]
    names: frozenset[str] = frozenset()
    """Names that it reads, as far as they are known."""
    is_body: bool = False
    """Whether it is the body of a module class, which runs once."""

    @property
    def key(self) -> Key:
        """Which code it is."""
        return self.file.path, self.name

    @property
    def where(self) -> str:
        """How messages call it."""
        if self.is_body:
            return f"in the body of {self.name}, once for all instances"
        return f"in {self.name}" if self.name else "at the top of the file"


@dataclass(frozen=True, slots=True)
class Network:
    """A network that no class takes over: the outermost call that makes it, and what to say of it.

    ``is_shared``: classes use it, once for all their instances.
    """

    code: Code
    call: Call
    is_shared: bool
    finding: Finding


@dataclass
class Networks:
    """The networks of the ``selected`` files that no class takes over."""

    index: Index
    spec: Spec
    selected: frozenset[str]

    def found(self) -> Iterator[Network]:
        """Each network, with its finding."""
        for code, found in self.networks():
            for call, layers in found.items():
                shared = call.place in self._places_shared(code)
                whom = ", once for all instances of the classes that use it" if shared else ""
                message = f"a network is made {code.where}{whom}: {_described(call, layers)}"
                place = (code.file.path, call.line, call.column + 1)
                finding = Finding(*place, CODE, message, HELP)
                yield Network(code, call, shared or code.is_body, finding)

    def networks(self) -> Iterator[tuple[Code, dict[Call, tuple[str, ...]]]]:
        """The code that makes networks, with the outermost calls and the layers of each."""
        asked = [code for code in self._outside if code.file.path in self.selected and code.calls]
        found = {code.key: self._networks(code) for code in asked}
        parts = frozenset(self._resolver.functions) | self._taken_over
        for code in asked:
            if code.key not in parts:
                yield code, found[code.key]

    @cached_property
    def _resolver(self) -> Resolver:
        """One of its own: what functions make here is not for the plan to wrap."""
        return Resolver(self.index, {})

    def _networks(self, code: Code) -> dict[Call, tuple[str, ...]]:
        """The outermost calls that make layers the spec would make random, and those layers."""
        found: dict[Call, tuple[str, ...]] = {}
        inner: set[Location] = set()
        with looking_at(code.file.path):
            for call in code.calls:
                if self._makes_network(call, code.file):
                    found[call] = (call.text.rpartition(".")[2],)
                if not self._makes_layer(call, code.file):
                    continue
                node = self._resolver.resolve(call, Scope(code.file.path))
                made = [item for item in walk(node) if isinstance(item, LayerInstance)]
                layers = [item.layer.name for item in made if self._is_wanted(item, code)]
                if layers:
                    found[call] = tuple(dict.fromkeys(layers))
                    inner.update(part.place for part in _inner_calls(call))
        left = self._places_left(code)
        return {
            call: layers
            for call, layers in found.items()
            if call.place not in inner | left
            and (code.file.path, call.place) not in self._handed_to_classes
        }

    def _makes_layer(self, call: Call, file: File) -> bool:
        return (
            isinstance(call.callee, Name)
            and not call.wrapped
            and self.index.layer(call.callee.dotted, file.path) is not None
        )

    def _makes_network(self, call: Call, file: File) -> bool:
        """Whether it is made out of sight: by another library, by a layer looked up or prepared."""
        match call.callee:
            case Name(dotted=dotted):
                name = self.index.canonical(dotted, file.path)
                is_made = MAKING_NETWORKS.fullmatch(name) is not None
            case Call(callee=Name(dotted="functools.partial" | "getattr")):
                made = self._resolver.resolve(call, Scope(file.path))
                is_made = isinstance(made, Unknown | LayerInstance)
                is_made = is_made and (not isinstance(made, Unknown) or made.sure)
            case _:
                return False
        key = SiteKey(file.module, file.module.rpartition(".")[2], OTHER, "")
        return is_made and not isinstance(decide(self.spec, key).action, Keep)

    def _is_wanted(self, instance: LayerInstance, code: Code) -> bool:
        """Whether the spec makes something of a parameter of such a layer, whatever its class."""
        owner = code.name or code.file.module.rpartition(".")[2]
        keys = (
            SiteKey(code.file.module, owner, parameter.name, parameter.layer)
            for parameter in instance.layer.parameters
        )
        return any(not isinstance(decide(self.spec, key).action, Keep) for key in keys)

    @cached_property
    def _handed_to_classes(self) -> frozenset[Place]:
        """Where layers are made that a module class is given."""
        found: set[Place] = set()
        for code in self._outside:
            for call in code.calls:
                if self._class_called(call, code.file):
                    found.update(self._given(call, code.file))
        return frozenset(found)

    def _class_called(self, call: Call, file: File) -> bool:
        if not isinstance(call.callee, Name):
            return False
        return self.index.resolve(call.callee.dotted, file.path).module_class is not None

    def _given(self, call: Call, file: File) -> Iterator[Place]:
        """Where what a call is given is made, also under a name of a file."""
        for passed in call.args:
            yield from ((file.path, inner.place) for inner in calls_in(passed.value))
            if isinstance(passed.value, Name):
                target = self.index.resolve(passed.value.dotted, file.path)
                if target.alias is not None and target.file is not None:
                    made = calls_in(target.alias)
                    yield from ((target.file.path, inner.place) for inner in made)

    def _places_left(self, code: Code) -> frozenset[Location]:
        """Where modules are made that old Pyro code lifts, or in closures that classes call."""
        lifted = {item.module.made[0] for item in code.file.liftings if item.module.made}
        places = {call.place for call in code.calls if call.line in lifted}
        places |= {call.place for call in self._made_pyro_modules(code)}
        return frozenset(places.union(*map(_places_within_closures, self._values_read(code))))

    def _made_pyro_modules(self, code: Code) -> Iterator[Call]:
        """What is handed to ``to_pyro_module_``, also by its name: the user has seen to it."""
        aliases = dict(code.file.aliases)
        for call in code.calls:
            if isinstance(call.callee, Name) and call.callee.dotted in SOURCES["to_pyro_module_"]:
                for passed in call.args:
                    made = aliases.get(passed.text) if not code.name else None
                    yield from calls_in(made if made is not None else passed.value)

    def _places_shared(self, code: Code) -> frozenset[Location]:
        """Where modules are made, once, that classes read by a name of the file."""
        return frozenset(c.place for v in self._values_read(code) for c in calls_in(v))

    def _values_read(self, code: Code) -> Iterator[Value]:
        """The values of a file's names that module classes read, in this file or others."""
        path, module = code.file.path, code.file.module
        for name, value in () if code.name else code.file.aliases:
            if (
                name in self._read_by_own.get(path, ())
                or f"{module}.{name}" in self._read_by_others
            ):
                yield value

    @cached_property
    def _read_by_own(self) -> Mapping[str, frozenset[str]]:
        """The names that methods of module classes read, by their file."""
        found: dict[str, frozenset[str]] = {}
        for file, method in self._methods:
            found[file.path] = found.get(file.path, frozenset()) | method.names
        return found

    @cached_property
    def _read_by_others(self) -> frozenset[str]:
        """What module classes read of other modules, in full."""
        return frozenset(
            dotted
            for file in self.index.files
            for local, dotted in file.imports
            if local in self._read_by_own.get(file.path, ())
        )

    # What classes take over

    @cached_property
    def _methods(self) -> tuple[tuple[File, Function], ...]:
        """The methods of all module classes."""
        return tuple((cls.file, method) for cls in self._classes for method in cls.cls.methods)

    @cached_property
    def _classes(self) -> tuple[ModuleClass, ...]:
        return self.index.module_classes

    @cached_property
    def _outside(self) -> tuple[Code, ...]:
        """All code outside of module classes."""
        return tuple(code for file in self.index.files for code in self._of_file(file))

    def _of_file(self, file: File) -> Iterator[Code]:
        yield Code(file, "", file.module_calls)
        tops = {function.name for function in file.functions if "." not in function.name}
        for function in file.functions:
            # A function within a method is that of a class, be it a module or not.
            if function.name.partition(".")[0] in tops:
                yield Code(file, function.name, function.layer_calls, function.names)
        for cls in file.classes:
            if self.index.module_class(file, cls) is None:
                inside = (call for _, value in cls.class_attributes for call in calls_in(value))
                made = (call for method in cls.methods for call in method.layer_calls)
                yield Code(file, cls.qualname, (*inside, *made))
            else:
                values = [value for _, value in cls.class_attributes]
                made_later = frozenset[Location]().union(*map(_places_within_closures, values))
                held = (call for value in values for call in calls_in(value))
                calls = tuple(call for call in held if call.place not in made_later)
                yield Code(file, cls.qualname, calls, is_body=True)

    @cached_property
    def _taken_over(self) -> frozenset[Key]:
        """Functions that module classes call or hand on, at any remove."""
        functions = {code.key: code for code in self._outside if code.name}
        reached: set[Key] = set()
        waiting = [
            *(key for file, method in self._methods for key in self._used(file, method.names)),
            *self._used_by_attributes(),
            *self._given_to_classes(),
        ]
        while waiting:
            key = waiting.pop()
            if key in functions and key not in reached:
                reached.add(key)
                code = functions[key]
                waiting += self._used(code.file, code.names)
                inner = (k for k in functions if k[0] == key[0] and k[1].startswith(f"{key[1]}."))
                waiting += inner
        return frozenset(reached)

    def _used(self, file: File, names: frozenset[str]) -> Iterator[Key]:
        """The functions of the project that some names stand for, or are attributes of."""
        imports = dict(file.imports)
        own = {function.name for function in file.functions}
        for name in names:
            if name in own:
                yield file.path, name
            elif name in imports:
                yield from self._imported(imports[name], file)
            elif name not in file.bound:
                yield from self._imported(name, file)

    def _imported(self, dotted: str, file: File) -> Iterator[Key]:
        """A function by its name, or all functions of a module."""
        target = self.index.resolve(dotted, file.path)
        if target.function is not None and target.file is not None:
            yield target.file.path, target.function.name
        elif path := self.index.find_module(dotted, file.path):
            inner = self.index.file(path)
            yield from ((path, item.name) for item in (inner.functions if inner else ()))

    def _used_by_attributes(self) -> Iterator[Key]:
        """Functions that module classes have as attributes."""
        for cls in self._classes:
            for _, value in cls.cls.class_attributes:
                yield from self._functions_of(value, cls.file)

    def _given_to_classes(self) -> Iterator[Key]:
        """Functions whose results are handed to module classes."""
        for code in self._outside:
            for call in code.calls:
                if self._class_called(call, code.file):
                    for passed in call.args:
                        yield from self._functions_of(passed.value, code.file)

    def _functions_of(self, value: Value, file: File) -> Iterator[Key]:
        values: list[Value] = [value, *(call.callee for call in calls_in(value))]
        for item in values:
            if isinstance(item, Name):
                target = self.index.resolve(item.dotted, file.path)
                if target.function is not None and target.file is not None:
                    yield target.file.path, target.function.name
                elif target.alias is not None and target.alias is not value and target.file:
                    yield from self._functions_of(target.alias, target.file)


def _places_within_closures(value: Value) -> frozenset[Location]:
    """Where calls stand that are made only when a closure is called, each time anew."""
    closures = (item for item in walk(value) if isinstance(item, Closure))
    return frozenset(call.place for closure in closures for call in calls_in(closure))


def _inner_calls(call: Call) -> Iterator[Call]:
    for passed in call.args:
        yield from calls_in(passed.value)


def _described(call: Call, layers: tuple[str, ...]) -> str:
    if call.text.rpartition(".")[2] in layers:
        return call.text
    more = " and others" if len(layers) > SHOWN else ""
    return f"{call.text} with {', '.join(layers[:SHOWN])}{more}"

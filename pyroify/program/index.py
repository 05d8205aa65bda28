"""Names to what they stand for, across files, import styles and re-exports."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from pyroify.catalog.layers import Layer, lookup
from pyroify.catalog.module import MODULE, PYRO_MODULE
from pyroify.catalog.thirdparty import is_module, is_no_module
from pyroify.diagnostics import Finding
from pyroify.dispatch import Trait
from pyroify.lock import Lock
from pyroify.program.faults import FileFault, looking_at
from pyroify.program.load import Loaded
from pyroify.source import decode_source
from pyroify.syntax.extract import extract_classes
from pyroify.syntax.facts import Class, File, Function
from pyroify.syntax.traits import anywhere, traits_of, traits_of_file
from pyroify.syntax.values import Call, Name, Value

PLAIN_BASES = {
    *(name for name, value in vars(builtins).items() if isinstance(value, type) and name != "type"),
    *("typing.Generic", "typing.Protocol", "abc.ABC"),
}

BaseKind = Literal["module", "pyro", "layer", "local", "external", "unresolved", "plain"]


@dataclass(frozen=True, slots=True)
class Base:
    """One base of a module class: what it is, as written, and the class it names."""

    kind: BaseKind
    text: str
    dotted: str
    local: ModuleClass | None = None
    layer: Layer | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ModuleClass:
    """A class of the project that descends from ``nn.Module``, and where it stands."""

    file: File
    cls: Class
    bases: tuple[Base, ...]

    @property
    def key(self) -> tuple[str, str]:
        """Path and qualified name: unique in the project."""
        return self.file.path, self.cls.qualname

    @property
    def name(self) -> str:
        """``module:Class``, as the spec names it."""
        return f"{self.file.module}:{self.cls.qualname}"

    @property
    def is_pyro(self) -> bool:
        """Whether it is a ``PyroModule`` already."""
        return any(
            base.kind == "pyro" or (base.local is not None and base.local.is_pyro)
            for base in self.bases
        )

    @property
    def lineage(self) -> tuple[ModuleClass, ...]:
        """The class and its bases in the project, nearest first."""
        found: dict[tuple[str, str], ModuleClass] = {self.key: self}
        for base in self.bases:
            if base.local is not None:
                for item in base.local.lineage:
                    found.setdefault(item.key, item)
        return tuple(found.values())

    @property
    def library_base(self) -> Layer | None:
        """The layer of torch.nn it directly derives from, if any."""
        return next((base.layer for base in self.bases if base.layer is not None), None)

    def find_method(self, name: str) -> tuple[ModuleClass, Function] | None:
        """A method of the class or of its bases in the project, with the class that defines it."""
        for item in self.lineage:
            if method := item.cls.method(name):
                return item, method
        return None


@dataclass(frozen=True, slots=True)
class Target:
    """What a dotted name stands for: exactly one field is set, or none for something outside."""

    module_class: ModuleClass | None = None
    plain_class: Class | None = None
    function: Function | None = None
    alias: Value | None = None
    file: File | None = None


@dataclass
class Index:
    """The files of a project, and what their names mean."""

    loaded: Loaded
    _files: dict[str, File | None] = field(default_factory=dict)
    _classes: dict[tuple[str, str], ModuleClass | None] = field(default_factory=dict)
    _pending: set[tuple[str, str]] = field(default_factory=set)
    _stars: dict[str, tuple[File, ...]] = field(default_factory=dict)
    _canonical: dict[tuple[str, str], str] = field(default_factory=dict)
    _targets: dict[tuple[str, str], Target] = field(default_factory=dict)
    _members: dict[str, dict[str, Class | Function]] = field(default_factory=dict)
    left: dict[str, FileFault] = field(default_factory=dict)
    """Files on which pyroify itself failed: they stay as they are, and what needs them too."""
    _uses: dict[str, frozenset[str]] = field(default_factory=dict)
    _left_modules: set[tuple[str, str]] = field(default_factory=set)
    _traits: dict[int, tuple[Function, frozenset[Trait]]] = field(default_factory=dict)
    """By identity, of functions that are kept: to compare all that is in them would take longer."""

    def __post_init__(self) -> None:
        self._files.update(self.loaded.files)

    # What there is

    @cached_property
    def traits(self) -> frozenset[Trait]:
        """What there is anywhere in the project, as far as any work asks for it."""
        found: set[Trait] = set()
        for file in self.files:
            methods = (method for cls in file.classes for method in cls.methods)
            with looking_at(file.path):
                found.update(traits_of_file(file))
                found.update(*map(self.traits_of, (*file.functions, *methods)))
        return frozenset(anywhere(*found))

    def traits_of(self, function: Function) -> frozenset[Trait]:
        """What there is in a function, found once."""
        if id(function) not in self._traits:
            self._traits[id(function)] = function, frozenset(traits_of(function))
        return self._traits[id(function)][1]

    # Files

    @property
    def findings(self) -> Iterator[Finding]:
        """What is wrong with files and imports."""
        yield from self.loaded.lock.findings
        yield from self.loaded.findings
        yield from self.loaded.names.findings
        yield from (fault.finding for fault in self.left.values())

    @property
    def lock(self) -> Lock:
        """What pyroify wrote in these files before."""
        return self.loaded.lock

    @property
    def existing(self) -> frozenset[str]:
        """The paths of all files of the project, read or not."""
        return self.loaded.names.existing

    def file(self, path: str) -> File | None:
        """Facts of a file; None for one that cannot be read, or has nothing to do with modules."""
        return self._files.get(path)

    def classes_as_rewritten(self, path: str, data: bytes) -> File:
        """Of a file with other contents, its own after a rewrite, what tells its declarations."""
        text, module = decode_source(data, path).text, self.loaded.names.module_name(path)
        return extract_classes(text, path, module, path.endswith("__init__.py"))

    def find_module(self, dotted: str, importer: str) -> str | None:
        """File of a module, as an import in ``importer`` finds it."""
        return self.loaded.names.find_module(dotted, importer)

    @cached_property
    def files(self) -> tuple[File, ...]:
        """All files that were read, in the project's order."""
        return tuple(
            found
            for path in self.loaded.names.paths
            if (found := self._files.get(path)) is not None
        )

    @cached_property
    def modules(self) -> frozenset[str]:
        """Their dotted names."""
        return frozenset(file.module for file in self.files)

    @property
    def unreadable(self) -> frozenset[str]:
        """The files that were looked at, of which nothing is known, or not all."""
        return frozenset(path for path, file in self._files.items() if file is None) | {*self.left}

    def leave_alone(self, fault: FileFault) -> None:
        """Go on without what is in the classes of a file: only that they are there is known."""
        file = self._files[fault.path]
        assert file is not None and fault.path not in self.left
        self.left[fault.path] = fault
        self._uses[fault.path] = frozenset(_names_called(file))
        self._files[fault.path] = _without_bodies(file)
        self._left_modules.update(key for key, made in self._classes.items() if made)
        for cache in (self._classes, self._stars, self._targets, self._members):
            cache.clear()
        for name in ("files", "modules", "traits"):
            self.__dict__.pop(name, None)

    def used_by_left(self, path: str) -> Iterator[ModuleClass]:
        """The classes that a file which is left alone may hold, by the names it calls."""
        for dotted in sorted(self._uses.get(path, ())):
            if found := self.resolve(dotted, path).module_class:
                yield found

    # Names

    def resolve(self, dotted: str, importer: str, depth: int = 0) -> Target:
        """What a dotted name of a file stands for; an empty target for something outside."""
        if depth > 20 or not dotted:
            return Target()
        key = (dotted, importer)
        if key in self._targets:
            return self._targets[key]
        found = self._resolve(dotted, importer, depth)
        if not self._pending:  # while a class is looked at, answers may be halfway
            self._targets[key] = found
        return found

    def _resolve(self, dotted: str, importer: str, depth: int) -> Target:
        file = self._files.get(importer)
        if file is not None and dotted.startswith(f"{file.module}."):
            found = self._member(file, dotted[len(file.module) + 1 :], depth)
            if found != Target():
                return found
        parts = dotted.split(".")
        for cut in range(len(parts) - 1, 0, -1):
            path = self.find_module(".".join(parts[:cut]), importer)
            inner = self.file(path) if path and path != importer else None
            if inner is not None:
                return self._member(inner, ".".join(parts[cut:]), depth)
        if file is not None and len(parts) == 1:
            return self._from_stars(file, parts[0], depth)
        return Target()

    def _member(self, file: File, name: str, depth: int) -> Target:
        """A name of another file: defined there, re-exported, or under a star import."""
        found = self._own_member(file, name, depth)
        return found if found != Target() else self._from_stars(file, name, depth)

    def _own_member(self, file: File, name: str, depth: int) -> Target:
        if file.path not in self._members:
            functions = {function.name: function for function in reversed(file.functions)}
            classes = {cls.qualname: cls for cls in reversed(file.classes)}
            self._members[file.path] = {**functions, **classes}
        member = self._members[file.path].get(name)
        if isinstance(member, Class):
            made = self.module_class(file, member)
            if made is not None:
                return Target(module_class=made, file=file)
            return Target(plain_class=member, file=file)
        if member is not None:
            return Target(function=member, file=file)
        head, _, rest = name.partition(".")
        for local, value in file.aliases:
            if local == name:
                return self._alias(file, value, depth)
        for local, dotted in file.imports:
            if local == head and dotted != name:
                return self.resolve(f"{dotted}.{rest}" if rest else dotted, file.path, depth + 1)
        return Target()

    def _alias(self, file: File, value: Value, depth: int) -> Target:
        if isinstance(value, Name):
            found = self.resolve(value.dotted, file.path, depth + 1)
            if found != Target():
                return found
        return Target(alias=value, file=file)

    def _from_stars(self, file: File, name: str, depth: int) -> Target:
        for inner in self._star_sources(file):
            found = self._own_member(inner, name, depth + 1)
            if found != Target():
                return found
        return Target()

    def _star_sources(self, file: File) -> tuple[File, ...]:
        """The files of the project whose names a file has by star imports, each once."""
        if file.path not in self._stars:
            found: dict[str, File] = {}
            waiting = [file]
            while waiting:
                importer = waiting.pop()
                for source in importer.stars:
                    path = self.find_module(source, importer.path)
                    inner = self.file(path) if path else None
                    if inner is not None and inner is not file and inner.path not in found:
                        found[inner.path] = inner
                        waiting.append(inner)
            self._stars[file.path] = tuple(found.values())
        return self._stars[file.path]

    def canonical(self, dotted: str, importer: str) -> str:
        """A dotted name with re-exports and star imports followed out of the project."""
        key = (dotted, importer)
        if key not in self._canonical:
            self._canonical[key] = self._follow(dotted, importer)
        return self._canonical[key]

    def _follow(self, dotted: str, importer: str) -> str:
        for _ in range(10):
            file = self._files.get(importer)
            if file is None:
                return dotted
            if "." not in dotted:
                for source in file.stars:
                    if lookup(f"{source}.{dotted}") or f"{source}.{dotted}" in MODULE:
                        return f"{source}.{dotted}"
                    if (found := self._named_in(source, dotted, importer)) is not None:
                        return found
            step = self._reexport(dotted, importer)
            if step is None:
                return dotted
            dotted, importer = step
        return dotted

    def _named_in(self, module: str, name: str, importer: str) -> str | None:
        """What a module of the project imports under a name that a star import brings along."""
        path = self.find_module(module, importer)
        inner = self.file(path) if path else None
        if inner is None or inner.path == importer:
            return None
        for local, dotted in inner.imports:
            if local == name:
                return self.canonical(dotted, inner.path)
        return None

    def _reexport(self, dotted: str, importer: str) -> tuple[str, str] | None:
        module, _, name = dotted.rpartition(".")
        path = self.find_module(module, importer)
        inner = self.file(path) if path else None
        if inner is None:
            return None
        for local, target in inner.imports:
            if local == name and target != dotted:
                return target, inner.path
        for local, value in inner.aliases:
            if local == name and isinstance(value, Name) and value.dotted != dotted:
                return value.dotted, inner.path
        return None

    def layer(self, dotted: str, importer: str) -> Layer | None:
        """The layer of torch.nn a name stands for, if any."""
        return lookup(dotted) or lookup(self.canonical(dotted, importer))

    # Classes

    @property
    def module_classes(self) -> tuple[ModuleClass, ...]:
        """All classes of the files read so far that descend from ``nn.Module``, in order."""
        found = []
        for file in self.files:
            for cls in file.classes:
                with looking_at(file.path):
                    made = self.module_class(file, cls)
                if made is not None:
                    found.append(made)
        return tuple(found)

    def class_at(self, key: tuple[str, str]) -> ModuleClass | None:
        """The module class of a file by its qualified name."""
        file = self.file(key[0])
        found = (cls for cls in reversed(file.classes if file else ()) if cls.qualname == key[1])
        cls = next(found, None)
        return self.module_class(file, cls) if file is not None and cls is not None else None

    def module_class(self, file: File, cls: Class) -> ModuleClass | None:
        """The class as a module, or None where it does not descend from ``nn.Module``."""
        key = (file.path, f"{cls.qualname}:{cls.line}")
        if key in self._classes:
            return self._classes[key]
        if key in self._pending:
            return None
        self._pending.add(key)
        bases = tuple(self._base(file, text, dotted) for text, dotted, _, _ in cls.bases)
        self._pending.discard(key)
        descends = any(
            base.kind in ("module", "pyro", "layer", "local", "external") for base in bases
        )
        if not descends and any(base.kind == "unresolved" for base in bases):
            descends = key in self._left_modules or looks_like_module(cls)
        made = ModuleClass(file, cls, bases) if descends else None
        self._classes[key] = made
        return made

    def is_known(self, file: File, cls: Class) -> bool:
        """Whether all bases of a class that is no module are known not to be modules either."""
        bases = [self._base(file, text, dotted) for text, dotted, _, _ in cls.bases]
        return all(base.kind == "plain" for base in bases)

    def _base(self, file: File, text: str, dotted: str) -> Base:
        name = self.canonical(dotted, file.path)
        if name in PYRO_MODULE:
            return Base("pyro", text, name, layer=self._bracketed(file, text))
        if name in MODULE:
            return Base("module", text, name)
        if layer := lookup(name):
            return Base("layer", text, name, layer=layer)
        target = self.resolve(dotted, file.path)
        if target.module_class is not None:
            return Base("local", text, name, local=target.module_class)
        if target.plain_class is not None or target.function is not None:
            return Base("plain", text, name)
        if name in PLAIN_BASES or name.partition(".")[0] in sys.stdlib_module_names:
            return Base("plain", text, name)
        if name.startswith("torch."):
            last = name.rpartition(".")[2]
            return Base(
                "external" if ".nn." in name or last.endswith("Module") else "plain", text, name
            )
        if is_no_module(name):
            return Base("plain", text, name)
        if is_module(name):
            return Base("external", text, name)
        return Base("unresolved", text, name)

    def _bracketed(self, file: File, text: str) -> Layer | None:
        """The layer in ``PyroModule[nn.Linear]``."""
        _, bracket, inner = text.partition("[")
        if not bracket:
            return None
        parts = tuple(inner.rstrip("] ").split("."))
        imports = dict(file.imports)
        return lookup(".".join([imports.get(parts[0], parts[0]), *parts[1:]]))


def _without_bodies(file: File) -> File:
    """The file as far as others must know it: names, classes and bases."""
    classes = tuple(replace(cls, methods=(), class_attributes=()) for cls in file.classes)
    aliases = tuple((name, value) for name, value in file.aliases if isinstance(value, Name))
    return File(
        file.path,
        file.module,
        file.imports,
        file.stars,
        file.modules,
        classes,
        aliases=aliases,
        bound=file.bound,
    )


def _names_called(file: File) -> Iterator[str]:
    """Dotted names of what a file calls, or hands to a call."""
    methods = (method for cls in file.classes for method in cls.methods)
    functions = (*file.functions, *methods)
    for call in (*file.module_calls, *(c for item in functions for c in item.layer_calls)):
        for value in (call.callee, *(passed.value for passed in call.args)):
            if isinstance(value, Call):
                value = value.callee
            if isinstance(value, Name):
                yield value.dotted


def looks_like_module(cls: Class) -> bool:
    """Whether a class whose base is not known behaves like an ``nn.Module``.

    It attaches parameters or layers of torch to itself, or has ``forward`` and calls the base's
    ``__init__``.
    """
    from pyroify.syntax.values import Call, Parameter

    constructor = cls.method("__init__")
    if constructor is None:
        return cls.method("forward") is not None
    for assignment in constructor.assignments:
        value = assignment.value
        if isinstance(value, Parameter):
            return True
        if (
            isinstance(value, Call)
            and isinstance(value.callee, Name)
            and lookup(value.callee.dotted)
        ):
            return True
    return cls.method("forward") is not None and "__init__" in constructor.super_calls

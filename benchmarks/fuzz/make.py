"""One random program: files, classes, and the ways to build them."""

from __future__ import annotations

import random
from collections.abc import Callable

from benchmarks.fuzz.draft import ClassDraft, FileDraft, ProjectDraft, render_file
from benchmarks.fuzz.forms import all_forms
from benchmarks.fuzz.layout import spell
from benchmarks.fuzz.program import Program, Target

WEIGHTS = {
    "parameters": 5.0,
    "parameter_lists": 1.0,
    "layers": 6.0,
    "containers": 4.0,
    "afterwards": 4.0,
    "structure": 2.0,
}
NAMES = ("Block", "Encoder", "Head", "Net", "MLP", "Cell", "Model", "Tower", "Stem", "Mixer")


def make_program(seed: str) -> Program:
    """The program of a seed: the same on every machine."""
    rng = random.Random(seed)
    project = ProjectDraft(rng, package=rng.choice(("", "", "model", "pkg")))
    file_count = rng.choice((1, 1, 2, 3))
    if file_count > 1 and rng.random() < 0.6:
        project.new_file("common")
    files = [project.new_file(stem) for stem in rng.sample(("net", "blocks", "core"), file_count)]
    count = rng.randint(2, 5)
    forms: list[str] = []
    for number in range(count):
        file = files[number * file_count // count]
        cls = _make_class(project, file)
        forms += cls.used_forms
    return _render(project, seed, forms)


def make_simple(name: str, seed: str) -> Program:
    """One class with one form, or of one shape, and the plainest spec; no odd spelling."""
    project = ProjectDraft(random.Random(seed))
    file = FileDraft("net.py", "nn")
    project.files.append(file)
    if name.startswith("shape.") or "across" in name or "block" in name:
        _finish(
            ClassDraft(project, file, project.new_name("Block"), ["nn.Module"]), "layers.assigned"
        )
    cls = ClassDraft(project, file, project.new_name("Net"), ["nn.Module"])
    if name.startswith("shape."):
        SHAPES[name.removeprefix("shape.")][1](cls)
        _finish(cls, "")
    else:
        _finish(cls, name)
    targets = tuple(t for c in project.classes for t in _targets(c))
    text = render_file(file).encode()
    return Program({"net.py": text}, targets, PLAINEST, seed, (name,))


PLAINEST = 'version: 1\npriors:\n  - match: "**"\n    sample: Normal(0, 1)\n'


def _finish(cls: ClassDraft, form: str) -> None:
    if form:
        all_forms()[form][1](cls)
    if not cls.steps and "nn.Module" in cls.bases and not cls.whole:
        cls.step("x = torch.tanh(x)")
    cls.project.classes.append(cls)
    cls.file.blocks.append(cls.render())


def _make_class(project: ProjectDraft, file: FileDraft) -> ClassDraft:
    rng = project.rng
    name = project.new_name(rng.choice(NAMES))
    cls = ClassDraft(project, file, name, ["nn.Module"])
    shape = rng.choices(list(SHAPES), weights=[weight for weight, _ in SHAPES.values()])[0]
    SHAPES[shape][1](cls)
    cls.used_forms.insert(0, f"shape.{shape}")
    if not cls.whole:
        _add_forms(cls)
    project.classes.append(cls)
    file.blocks.append(cls.render())
    return cls


def _add_forms(cls: ClassDraft) -> None:
    forms = all_forms()
    by_kind: dict[str, list[str]] = {}
    for name, (kind, _) in forms.items():
        by_kind.setdefault(kind, []).append(name)
    for _ in range(cls.rng.choice((1, 1, 2, 2, 3, 4))):
        kind = cls.rng.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))[0]
        name = cls.rng.choice(by_kind[kind])
        forms[name][1](cls)
        cls.used_forms.append(name)
    if not cls.steps and "nn.Module" in cls.bases:
        cls.step("x = torch.tanh(x)")
    cls.is_block = cls.is_block and cls.has_constructor


def _plain(cls: ClassDraft) -> None:
    pass


def _derived(cls: ClassDraft) -> None:
    found = [c for c in cls.project.classes if not c.whole]
    if not found:
        return
    base = cls.rng.choice(found)
    cls.bases = [cls.project.refer(cls, base)]
    cls.taken = set(base.taken)
    cls.attributes = list(base.attributes)
    cls.super_call = cls.one_of("super().__init__(d)", "super().__init__(d=d)")
    if cls.rng.random() < 0.2:
        cls.super_call = f"{cls.bases[0]}.__init__(self, d)"
    cls.step("x = super().forward(x)")


def _over_abstract(cls: ClassDraft) -> None:
    """Abstract and generic bases."""
    form = cls.rng.choice(("abc", "abcmeta", "generic", "object"))
    match form:
        case "abc":
            cls.imports("import abc")
            cls.bases = ["nn.Module", "abc.ABC"]
        case "abcmeta":
            cls.imports("import abc")
            cls.bases = ["nn.Module", "metaclass=abc.ABCMeta"]
        case "generic":
            cls.imports("from typing import Generic, TypeVar")
            cls.helper("T", "T = TypeVar('T')", here=True) if "T" not in cls.project.names else None
            cls.bases = ["nn.Module", f"Generic[{_type_variable(cls)}]"]
        case "object":
            cls.bases = ["nn.Module", "object"]


def _type_variable(cls: ClassDraft) -> str:
    return cls.project.refer_to(cls.file, "T", cls.project.helpers["T"].path)


def _over_mixin(cls: ClassDraft) -> None:
    """A mixin that is no module and declares something."""
    method = cls.new_name("add_scale", "make_fc")
    kind = cls.rng.choice(("parameter", "layer"))
    name = cls.new_name("scale", "extra")
    value = {
        "parameter": "self.ATTR = nn.Parameter(torch.ones(d))",
        "layer": f"self.ATTR = {cls.layer(blocks=False)}",
    }[kind].replace("ATTR", name)
    mixin = cls.helper("Mixin", f"class NAME:\n    def {method}(self, d):\n        {value}")
    cls.bases = cls.rng.choice(([mixin, "nn.Module"], ["nn.Module", mixin]))
    cls.add(f"self.{method}(d)")
    cls.step(f"x = x + self.{name}" if kind == "parameter" else f"x = self.{name}(x)")


def _over_module_mixin(cls: ClassDraft) -> None:
    """A cooperative base that takes any arguments."""
    name = cls.new_name("gain")
    base = cls.helper(
        "Base",
        "class NAME(nn.Module):\n    def __init__(self, *args, **kwargs):\n"
        f"        super().__init__()\n        self.{name} = nn.Parameter(torch.ones(1))",
    )
    cls.bases = [base]
    cls.super_call = cls.one_of(
        "super().__init__()", "super().__init__(d)", "super().__init__(d, a=1)"
    )
    cls.step(f"x = x * self.{name}")


def _two_bases(cls: ClassDraft) -> None:
    one = cls.helper(
        "First",
        "class NAME(nn.Module):\n    def __init__(self, d=4):\n        super().__init__()\n"
        "        self.first = nn.Linear(d, d)",
    )
    other = cls.helper(
        "Second", "class NAME(nn.Module):\n    def second(self, x):\n        return torch.tanh(x)"
    )
    cls.taken |= {"first", "second"}
    cls.bases = [one, other]
    cls.super_call = "super().__init__(d)"
    cls.step("x = self.second(self.first(x))")


def _sequential(cls: ClassDraft) -> None:
    form = cls.rng.choice(("star", "literal", "append", "add", "dict", "own"))
    layers = [cls.layer(), cls.layer(stateless=True), cls.layer()]
    text = {
        "star": "layers = [{0}, {1}, {2}]\nsuper().__init__(*layers)",
        "literal": "super().__init__({0}, {1}, {2})",
        "append": "super().__init__()\nself.append({0})\nself.append({2})",
        "add": "super().__init__()\nself.add_module('a', {0})\nself.add_module('b', {1})",
        "dict": "super().__init__(collections.OrderedDict([('a', {0}), ('b', {2})]))",
        "own": "super().__init__({0}, {1})\nself.add_module('c', {2})",
    }[form].format(*layers)
    cls.bases = ["nn.Sequential"]
    cls.super_call = text
    body = "\n".join(f"        {line}" for line in text.split("\n"))
    cls.whole = f"class {cls.name}(nn.Sequential):\n    def __init__(self, d=4):\n{body}"


def _layer_subclass(cls: ClassDraft) -> None:
    """A subclass of a layer of torch.nn, perhaps with more of its own."""
    base, call, forward = cls.rng.choice(
        (
            ("nn.Linear", "super().__init__(d, d)", "super().forward(x)"),
            ("nn.Linear", "super().__init__(d, d, bias=False)", "F.linear(x, self.weight)"),
            ("nn.LayerNorm", "super().__init__(d)", "super().forward(x)"),
            ("nn.BatchNorm1d", "super().__init__(d)", "super().forward(x)"),
            ("nn.Conv1d", "super().__init__(d, d, 1)", "super().forward(x[..., None])[..., 0]"),
            ("nn.GRUCell", "super().__init__(d, d)", "super().forward(x)"),
        )
    )
    extra = cls.one_of(
        "",
        "self.extra = nn.Parameter(torch.ones(d))",
        "self.extra = nn.Linear(d, d)",
        "nn.init.normal_(self.weight, std=0.1)" if "GRU" not in base else "",
    )
    more = ""
    if "Parameter" in extra:
        more = " + self.extra"
    elif "extra" in extra:
        more = " + self.extra(x)"
    lines = [f"class {cls.name}({base}):", "    def __init__(self, d=4):", f"        {call}"]
    lines += [f"        {extra}"] if extra else []
    lines += ["", "    def forward(self, x):", f"        return {forward}{more}"]
    cls.whole = "\n".join(lines)


def _list_subclass(cls: ClassDraft) -> None:
    layer = cls.layer()
    init = cls.one_of(
        f"super().__init__([{layer}, {layer}])",
        f"super().__init__()\n        for _ in range(2):\n            self.append({layer})",
        f"super().__init__([{layer} for _ in range(2)])",
    )
    cls.whole = (
        f"class {cls.name}(nn.ModuleList):\n    def __init__(self, d=4):\n        {init}\n\n"
        "    def forward(self, x):\n        for m in self:\n            x = m(x)\n        return x"
    )


def _dataclass(cls: ClassDraft) -> None:
    cls.imports("from dataclasses import dataclass")
    layer = cls.layer()
    cls.whole = (
        f"@dataclass(eq=False)\nclass {cls.name}(nn.Module):\n    d: int = 4\n\n"
        "    def __post_init__(self):\n        super().__init__()\n        d = self.d\n"
        f"        self.fc = {layer}\n        self.scale = nn.Parameter(torch.ones(d))\n\n"
        "    def forward(self, x):\n        return self.fc(x) * self.scale"
    )


def _config(cls: ClassDraft) -> None:
    """Sizes come from an object."""
    config = cls.helper("Config", "class NAME:\n    width = 4\n    depth = 2\n    bias = True")
    cls.is_block = False
    cls.add(f"config = {config}()", "d = config.width")
    cls.add(
        "self.n_layers = config.depth",
        f"self.many = nn.ModuleList([{cls.layer()} for _ in range(config.depth)])",
    )
    cls.step("for m in self.many:\n    x = m(x)")


def _overriding(cls: ClassDraft) -> None:
    """A subclass that puts something else in the place of a layer of its base."""
    found = [
        (c, name)
        for c in cls.project.classes
        if not c.whole
        for kind, name in c.attributes
        if kind in ("linear", "layers")
    ]
    if not found:
        return _derived(cls)
    base, name = cls.rng.choice(found)
    cls.bases = [cls.project.refer(cls, base)]
    cls.taken = set(base.taken)
    cls.super_call = "super().__init__(d)"
    is_linear = ("linear", name) in base.attributes
    cls.add(
        cls.one_of(
            f"self.{name} = nn.Linear(d, d, bias=False)"
            if is_linear
            else f"self.{name} = nn.Sequential({cls.layer()})",
            f"self.{name} = nn.Sequential(self.{name}, {cls.layer(stateless=True)})",
            f"self.{name}.weight.requires_grad = False"
            if is_linear
            else f"self.{name}.requires_grad_(False)",
            f"for p in self.{name}.parameters():\n    p.requires_grad = False",
            f"nn.init.zeros_(self.{name}.weight)"
            if is_linear
            else f"self.{name}.add_module('extra', {cls.layer()})",
            "for p in self.parameters():\n    p.requires_grad_(False)",
        )
    )
    return None


SHAPES: dict[str, tuple[float, Callable[[ClassDraft], None]]] = {
    "plain": (9, _plain),
    "derived": (3, _derived),
    "overriding": (1.5, _overriding),
    "over_abstract": (0.7, _over_abstract),
    "over_mixin": (1, _over_mixin),
    "over_module_mixin": (0.6, _over_module_mixin),
    "two_bases": (0.5, _two_bases),
    "sequential": (0.8, _sequential),
    "layer_subclass": (0.8, _layer_subclass),
    "list_subclass": (0.4, _list_subclass),
    "dataclass": (0.3, _dataclass),
    "config": (0.5, _config),
}


def _render(project: ProjectDraft, seed: str, forms: list[str]) -> Program:
    rng = project.rng
    files = {}
    if project.package:
        files[f"{project.package}/__init__.py"] = _init_file(project)
    for file in project.files:
        files[file.path] = spell(render_file(file), rng, len(project.files) == 1)
    targets = [t for cls in project.classes if not cls.is_abstract for t in _targets(cls)]
    return Program(files, tuple(targets), "", seed, tuple(forms))


def _init_file(project: ProjectDraft) -> bytes:
    if project.rng.random() < 0.6:
        return b""
    cls = project.rng.choice(project.classes)
    stem = cls.file.path.removesuffix(".py").rpartition("/")[2]
    return f"from .{stem} import {cls.name}\n".encode()


def _targets(cls: ClassDraft) -> list[Target]:
    codes = [f"{cls.name}()", f"{cls.name}(4)"]
    codes = codes[: 1 + (cls.has_constructor and cls.rng.random() < 0.3)]
    for argument in cls.arguments:
        codes += [f"{cls.name}({argument.name}={other})" for other in argument.others]
    if len(codes) > 2:
        codes = [codes[0], cls.rng.choice(codes[1:])]
    return [Target(cls.file.path, cls.name, code) for code in codes]

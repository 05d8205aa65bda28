"""A class's own parameters."""

from __future__ import annotations

from benchmarks.fuzz.draft import ClassDraft

VECTORS = (
    "torch.randn(d)",
    "torch.ones(d)",
    "torch.zeros(d)",
    "torch.rand(d) + 0.5",
    "0.1 * torch.randn(d)",
    "torch.full((d,), 0.5)",
    "torch.FloatTensor([0.1] * d)",
    "torch.linspace(0.1, 1.0, d)",
    "torch.arange(d).float() / d",
    "torch.randn(2 * d)[:d]",
    "torch.eye(d)[0]",
    "torch.randn(2, d)[0]",
    "torch.tensor([0.5] * d)",
    "torch.as_tensor([0.5] * d)",
    "torch.ones(1, d).squeeze(0)",
    "torch.ones(d, dtype=torch.float32)",
    "torch.nn.init.normal_(torch.empty(d), std=0.1)",
    "torch.cat([torch.zeros(d - 1), torch.ones(1)])",
    "torch.ones(d) / math.sqrt(d)",
    "torch.ones(d).mul_(0.5)",
    "torch.stack([torch.tensor(0.5)] * d)",
)
MATRICES = (
    "torch.randn(d, d)",
    "torch.eye(d)",
    "torch.randn(d, d) * 0.1",
    "torch.randn(size=(d, d))",
    "torch.rand([d, d]) / d",
    "torch.nn.init.xavier_uniform_(torch.empty(d, d))",
    "torch.diag(torch.ones(d))",
    "torch.randn(d, 2 * d)[:, :d]",
    "torch.randn(d, d).t().contiguous()",
    "torch.ones(d).unsqueeze(0).repeat(d, 1)",
    "torch.randn(d * d).view(d, d)",
    "torch.zeros(d, d).normal_(0, 0.1)",
    "torch.empty((d, d)).uniform_(-0.1, 0.1)",
    "torch.stack([torch.ones(d) for _ in range(d)])",
    "torch.randn(d, d, requires_grad=True).detach()",
)
SCALARS = (
    "torch.tensor(0.5)",
    "torch.ones(())",
    "torch.zeros(1)",
    "torch.ones(1)",
    "torch.rand(1)",
)
_POOLS = {"vector": VECTORS, "matrix": MATRICES, "scalar": SCALARS}
_STEMS = {"vector": ("bias", "scale", "shift", "gamma"), "matrix": ("weight", "kernel", "proj")}


def _value(c: ClassDraft, kind: str = "") -> tuple[str, str]:
    kind = kind or c.rng.choice(("vector", "vector", "matrix", "scalar"))
    return kind, c.rng.choice(_POOLS[kind])


def _name(c: ClassDraft, kind: str) -> str:
    name = c.new_name(*_STEMS.get(kind, ("temperature", "alpha", "scale")))
    c.attributes.append((kind, name))
    return name


def _use(c: ClassDraft, kind: str, read: str) -> str:
    if kind == "matrix":
        return c.one_of(
            f"x = x @ {read}",
            f"x = torch.tanh(x.matmul({read}))",
            f"x = torch.nn.functional.linear(x, {read})",
            f"x = torch.einsum('bi,ij->bj', x, {read})",
        )
    return c.one_of(f"x = x + {read}", f"x = x * {read}", f"x = torch.tanh(x - {read})")


def _own(c: ClassDraft, *statements: str, kind: str = "", guarded: bool = False) -> None:
    """``NAME`` and ``VALUE`` in the statements are the parameter's."""
    kind, value = _value(c, kind)
    name = _name(c, kind)
    c.add(*(s.replace("NAME", name).replace("VALUE", value) for s in statements))
    use = _use(c, kind, f"self.{name}")
    c.step(f"if self.{name} is not None:\n    {use}" if guarded else use)


def assigned(c: ClassDraft) -> None:
    _own(c, "self.NAME = nn.Parameter(VALUE)")


def spelled(c: ClassDraft) -> None:
    _own(
        c,
        c.one_of(
            "self.NAME = nn.Parameter(data=VALUE)",
            "self.NAME = nn.Parameter(VALUE, True)",
            "self.NAME = nn.Parameter(VALUE, requires_grad=True)",
            "self.NAME = nn.Parameter(VALUE).requires_grad_()",
            "self.NAME = nn.Parameter((VALUE).float())",
            "self.NAME = nn.parameter.Parameter(VALUE)",
            "self.NAME = torch.nn.Parameter(VALUE)",
            "self.NAME: nn.Parameter = nn.Parameter(VALUE)",
            "self.NAME = (nn.Parameter)(VALUE)",
            'setattr(self, "NAME", nn.Parameter(VALUE))',
            "super().__setattr__('NAME', nn.Parameter(VALUE))",
            'self.__setattr__("NAME", nn.Parameter(VALUE))',
            "(lambda: setattr(self, 'NAME', nn.Parameter(VALUE)))()",
        ),
    )


def registered(c: ClassDraft) -> None:
    _own(
        c,
        c.one_of(
            'self.register_parameter("NAME", nn.Parameter(VALUE))',
            "self.register_parameter(name='NAME', param=nn.Parameter(VALUE))",
            "nn.Module.register_parameter(self, 'NAME', nn.Parameter(VALUE))",
            "super().register_parameter('NAME', nn.Parameter(VALUE))",
        ),
    )


def ternary(c: ClassDraft) -> None:
    flag = c.flag()
    _own(
        c,
        c.one_of(
            f"self.NAME = nn.Parameter(VALUE) if {flag} else None",
            f"self.NAME = None if not {flag} else nn.Parameter(VALUE)",
            f"self.register_parameter('NAME', nn.Parameter(VALUE) if {flag} else None)",
            f"self.NAME = (nn.Parameter(VALUE) if {flag} else None)",
        ),
        guarded=True,
    )


def branched(c: ClassDraft) -> None:
    flag = c.flag()
    absent = c.one_of("self.NAME = None", "self.register_parameter('NAME', None)")
    _own(
        c,
        c.one_of(
            f"if {flag}:\n    self.NAME = nn.Parameter(VALUE)\nelse:\n    {absent}",
            f"if not {flag}:\n    {absent}\nelse:\n    self.NAME = nn.Parameter(VALUE)",
            f"{absent}\nif {flag}:\n    self.NAME = nn.Parameter(VALUE)",
            f"if {flag}: self.NAME = nn.Parameter(VALUE)\nelse: {absent}",
            f"try:\n    assert {flag}\n    self.NAME = nn.Parameter(VALUE)\n"
            f"except AssertionError:\n    {absent}",
            f"match {flag}:\n    case True:\n        self.NAME = nn.Parameter(VALUE)\n"
            f"    case _:\n        {absent}",
            f"with torch.no_grad():\n    if {flag}:\n        self.NAME = nn.Parameter(VALUE)\n"
            f"    else:\n        {absent}",
        ),
        guarded=True,
    )


def either_value(c: ClassDraft) -> None:
    flag = c.flag()
    other = c.rng.choice(VECTORS)
    _own(
        c,
        c.one_of(
            f"if {flag}:\n    self.NAME = nn.Parameter(VALUE)\n"
            f"else:\n    self.NAME = nn.Parameter({other})",
            f"self.NAME = nn.Parameter(VALUE if {flag} else {other})",
            f"self.NAME = nn.Parameter(VALUE) if {flag} else nn.Parameter({other})",
            f"if {flag}:\n    self.NAME = nn.Parameter(VALUE)\n"
            f"else:\n    self.register_buffer('NAME', {other})",
        ),
        kind="vector",
    )


def frozen(c: ClassDraft) -> None:
    _own(
        c,
        c.one_of(
            "self.NAME = nn.Parameter(VALUE, requires_grad=False)",
            "self.NAME = nn.Parameter(VALUE, False)",
            "self.NAME = nn.Parameter(VALUE).requires_grad_(False)",
            "self.NAME = nn.Parameter(VALUE)\nself.NAME.requires_grad = False",
            "self.NAME = nn.Parameter(VALUE)\nself.NAME.requires_grad_(False)",
            "self.register_parameter('NAME', nn.Parameter(VALUE, requires_grad=False))",
        ),
    )


def maybe_frozen(c: ClassDraft) -> None:
    flag = c.flag()
    _own(
        c,
        c.one_of(
            f"self.NAME = nn.Parameter(VALUE, requires_grad={flag})",
            f"self.NAME = nn.Parameter(VALUE, requires_grad=not {flag})",
            f"self.NAME = nn.Parameter(VALUE)\nif {flag}:\n    self.NAME.requires_grad = False",
            f"self.NAME = nn.Parameter(VALUE)\nself.NAME.requires_grad_({flag})",
            f"self.NAME = nn.Parameter(VALUE).requires_grad_({flag})",
        ),
    )


def frozen_or_none(c: ClassDraft) -> None:
    flag = c.flag()
    _own(
        c,
        c.one_of(
            f"self.NAME = None if {flag} else nn.Parameter(VALUE, requires_grad=False)",
            f"self.NAME = nn.Parameter(VALUE, requires_grad=False) if {flag} else None",
            f"if {flag}:\n    self.NAME = nn.Parameter(VALUE, requires_grad=False)\n"
            "else:\n    self.NAME = None",
        ),
        guarded=True,
    )


def from_function(c: ClassDraft) -> None:
    kind, value = _value(c)
    make = c.one_of(
        f"def NAME(d):\n    return nn.Parameter({value})",
        f"def NAME(d):\n    w = nn.Parameter({value})\n    return w",
        f"NAME = lambda d: nn.Parameter({value})",
        f"def NAME(d, trainable=True):\n    value = {value}\n"
        "    if trainable:\n        return nn.Parameter(value)\n    return value",
        f"def NAME(d):\n    yield nn.Parameter({value})",
        f"@functools.wraps(torch.randn)\ndef NAME(d):\n    return nn.Parameter({value})",
        f"def NAME(*args, **kwargs):\n    d = args[0]\n    return nn.Parameter({value}, **kwargs)",
        f"class NAME:\n    def __new__(cls, d):\n        return nn.Parameter({value})",
        f"class NAME:\n    @staticmethod\n    def make(d):\n        return nn.Parameter({value})",
    )
    helper = c.helper(c.one_of("make_parameter", "new_weight", "get"), make)
    call = f"{helper}(d)"
    if "yield" in make:
        call = f"next({helper}(d))"
    elif "def make" in make:
        call = f"{helper}.make(d)"
    name = _name(c, kind)
    c.add(c.one_of(f"self.{name} = {call}", f"self.register_parameter('{name}', {call})"))
    c.step(_use(c, kind, f"self.{name}"))


def from_method(c: ClassDraft) -> None:
    kind, value = _value(c)
    name, maker = _name(c, kind), c.new_name("make", "_make", "build_weight")
    form = c.rng.choice(("method", "static", "class", "local", "lambda", "property"))
    call = f"self.{maker}(d)"
    match form:
        case "method":
            c.method(f"def {maker}(self, d):\n    return nn.Parameter({value})")
        case "static":
            c.method(f"@staticmethod\ndef {maker}(d):\n    return nn.Parameter({value})")
        case "class":
            c.method(f"@classmethod\ndef {maker}(cls, d):\n    return nn.Parameter({value})")
        case "local":
            c.add(f"def {maker}():\n    return nn.Parameter({value})")
            call = f"{maker}()"
        case "lambda":
            c.add(f"{maker} = lambda d: nn.Parameter({value})")
            call = f"{maker}(d)"
        case "property":
            c.add("self.width = d")
            c.method(
                f"@property\ndef {maker}(self):\n    d = self.width\n"
                f"    return nn.Parameter({value})"
            )
            call = f"self.{maker}"
    c.add(f"self.{name} = {call}")
    c.step(_use(c, kind, f"self.{name}"))


def in_other_method(c: ClassDraft) -> None:
    kind, value = _value(c)
    name, maker = _name(c, kind), c.new_name("build", "_init_params", "setup", "_create")
    c.add(c.one_of(f"self.{maker}(d)", f"self.{maker}(d=d)"))
    c.method(
        f"def {maker}(self, d):\n"
        + c.one_of(
            f"    self.{name} = nn.Parameter({value})",
            f"    self.register_parameter('{name}', nn.Parameter({value}))",
            f"    if d > 100:\n        raise ValueError(d)\n    self.{name} = nn.Parameter({value})",
            f"    if d < 100:\n        self.{name} = nn.Parameter({value})\n        return\n"
            f"    self.{name} = None",
        )
    )
    c.step(_use(c, kind, f"self.{name}"))


def by_function_on_self(c: ClassDraft) -> None:
    kind, value = _value(c)
    name = _name(c, kind)
    helper = c.helper(
        "attach",
        c.one_of(
            f"def NAME(module, name, d):\n    setattr(module, name, nn.Parameter({value}))",
            "def NAME(module, name, d):\n"
            f"    module.register_parameter(name, nn.Parameter({value}))",
            f"def NAME(module, name, d):\n    module.{name} = nn.Parameter({value})",
        ),
    )
    c.add(f"{helper}(self, '{name}', d)")
    c.step(_use(c, kind, f"self.{name}"))


def in_loop(c: ClassDraft) -> None:
    kind, value = _value(c)
    stem = c.new_name("w", "weight_", "scale_")
    count = c.rng.choice(("2", "3", c.argument("depth", "2", "3", "1")))
    text = c.one_of(
        f'f"{stem}{{i}}"', f"'{stem}' + str(i)", f"'{stem}%d' % i", f"'{stem}{{}}'.format(i)"
    )
    c.add(
        f"for i in range({count}):\n    "
        + c.one_of(
            f"setattr(self, {text}, nn.Parameter({value}))",
            f"self.register_parameter({text}, nn.Parameter({value}))",
            f"name = {text}\n    setattr(self, name, nn.Parameter({value}))",
            f"w = nn.Parameter({value})\n    self.register_parameter({text}, w)",
        )
    )
    if count.isidentifier():
        c.add(f"self.{count} = {count}")
        count = f"self.{count}"
    c.step(f"for i in range({count}):\n    {_use(c, kind, f'getattr(self, {text})')}")


def over_names(c: ClassDraft) -> None:
    kind, value = _value(c)
    one, other = _name(c, kind), _name(c, kind)
    c.add(
        c.one_of(
            f"for name in ('{one}', '{other}'):\n    setattr(self, name, nn.Parameter({value}))",
            f"for name, value in {{'{one}': {value}, '{other}': {value}}}.items():\n"
            "    self.register_parameter(name, nn.Parameter(value))",
            f"for name, w in zip(['{one}', '{other}'], [nn.Parameter({value}) for _ in 'ab']):\n"
            "    setattr(self, name, w)",
            f"[setattr(self, n, nn.Parameter({value})) for n in ('{one}', '{other}')]",
            f"params = {{'{one}': nn.Parameter({value}), '{other}': nn.Parameter({value})}}\n"
            "for name in params:\n    self.register_parameter(name, params[name])",
        )
    )
    c.step(_use(c, kind, f"self.{one}"), _use(c, kind, f"self.{other}"))


def through_local(c: ClassDraft) -> None:
    _own(
        c,
        c.one_of(
            "w = nn.Parameter(VALUE)\nself.NAME = w",
            "value = VALUE\nself.NAME = nn.Parameter(value)",
            "w = VALUE\nw = nn.Parameter(w)\nself.NAME = w",
            "self.NAME = (w := nn.Parameter(VALUE))",
            "w = [nn.Parameter(VALUE)]\nself.NAME = w[0]",
            "w = {'a': nn.Parameter(VALUE)}\nself.NAME = w['a']",
            "w = [nn.Parameter(VALUE)]\nself.NAME = w.pop()",
            "self.NAME, = [nn.Parameter(VALUE)]",
            "w, n = nn.Parameter(VALUE), 1\nself.NAME = w",
            "for w in [VALUE]:\n    self.NAME = nn.Parameter(w)",
            "self.NAME = [nn.Parameter(VALUE) for _ in range(1)][0]",
            "self.NAME = VALUE\nself.NAME = nn.Parameter(self.NAME)",
            "self.NAME = None\nself.NAME = nn.Parameter(VALUE)",
        ),
    )


def two_at_once(c: ClassDraft) -> None:
    kind, value = _value(c)
    one, other = _name(c, kind), _name(c, kind)
    c.add(
        c.one_of(
            f"self.{one}, self.{other} = nn.Parameter({value}), nn.Parameter({value})",
            f"self.{one}, self.{other} = [nn.Parameter({value}) for _ in range(2)]",
            f"self.{one} = nn.Parameter({value}); self.{other} = nn.Parameter({value})",
            f"self.{one} = nn.Parameter({value})\n"
            f"self.{other} = nn.Parameter(torch.zeros_like(self.{one}))",
            f"self.{one} = nn.Parameter({value})\n"
            f"self.{other} = nn.Parameter(self.{one}.detach().clone())",
            f"self.{one} = nn.Parameter({value})\n"
            f"self.{other} = nn.Parameter(torch.ones(self.{one}.shape))",
            f"self.{one} = nn.Parameter({value})\nself.{other} = copy.deepcopy(self.{one})",
        )
    )
    c.step(_use(c, kind, f"self.{one}"), _use(c, kind, f"self.{other}"))


def tied(c: ClassDraft) -> None:
    kind, value = _value(c)
    one, other = _name(c, kind), _name(c, kind)
    c.add(
        c.one_of(
            f"self.{one} = self.{other} = nn.Parameter({value})",
            f"self.{one} = nn.Parameter({value})\nself.{other} = self.{one}",
            f"self.{one} = nn.Parameter({value})\nself.register_parameter('{other}', self.{one})",
            f"w = nn.Parameter({value})\nself.{one} = w\nself.{other} = w",
        )
    )
    c.step(_use(c, kind, f"self.{one}"), _use(c, kind, f"self.{other}"))


def on_plain_module(c: ClassDraft) -> None:
    kind, value = _value(c)
    holder = c.new_name("store", "params")
    c.add(
        c.one_of(
            f"self.{holder} = nn.Module()\nself.{holder}.w = nn.Parameter({value})",
            f"store = nn.Module()\nstore.w = nn.Parameter({value})\nself.{holder} = store",
            f"self.{holder} = nn.Module()\n"
            f"self.{holder}.register_parameter('w', nn.Parameter({value}))",
            f"self.{holder} = nn.ParameterDict()\nself.{holder}.w = nn.Parameter({value})",
        )
    )
    c.step(_use(c, kind, f"self.{holder}.w"))


def through_stdlib(c: ClassDraft) -> None:
    _own(
        c,
        c.one_of(
            "self.NAME = functools.partial(nn.Parameter, requires_grad=True)(VALUE)",
            "self.NAME = functools.partial(nn.Parameter)(VALUE)",
            "self.NAME = next(map(nn.Parameter, [VALUE]))",
            "self.NAME = list(map(nn.Parameter, [VALUE]))[0]",
            "self.NAME = typing.cast(nn.Parameter, nn.Parameter(VALUE))",
            "self.NAME = operator.call(nn.Parameter, VALUE)",
            "self.NAME = copy.deepcopy(nn.Parameter(VALUE))",
            "self.NAME = next(itertools.starmap(nn.Parameter, [(VALUE, True)]))",
            "self.NAME = functools.reduce(lambda a, b: b, [None, nn.Parameter(VALUE)])",
            "self.NAME = dict(w=nn.Parameter(VALUE))['w']",
            "self.NAME = dict(w=nn.Parameter(VALUE)).get('w')",
            "self.NAME = operator.itemgetter(0)([nn.Parameter(VALUE)])",
            "self.NAME = next(iter({'w': nn.Parameter(VALUE)}.values()))",
            "self.NAME = sorted([nn.Parameter(VALUE)], key=id)[0]",
            "self.NAME = max([nn.Parameter(VALUE)], key=id)",
            "self.NAME = getattr(nn, 'Parameter')(VALUE)",
            "self.NAME = nn.__dict__['Parameter'](VALUE)",
            "self.NAME = [*itertools.chain([nn.Parameter(VALUE)])][0]",
            "self.__dict__['_parameters']['NAME'] = nn.Parameter(VALUE)",
            "self._parameters['NAME'] = nn.Parameter(VALUE)",
            "vars(self)['_parameters'].update(NAME=nn.Parameter(VALUE))",
        ),
    )


def handed_in(c: ClassDraft) -> None:
    value = c.rng.choice(("torch.randn(4)", "torch.ones(4)"))
    given = c.argument("value", "None", value)
    kind = "vector"
    name = _name(c, kind)
    default = c.rng.choice(VECTORS)
    c.add(
        c.one_of(
            f"if {given} is None:\n    {given} = {default}\nself.{name} = nn.Parameter({given})",
            f"self.{name} = nn.Parameter({default} if {given} is None else {given})",
        )
    )
    c.step(_use(c, kind, f"self.{name}"))


def parameter_handed_in(c: ClassDraft) -> None:
    given = c.argument("weight", "None", "torch.nn.Parameter(torch.randn(4))")
    name = _name(c, "vector")
    default = c.rng.choice(VECTORS)
    c.add(
        c.one_of(
            f"self.{name} = nn.Parameter({default}) if {given} is None else {given}",
            f"if {given} is not None:\n    self.{name} = {given}\n"
            f"else:\n    self.{name} = nn.Parameter({default})",
        )
    )
    c.step(_use(c, "vector", f"self.{name}"))


def buffers(c: ClassDraft) -> None:
    kind, value = _value(c)
    name = _name(c, kind)
    c.attributes.pop()
    c.add(
        c.one_of(
            f"self.register_buffer('{name}', {value})",
            f"self.register_buffer('{name}', {value}, persistent=False)",
            f"self.{name} = {value}",
            f"self.{name} = nn.Buffer({value})",
        )
    )
    c.step(_use(c, kind, f"self.{name}"))


def derived_shape(c: ClassDraft) -> None:
    name = _name(c, "vector")
    c.add(
        c.one_of(
            f"sizes = [d, d]\nself.{name} = nn.Parameter(torch.zeros(sizes[0]))",
            f"self.width = d\nself.{name} = nn.Parameter(torch.zeros(self.width))",
            f"n = d // 2\nself.{name} = nn.Parameter(torch.zeros(2 * n))",
            f"shape = (d,)\nself.{name} = nn.Parameter(torch.zeros(*shape))",
            f"shape = torch.Size([d])\nself.{name} = nn.Parameter(torch.zeros(shape))",
            f"self.{name} = nn.Parameter(torch.Tensor(d))\nnn.init.zeros_(self.{name})",
            f"self.{name} = nn.Parameter(torch.zeros(int(math.sqrt(d * d))))",
        )
    )
    c.step(_use(c, "vector", f"self.{name}"))


def high_rank(c: ClassDraft) -> None:
    name = _name(c, "other")
    c.add(f"self.{name} = nn.Parameter(torch.randn(2, d, d) * 0.1)")
    c.step(
        c.one_of(
            f"x = x @ self.{name}[0] + x @ self.{name}[1]",
            f"x = x @ self.{name}.sum(0)",
            f"a, b = self.{name}\nx = x @ a - x @ b",
            f"for w in self.{name}.unbind(0):\n    x = x @ w",
        )
    )

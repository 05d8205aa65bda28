"""Single layers: how they are made and where they are put."""

from __future__ import annotations

from benchmarks.fuzz.draft import ClassDraft

ZOO = (
    ("nn.Bilinear(d, d, d)", "M(x, x)"),
    ("nn.Conv1d(d, d, 1)", "M(x.unsqueeze(-1)).squeeze(-1)"),
    ("nn.Conv1d(1, 1, 3, padding=1)", "M(x.unsqueeze(1)).squeeze(1)"),
    ("nn.Conv1d(d, d, kernel_size=1, groups=2, bias=False)", "M(x[:, :, None])[:, :, 0]"),
    ("nn.Conv2d(1, 2, 3, padding=1)", "M(x[:, None, :, None]).mean(1).squeeze(-1)"),
    ("nn.Conv2d(1, 1, (3, 1), padding=(1, 0))", "M(x[:, None, :, None]).mean(1).squeeze(-1)"),
    ("nn.Conv2d(d, d, kernel_size=1, bias=False)", "M(x[:, :, None, None]).flatten(1)"),
    ("nn.Conv3d(d, d, 1)", "M(x[:, :, None, None, None]).flatten(1)"),
    ("nn.ConvTranspose1d(d, d, 1)", "M(x.unsqueeze(-1)).squeeze(-1)"),
    ("nn.ConvTranspose2d(d, d, 1, bias=False)", "M(x[:, :, None, None]).flatten(1)"),
    ("nn.ConvTranspose3d(d, d, 1)", "M(x[:, :, None, None, None]).flatten(1)"),
    ("nn.BatchNorm1d(d)", "M(x)"),
    ("nn.BatchNorm2d(d)", "M(x[:, :, None, None]).flatten(1)"),
    ("nn.BatchNorm3d(d)", "M(x[:, :, None, None, None]).flatten(1)"),
    ("nn.InstanceNorm1d(d, affine=True)", "M(torch.stack([x, -x], -1)).mean(-1)"),
    ("nn.InstanceNorm1d(d)", "M(torch.stack([x, -x], -1)).mean(-1)"),
    ("nn.InstanceNorm2d(d, affine=True)", "M(torch.stack([x, -x], -1)[..., None]).mean((-1, -2))"),
    ("nn.GroupNorm(2, d)", "M(x)"),
    ("nn.GroupNorm(2, d, affine=False)", "M(x)"),
    ("nn.LayerNorm(d)", "M(x)"),
    ("nn.LayerNorm((d,), bias=False)", "M(x)"),
    ("nn.LayerNorm(d, elementwise_affine=False)", "M(x)"),
    ("nn.RMSNorm(d)", "M(x)"),
    ("nn.Embedding(5, d)", "x + M(torch.arange(x.shape[0]) % 5)"),
    ("nn.Embedding(5, d, padding_idx=0)", "x + M(torch.arange(x.shape[0]) % 5)"),
    ("nn.EmbeddingBag(5, d)", "x + M(torch.zeros(x.shape[0], 2, dtype=torch.long))"),
    ("nn.PReLU()", "M(x)"),
    ("nn.PReLU(d, 0.1)", "M(x)"),
    ("nn.RNNCell(d, d)", "M(x)"),
    ("nn.GRUCell(d, d, bias=False)", "M(x, x)"),
    ("nn.LSTMCell(d, d)", "M(x)[0]"),
    ("nn.RNN(d, d, batch_first=True)", "M(x[None])[0].squeeze(0)"),
    ("nn.GRU(d, d, num_layers=2)", "M(x[None])[0].squeeze(0)"),
    ("nn.LSTM(d, d, 2, bias=False)", "M(x[None])[0].squeeze(0)"),
    (
        "nn.LSTM(d, d, proj_size=2, bidirectional=True)",
        "M(x[None])[0].squeeze(0).repeat(1, d // 4)",
    ),
    ("nn.GRU(d, d, bidirectional=True)", "M(x[None])[0].squeeze(0)[:, :d]"),
    ("nn.MultiheadAttention(d, 2)", "M(x[None], x[None], x[None])[0][0]"),
    (
        "nn.MultiheadAttention(d, 2, kdim=d, vdim=d + 1, batch_first=True)",
        "M(x[None], x[None], torch.cat([x, x[:, :1]], 1)[None])[0][0]",
    ),
    (
        "nn.MultiheadAttention(d, 2, bias=False, add_bias_kv=True)",
        "M(x[None], x[None], x[None])[0][0]",
    ),
    ("nn.TransformerEncoderLayer(d, 2, 8, dropout=0.0)", "M(x[None])[0]"),
    ("nn.TransformerEncoder(nn.TransformerEncoderLayer(d, 2, 8, dropout=0.0), 2)", "M(x[None])[0]"),
    ("nn.TransformerDecoderLayer(d, 2, dim_feedforward=8, dropout=0.0)", "M(x[None], x[None])[0]"),
    ("nn.Transformer(d, 2, 1, 1, 8, 0.0)", "M(x[None], x[None])[0]"),
)
"""Every layer of torch.nn that owns parameters, and how it is called."""


def _called(c: ClassDraft, name: str) -> None:
    c.step(
        c.one_of(
            f"x = self.{name}(x)", f"x = torch.tanh(self.{name}(x))", f"x = x + self.{name}(x)"
        )
    )


def _name(c: ClassDraft, layer: str = "") -> str:
    name = c.new_name("fc", "proj", "head", "layer", "norm" if "Norm" in layer else "lin")
    if layer.startswith("nn.Linear(d, d)"):
        c.attributes.append(("linear", name))
    return name


def _layer(c: ClassDraft, *statements: str, layer: str = "") -> None:
    """``NAME`` and ``LAYER`` in the statements are the layer's."""
    layer = layer or c.layer()
    name = _name(c, layer)
    c.add(*(s.replace("NAME", name).replace("LAYER", layer) for s in statements))
    _called(c, name)


def zoo(c: ClassDraft) -> None:
    layer, call = c.rng.choice(ZOO)
    name = _name(c)
    c.add("self.d = d", f"self.{name} = {layer}")
    c.step(f"d = self.d\nx = {call.replace('M(', f'self.{name}(')}")


def assigned(c: ClassDraft) -> None:
    _layer(c, "self.NAME = LAYER")


def linears(c: ClassDraft) -> None:
    one, other = _name(c, "nn.Linear(d, d)"), _name(c, "nn.Linear(d, d)")
    c.add(f"self.{one} = nn.Linear(d, 2 * d)", f"self.{other} = nn.Linear(2 * d, d)")
    c.attributes = [a for a in c.attributes if a[1] not in (one, other)]
    c.step(f"x = self.{other}(torch.relu(self.{one}(x)))")


def spelled(c: ClassDraft) -> None:
    _layer(
        c,
        c.one_of(
            "self.add_module('NAME', LAYER)",
            "self.register_module('NAME', LAYER)",
            "setattr(self, 'NAME', LAYER)",
            "self.NAME: nn.Module = LAYER",
            "self.NAME = m = LAYER",
            "m = LAYER\nself.NAME = m",
            "self.NAME = (LAYER)",
            "self.NAME = LAYER; self.size = d",
            "self.NAME = LAYER.float()",
            "self.NAME = LAYER.to('cpu')",
            "self.NAME = LAYER.train()",
            "self.NAME, self.size = LAYER, d",
            "self.NAME, = [LAYER]",
            "if (m := LAYER):\n    self.NAME = m",
            "self._modules['NAME'] = LAYER",
            "self.NAME = [LAYER][0]",
            "self.NAME = {'a': LAYER}['a']",
            "self.NAME = None\nself.NAME = LAYER",
            "del d\nd = 4\nself.NAME = LAYER",
            "with torch.no_grad():\n    self.NAME = LAYER",
            "with torch.random.fork_rng():\n    self.NAME = LAYER",
            "try:\n    self.NAME = LAYER\nfinally:\n    self.size = d",
        ),
    )


def chosen(c: ClassDraft) -> None:
    flag, other = c.flag(), c.layer(stateless=True)
    _layer(
        c,
        c.one_of(
            f"self.NAME = LAYER if {flag} else {other}",
            f"self.NAME = {other} if not {flag} else LAYER",
            f"if {flag}:\n    self.NAME = LAYER\nelse:\n    self.NAME = {other}",
            f"if {flag}: self.NAME = LAYER\nelse: self.NAME = {other}",
            f"layer = LAYER if {flag} else {other}\nself.NAME = layer",
            f"self.NAME = {other}\nif {flag}:\n    self.NAME = LAYER",
            f"self.NAME = ({other}, LAYER)[{flag}]",
            f"self.NAME = {{True: LAYER, False: {other}}}[{flag}]",
            f"self.NAME = {flag} and LAYER or {other}",
            f"match {flag}:\n    case True:\n        self.NAME = LAYER\n"
            f"    case _:\n        self.NAME = {other}",
        ),
    )


def optional(c: ClassDraft) -> None:
    flag, layer = c.flag(), c.layer()
    name = _name(c)
    c.add(
        c.one_of(
            f"self.{name} = {layer} if {flag} else None",
            f"self.{name} = None\nif {flag}:\n    self.{name} = {layer}",
            f"if {flag}:\n    self.{name} = {layer}\nelse:\n    self.register_module('{name}', None)",
        )
    )
    c.step(f"if self.{name} is not None:\n    x = self.{name}(x)")


def bias_by_flag(c: ClassDraft) -> None:
    flag = c.flag()
    layer = c.one_of(
        "nn.Linear(d, d, bias=FLAG)", "nn.Linear(d, d, FLAG)", "nn.LayerNorm(d, bias=FLAG)"
    )
    _layer(c, "self.NAME = LAYER", layer=layer.replace("FLAG", flag))


def from_function(c: ClassDraft) -> None:
    make = c.one_of(
        "def NAME(d):\n    return LAYER",
        "def NAME(d):\n    layer = LAYER\n    return layer",
        "NAME = lambda d: LAYER",
        "NAME = functools.partial(nn.LayerNorm, eps=1e-6)",
        "NAME = functools.partial(nn.LayerNorm, elementwise_affine=False)",
        "def NAME(d, norm=True):\n    if norm:\n        return nn.Sequential(LAYER, nn.LayerNorm(d))\n"
        "    return LAYER",
        "def NAME(d):\n    yield LAYER",
        "def NAME(d):\n    m = LAYER\n    for p in m.parameters():\n        nn.init.normal_(p)\n"
        "    return m",
        "def NAME(*args, **kwargs):\n    d, = args\n    return nn.Linear(d, d, **kwargs)",
        "def NAME(d, cls=nn.Linear):\n    return cls(d, d)",
        "@functools.lru_cache(maxsize=None)\ndef NAME(d):\n    return LAYER",
        "class NAME:\n    @staticmethod\n    def make(d):\n        return LAYER",
        "class NAME:\n    def __call__(self, d):\n        return LAYER",
        "def NAME(d):\n    def inner():\n        return LAYER\n    return inner()",
        "def NAME(d):\n    return [LAYER, nn.Tanh()]",
    )
    make = make.replace("LAYER", c.layer(blocks=False))
    helper = c.helper(c.one_of("make_layer", "new_layer", "get", "fc"), make)
    call = f"{helper}(d)"
    if "yield" in make:
        call = f"next({helper}(d))"
    elif "return [" in make:
        call = f"nn.Sequential(*{helper}(d))"
    elif "def make" in make:
        call = f"{helper}.make(d)"
    elif "__call__" in make:
        call = f"{helper}()(d)"
    elif "lru_cache" in make and c.rng.random() < 0.7:
        call = f"copy.deepcopy({helper}(d))"
    _layer(c, "self.NAME = LAYER", layer=call)


def from_method(c: ClassDraft) -> None:
    layer, maker = c.layer(), c.new_name("make", "_make_layer", "build_layer")
    call = f"self.{maker}(d)"
    match c.rng.choice(("method", "static", "class", "local", "lambda", "generator", "sets")):
        case "method":
            c.method(f"def {maker}(self, d):\n    return {layer}")
        case "static":
            c.method(f"@staticmethod\ndef {maker}(d):\n    return {layer}")
        case "class":
            c.method(f"@classmethod\ndef {maker}(cls, d):\n    return {layer}")
        case "local":
            c.add(f"def {maker}(n):\n    return {layer.replace('d', 'd')}")
            call = f"{maker}(d)"
        case "lambda":
            c.add(f"{maker} = lambda: {layer}")
            call = f"{maker}()"
        case "generator":
            c.method(f"def {maker}(self, d):\n    yield {layer}\n    yield nn.Tanh()")
            call = f"nn.Sequential(*self.{maker}(d))"
        case "sets":
            name = _name(c)
            c.method(f"def {maker}(self, d):\n    self.{name} = {layer}\n    return self")
            c.add(f"self.{maker}(d)")
            _called(c, name)
            return
    _layer(c, "self.NAME = LAYER", layer=call)


def through_stdlib(c: ClassDraft) -> None:
    _layer(
        c,
        c.one_of(
            "self.NAME = functools.partial(nn.Linear, d)(d)",
            "self.NAME = functools.partial(nn.Linear, bias=False)(d, d)",
            "make = functools.partial(nn.Linear, d, d)\nself.NAME = make()",
            "self.NAME = nn.Sequential(*itertools.starmap(nn.Linear, [(d, d), (d, d)]))",
            "self.NAME = operator.call(nn.Linear, d, d)",
            "self.NAME = typing.cast(nn.Linear, LAYER)",
            "self.NAME = typing.cast('nn.Module', LAYER)",
            "self.NAME = functools.reduce(lambda a, b: nn.Sequential(a, b), [LAYER, LAYER])",
            "self.NAME = functools.reduce(nn.Sequential, [LAYER, LAYER])",
            "self.NAME = copy.deepcopy(LAYER)",
            "self.NAME = copy.copy(LAYER)",
            "self.NAME = nn.Sequential(*map(lambda _: LAYER, range(2)))",
            "self.NAME = nn.Sequential(*[nn.Linear(a, b) for a, b in zip([d, d], [d, d])])",
            "self.NAME = nn.Sequential(*(nn.Linear(a, b) for a, b in itertools.pairwise([d] * 3)))",
            "self.NAME = nn.Sequential(*itertools.chain([LAYER], [nn.Tanh()]))",
            "self.NAME = nn.Sequential(*itertools.chain.from_iterable([[LAYER], [LAYER]]))",
            "self.NAME = nn.Sequential(*sum([[LAYER], [nn.Tanh()]], []))",
            "self.NAME = getattr(nn, 'Linear')(d, d)",
            "self.NAME = vars(nn)['Linear'](d, d)",
            "self.NAME = next(iter([LAYER]))",
            "self.NAME = [LAYER].pop()",
            "self.NAME = dict(a=LAYER)['a']",
            "self.NAME = dict(a=LAYER).get('a', None)",
            "self.NAME = list(filter(None, [LAYER, None]))[0]",
            "self.NAME = nn.Sequential(*reversed([LAYER, nn.Tanh()]))",
            "self.NAME = nn.Sequential(*[LAYER] * 2)",
            "self.NAME = nn.Sequential(*[LAYER][:1])",
            "self.NAME = nn.Sequential(*filter(None, [LAYER, None]))",
            "self.NAME = nn.Sequential(collections.OrderedDict(zip('ab', [LAYER, nn.Tanh()])))",
            "self.NAME = nn.Sequential(*({'a': LAYER, 'b': nn.Tanh()}.values()))",
            "self.NAME = nn.Sequential(*collections.deque([LAYER, nn.Tanh()]))",
            "self.NAME = max([LAYER], key=id)",
            "self.NAME = operator.methodcaller('train')(LAYER)",
            "self.NAME = (lambda m: m)(LAYER)",
            "self.NAME = (lambda n: nn.Linear(n, n))(d)",
            "self.NAME = type(LAYER)(d) if False else LAYER",
            "self.NAME = LAYER.apply(lambda m: None)",
            "self.NAME = LAYER.requires_grad_(True)",
            "self.NAME = torch.nn.modules.linear.Linear(d, d)",
            "self.NAME = eval('torch.nn.Linear(d, d)')",
            "self.NAME = globals()['torch'].nn.Linear(d, d)",
        ),
    )


def of_config(c: ClassDraft) -> None:
    _layer(
        c,
        c.one_of(
            "config = {'a': nn.Linear}\nself.NAME = config['a'](d, d)",
            "sizes = {'in_features': d, 'out_features': d}\nself.NAME = nn.Linear(**sizes)",
            "sizes = (d, d)\nself.NAME = nn.Linear(*sizes)",
            "for name, size in {'NAME': d}.items():\n    setattr(self, name, nn.Linear(d, size))",
            "for name, size in {'NAME': d}.items():\n    self.add_module(name, nn.Linear(size, d))",
            "kinds = [('NAME', nn.Linear)]\nfor name, kind in kinds:\n"
            "    setattr(self, name, kind(d, d))",
            "L = nn.Linear\nself.NAME = L(d, d)",
        ),
    )


def in_named_loop(c: ClassDraft) -> None:
    stem, layer = c.new_name("fc_", "conv_", "block_"), c.layer()
    depth = c.one_of("2", "3", c.argument("depth", "2", "3"))
    text = c.one_of(f'f"{stem}{{i}}"', f"'{stem}' + str(i)", f"'{stem}%d' % i")
    c.add(
        f"self.depth = {depth}",
        f"for i in range({depth}):\n    "
        + c.one_of(
            f"setattr(self, {text}, {layer})",
            f"self.add_module({text}, {layer})",
            f"layer = {layer}\n    self.add_module({text}, layer)",
            f"self.register_module({text}, {layer})",
        ),
    )
    c.step(f"for i in range(self.depth):\n    x = getattr(self, {text})(x)")


def from_registry(c: ClassDraft) -> None:
    form = c.rng.choice(("table", "filled", "nested", "function", "lambda table", "decorated"))
    match form:
        case "filled":
            table = c.helper(
                "NORMS",
                "NAME = {}\n"
                + c.one_of(
                    "NAME['layer'] = nn.LayerNorm\nNAME['batch'] = nn.BatchNorm1d",
                    "NAME.update({'layer': nn.LayerNorm, 'batch': nn.BatchNorm1d})",
                    "for cls in (nn.LayerNorm, nn.BatchNorm1d):\n"
                    "    NAME[cls.__name__.removesuffix('Norm').removesuffix('Norm1d').lower()] = cls",
                ),
            )
            kind = c.argument("kind", "'layer'", "'batch'")
            call = f"{table}[{kind}](d)"
        case "nested":
            table = c.helper(
                "NORMS",
                "NAME = {'a': {'norm': nn.LayerNorm, 'size': 4}, 'b': {'norm': nn.PReLU}}",
            )
            kind = c.argument("kind", "'a'", "'b'")
            call = f"{table}[{kind}]['norm'](d)"
        case "table":
            table = c.helper("NORMS", "NAME = {'layer': nn.LayerNorm, 'batch': nn.BatchNorm1d}")
            kind = c.argument("kind", "'layer'", "'batch'")
            call = c.one_of(f"{table}[{kind}](d)", f"{table}.get({kind})(d)")
        case "function":
            get = c.helper(
                "get_layer",
                "def NAME(kind, d):\n    if kind == 'norm':\n        return nn.LayerNorm(d)\n"
                "    if kind == 'linear':\n        return nn.Linear(d, d)\n"
                "    raise ValueError(kind)",
            )
            kind = c.argument("kind", "'norm'", "'linear'")
            call = f"{get}({kind}, d)"
        case "lambda table":
            table = c.helper(
                "MAKERS", "NAME = {'a': lambda d: nn.Linear(d, d), 'b': lambda d: nn.PReLU(d)}"
            )
            kind = c.argument("kind", "'a'", "'b'")
            call = f"{table}[{kind}](d)"
        case _:
            register = c.helper(
                "LAYERS",
                "NAME = {}\n\n\ndef register_in_NAME(cls):\n    NAME[cls.__name__] = cls\n"
                "    return cls\n\n\n@register_in_NAME\nclass RegisteredNAME(nn.Module):\n"
                "    def __init__(self, d=4):\n        super().__init__()\n"
                "        self.fc = nn.Linear(d, d)\n\n    def forward(self, x):\n"
                "        return self.fc(x)",
            )
            call = f"{register}['RegisteredLAYERS'](d)"
            if not register.endswith("LAYERS"):
                call = f"next(iter({register}.values()))(d)"
    _layer(c, "self.NAME = LAYER", layer=call)


def class_handed_in(c: ClassDraft) -> None:
    block = c.block()
    default = c.one_of("nn.LayerNorm", "nn.BatchNorm1d", "nn.PReLU", *([block] if block else []))
    name = c.argument(c.one_of("norm_layer", "block", "layer_cls"), default, "torch.nn.LayerNorm")
    _layer(
        c,
        c.one_of("self.NAME = LAYER", "self.NAME = nn.Sequential(LAYER, nn.Tanh())"),
        layer=f"{name}(d)",
    )
    c.is_block = c.is_block and c.rng.random() < 0.7


def class_or_default(c: ClassDraft) -> None:
    name = c.argument("norm_layer", "None", "torch.nn.BatchNorm1d")
    c.add(
        c.one_of(
            f"if {name} is None:\n    {name} = nn.LayerNorm",
            f"{name} = {name} or nn.LayerNorm",
            f"{name} = nn.LayerNorm if {name} is None else {name}",
        )
    )
    _layer(c, "self.NAME = LAYER", layer=f"{name}(d)")


def module_handed_in(c: ClassDraft) -> None:
    name = c.argument(
        c.one_of("layer", "fn", "module"), "None", "torch.nn.Linear(4, 4)", "torch.nn.Tanh()"
    )
    default = c.layer()
    _layer(
        c,
        c.one_of(
            f"self.NAME = {name} if {name} is not None else {default}",
            f"self.NAME = {name} or {default}",
            f"if {name} is None:\n    {name} = {default}\nself.NAME = {name}",
        ),
    )


def wrapped(c: ClassDraft) -> None:
    wrapper = c.helper(
        c.one_of("Residual", "PreNorm", "Scaled"),
        "class NAME(nn.Module):\n    def __init__(self, fn, d=4):\n        super().__init__()\n"
        + c.one_of(
            "        self.fn = fn\n\n    def forward(self, x):\n        return self.fn(x) + x",
            "        self.fn = fn\n        self.norm = nn.LayerNorm(d)\n\n"
            "    def forward(self, x):\n        return self.fn(self.norm(x))",
            "        self.add_module('fn', fn)\n        self.scale = nn.Parameter(torch.ones(1))\n\n"
            "    def forward(self, x):\n        return self.scale * self.fn(x)",
        ),
    )
    _layer(
        c,
        c.one_of(
            f"self.NAME = {wrapper}(LAYER)",
            f"self.NAME = {wrapper}(fn=LAYER)",
            f"inner = LAYER\nself.NAME = {wrapper}(inner, d)",
            f"self.NAME = {wrapper}({wrapper}(LAYER))",
        ),
    )


def shared(c: ClassDraft) -> None:
    one, other, layer = c.new_name("enc"), c.new_name("dec"), c.layer()
    c.add(
        c.one_of(
            f"self.{one} = self.{other} = {layer}",
            f"self.{one} = {layer}\nself.{other} = self.{one}",
            f"m = {layer}\nself.{one} = m\nself.{other} = m",
            f"self.{one} = {layer}\nself.{other} = nn.Sequential(self.{one}, nn.Tanh())",
            f"self.{one} = {layer}\nself.{other} = nn.ModuleList([self.{one}])[0]",
        )
    )
    c.step(f"x = self.{other}(self.{one}(x))")


def replaced(c: ClassDraft) -> None:
    _layer(
        c,
        c.one_of(
            "self.NAME = LAYER\nself.NAME = nn.Sequential(self.NAME, nn.Tanh())",
            "self.NAME = LAYER\nself.NAME = LAYER",
            "self.NAME = nn.Linear(d, d)\nif d > 2:\n    self.NAME = LAYER",
            "self.NAME = nn.Identity()\nself.NAME = LAYER",
            "self.NAME = LAYER\ndel self.NAME\nself.NAME = LAYER",
        ),
    )


def deep_copies(c: ClassDraft) -> None:
    one, other = c.new_name("enc"), c.new_name("dec")
    c.add(f"self.{one} = {c.layer()}", f"self.{other} = copy.deepcopy(self.{one})")
    c.step(f"x = self.{other}(self.{one}(x))")


def called_in_other_method(c: ClassDraft) -> None:
    name, method, layer = _name(c), c.new_name("features", "_body"), c.layer()
    c.add(f"self.{name} = {layer}")
    c.method(f"def {method}(self, x):\n    return self.{name}(x)")
    c.step(f"x = self.{method}(x)")


def normed(c: ClassDraft) -> None:
    _layer(
        c,
        c.one_of(
            "self.NAME = nn.utils.weight_norm(nn.Linear(d, d))",
            "self.NAME = nn.utils.parametrizations.weight_norm(nn.Linear(d, d))",
            "self.NAME = nn.utils.parametrizations.spectral_norm(nn.Linear(d, d))",
        ),
    )


def functional(c: ClassDraft) -> None:
    name = _name(c, "nn.Linear(d, d)")
    c.add(f"self.{name} = nn.Linear(d, d)")
    c.step(
        c.one_of(
            f"x = F.linear(x, self.{name}.weight, self.{name}.bias)",
            f"x = x @ self.{name}.weight + self.{name}.bias",
            f"w, b = self.{name}.weight, self.{name}.bias\nx = x @ w.t() + b",
            f"x = self.{name}.forward(x)",
            f"x = F.linear(x, self.{name}.weight.t()) + self.{name}.bias.sum()",
        )
    )


def kept_in_python(c: ClassDraft) -> None:
    name = c.new_name("blocks", "plain")
    c.add(
        c.one_of(
            f"self.{name} = [{c.layer()}, {c.layer()}]\n"
            f"self.{name}_list = nn.ModuleList(self.{name})",
            f"self.{name} = [{c.layer()}]",
            f"self.{name} = ({c.layer()},)",
            f"self.{name} = [m for m in (nn.ReLU(), nn.Tanh())]",
        )
    )
    c.step(f"for m in self.{name}:\n    x = m(x)")

"""Every row of the catalogue of layers against the installed torch."""

import inspect
import math

import pytest
import torch
from pyro.nn import PyroModule
from torch import nn

from pyroify.catalog.layers import (
    KEYED,
    LAYERS,
    NUMBERED,
    OF_PARAMETERS,
    REQUIRED,
    Layer,
    LayerParameter,
    fill,
    lookup,
    names_parameter,
    qualify,
    recurrent_parameters,
    substitute,
)
from pyroify.catalog.module import MODULE_NAMES

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's, about the sizes chosen here
ABSTRACT = {"Module", "Container", "RNNBase", "RNNCellBase"}

# How to build each layer whose arguments have no defaults. Sizes differ from each other, so that
# an expression that names the wrong argument gives the wrong number.
ARGUMENTS = {
    "Linear": {"in_features": 3, "out_features": 5},
    "Bilinear": {"in1_features": 3, "in2_features": 4, "out_features": 5},
    **{
        f"{kind}{d}d": {"in_channels": 4, "out_channels": 6, "kernel_size": 3, "groups": 2}
        for kind in ("Conv", "ConvTranspose")
        for d in (1, 2, 3)
    },
    **{
        name: {"num_features": 3}
        for name in ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm")
    },
    **{f"InstanceNorm{d}d": {"num_features": 3, "affine": True} for d in (1, 2, 3)},
    "GroupNorm": {"num_groups": 2, "num_channels": 6},
    "LayerNorm": {"normalized_shape": 3},
    "RMSNorm": {"normalized_shape": 3},
    "Embedding": {"num_embeddings": 3, "embedding_dim": 5},
    "EmbeddingBag": {"num_embeddings": 3, "embedding_dim": 5},
    "PReLU": {"num_parameters": 3},
    **{
        name: {"input_size": 3, "hidden_size": 5}
        for name in ("RNNCell", "GRUCell", "LSTMCell", "RNN", "GRU", "LSTM")
    },
    "MultiheadAttention": {"embed_dim": 4, "num_heads": 2},
    **{
        f"Transformer{part}Layer": {"d_model": 4, "nhead": 2, "dim_feedforward": 6}
        for part in ("Encoder", "Decoder")
    },
    "TransformerEncoder": {"encoder_layer": nn.TransformerEncoderLayer(4, 2, 6), "num_layers": 2},
    "TransformerDecoder": {"decoder_layer": nn.TransformerDecoderLayer(4, 2, 6), "num_layers": 2},
    "Transformer": {
        "d_model": 4,
        "nhead": 2,
        "num_encoder_layers": 1,
        "num_decoder_layers": 2,
        "dim_feedforward": 6,
    },
    "AdaptiveLogSoftmaxWithLoss": {"in_features": 8, "n_classes": 20, "cutoffs": [5, 10]},
    "LinearCrossEntropyLoss": {"in_features": 3, "num_classes": 5},
    "LazyLinear": {"out_features": 5},
    **{
        f"Lazy{kind}{d}d": {"out_channels": 4, "kernel_size": 3}
        for kind in ("Conv", "ConvTranspose")
        for d in (1, 2, 3)
    },
    **{f"LazyBatchNorm{d}d": {} for d in (1, 2, 3)},
    **{f"LazyInstanceNorm{d}d": {"affine": True} for d in (1, 2, 3)},
}
# Other ways to build them, for the parameters that come and go.
VARIANTS = [
    ("Linear", {"bias": False}),
    ("Bilinear", {"bias": False}),
    ("Conv2d", {"bias": False, "kernel_size": (3, 5)}),
    ("ConvTranspose2d", {"bias": False, "kernel_size": (3, 5)}),
    ("BatchNorm2d", {"affine": False}),
    ("BatchNorm2d", {"bias": False}),
    ("SyncBatchNorm", {"bias": False}),
    ("InstanceNorm2d", {"affine": False}),
    ("InstanceNorm2d", {"bias": False}),
    ("GroupNorm", {"affine": False}),
    ("GroupNorm", {"bias": False}),
    ("LayerNorm", {"elementwise_affine": False}),
    ("LayerNorm", {"bias": False}),
    ("RMSNorm", {"elementwise_affine": False}),
    ("LSTMCell", {"bias": False}),
    ("GRU", {"bias": False}),
    ("LSTM", {"proj_size": 2}),
    ("MultiheadAttention", {"bias": False, "add_bias_kv": True}),
    ("MultiheadAttention", {"kdim": 4}),
    ("MultiheadAttention", {"kdim": 3}),
    ("MultiheadAttention", {"vdim": 3}),
    ("TransformerEncoderLayer", {"bias": False}),
    ("TransformerDecoderLayer", {"bias": False}),
    ("Transformer", {"bias": False}),
    ("AdaptiveLogSoftmaxWithLoss", {"head_bias": True}),
    ("LinearCrossEntropyLoss", {"bias": True}),
    ("LazyLinear", {"bias": False}),
    ("LazyConv2d", {"bias": False}),
    ("LazyBatchNorm2d", {"affine": False}),
]

BUILDS = [(name, arguments) for name, arguments in ARGUMENTS.items()] + [
    (name, ARGUMENTS[name] | changes) for name, changes in VARIANTS
]
IDS = [f"{name}-{index}" for index, (name, _) in enumerate(BUILDS)]


def environment(layer: Layer, arguments: dict[str, object]) -> dict[str, object]:
    """The constructor's arguments, defaults filled in."""
    defaults = {
        name: eval(default, {"F": nn.functional})
        for name, default in layer.signature
        if default is not REQUIRED
    }
    return defaults | arguments


def resolve(module: nn.Module, name: str) -> dict[str, torch.Tensor | None]:
    """The parameters that ``name`` stands for; ``*`` is every index."""
    owners = {"": module}
    *path, attribute = name.split(".")
    for segment in path:
        owners = {
            f"{prefix}{child}.": submodule
            for prefix, owner in owners.items()
            for child, submodule in owner.named_children()
            if segment in (child, "*")
        }
    return {prefix + attribute: getattr(owner, attribute, None) for prefix, owner in owners.items()}


def test_every_module_of_torch_has_a_row():
    modules = {
        name
        for name, value in vars(nn).items()
        if inspect.isclass(value) and issubclass(value, nn.Module)
    }
    assert modules - ABSTRACT == set(LAYERS)


def test_every_row_with_parameters_is_built_here():
    with_parameters = {name for name, layer in LAYERS.items() if layer.parameters}
    assert with_parameters == set(ARGUMENTS)


@pytest.mark.parametrize("name", LAYERS)
def test_module_is_where_the_class_is(name):
    assert LAYERS[name].module == getattr(nn, name).__module__


@pytest.mark.parametrize(
    "name",
    [name for name, row in LAYERS.items() if row.signature and row.kind != "recurrent"],
)
def test_signature(name):
    """Recurrent layers hide theirs behind ``*args``; the next test builds from it."""
    expected = inspect.signature(getattr(nn, name)).parameters
    assert [argument for argument, _ in LAYERS[name].signature] == list(expected)
    for argument, default in LAYERS[name].signature:
        if default is REQUIRED:
            assert expected[argument].default is inspect.Parameter.empty
        else:
            assert eval(default, {"F": nn.functional}) == expected[argument].default


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_recurrent_signature_builds_by_position(name):
    signature = LAYERS[name].signature
    values = [7 if default is REQUIRED else eval(default) for _, default in signature]
    if name != "LSTM":  # RNN and GRU inherit the argument proj_size but refuse it by name
        assert "proj_size" not in dict(signature)
        values = values[:-2]
    layer = getattr(nn, name)(*values)
    assert (layer.input_size, layer.hidden_size, layer.num_layers) == (7, 7, 1)
    assert layer.dropout == 0.0 and layer.bidirectional is False and layer.batch_first is False


@pytest.mark.parametrize(("name", "arguments"), BUILDS, ids=IDS)
def test_names_and_presence(name, arguments):
    layer, module = LAYERS[name], getattr(nn, name)(**arguments)
    given = environment(layer, arguments)
    expected = set()
    for parameter in layer.parameters:
        if parameter.present_if is None or eval(parameter.present_if, {}, dict(given)):
            found = resolve(module, parameter.name)
            assert all(tensor is not None for tensor in found.values()), parameter.name
            expected |= set(found)
    assert expected == {name for name, _ in module.named_parameters()}


@pytest.mark.parametrize(("name", "arguments"), BUILDS, ids=IDS)
def test_shapes_and_fans(name, arguments):
    layer, module = LAYERS[name], getattr(nn, name)(**arguments)
    if layer.kind == "lazy":
        assert all(parameter.shape is None for parameter in layer.parameters)
        return
    given = environment(layer, arguments)
    for parameter in layer.parameters:
        for path, tensor in resolve(module, parameter.name).items():
            if tensor is None:
                continue
            if parameter.shape is not None:
                names = dict(given)
                if "kernel_size" in names:
                    names["kernel_size"] = module.kernel_size
                shape = tuple(eval(size, {}, names) for size in parameter.shape)
                assert shape == tuple(tensor.shape), path
                assert parameter.ndim == len(shape)
            if parameter.ndim is not None:
                assert parameter.ndim == tensor.dim(), path
            check_fans(module, path, parameter, tensor, given)


def check_fans(module, path, parameter: LayerParameter, tensor, given):
    if parameter.fan_in is None:
        assert parameter.fan_out is None
        assert tensor.dim() < 2 or parameter.name.startswith("bias_") or parameter.shape is None
        return
    names = dict(given) | {"shape": tensor.shape}
    if isinstance(names.get("kernel_size"), int):
        names["kernel_size"] = module.kernel_size
    fans = (eval(parameter.fan_in, {}, names), eval(parameter.fan_out, {}, names))
    assert fans == nn.init._calculate_fan_in_and_fan_out(weight_of(module, path, tensor)), path


def weight_of(module: nn.Module, path: str, tensor: torch.Tensor) -> torch.Tensor:
    """The weight whose fans a bias has."""
    if tensor.dim() > 1:
        return tensor
    owner, _, name = path.rpartition(".")
    renamed = "in_proj_weight" if name == "in_proj_bias" else name.replace("bias", "weight")
    weight = getattr(module.get_submodule(owner), renamed)
    return torch.empty(tensor.shape[0], tensor.shape[0] // 3) if weight is None else weight


@pytest.mark.parametrize("name", LAYERS)
def test_kind(name):
    layer = LAYERS[name]
    if layer.kind in ("container", "stateless"):
        assert not layer.parameters
    if layer.kind == "layer":
        assert all(parameter.layer == name for parameter in layer.parameters)
        assert not any("." in parameter.name for parameter in layer.parameters)
    if layer.kind == "compound":
        assert any("." in parameter.name for parameter in layer.parameters)
    assert (layer.kind == "lazy") == name.startswith("Lazy")


def test_names_of_parameters_are_known_whatever_their_numbers() -> None:
    names = ("weight", "bias_ih_l7_reverse", "in_proj_weight", "weight_hh")
    assert all(map(names_parameter, names))
    assert not any(map(names_parameter, ("in_features", "block1", "data", "")))


@pytest.mark.parametrize("name", sorted(n for n, row in LAYERS.items() if row.kind == "compound"))
def test_layer_of_a_nested_parameter_is_its_owner(name):
    module = getattr(nn, name)(**ARGUMENTS[name])
    for parameter in LAYERS[name].parameters:
        for path in resolve(module, parameter.name):
            owner = module.get_submodule(path.rpartition(".")[0])
            assert isinstance(owner, getattr(nn, parameter.layer)), path


@pytest.mark.parametrize("name", sorted(NUMBERED | KEYED | OF_PARAMETERS))
def test_members_of_containers(name):
    container = getattr(nn, name)()
    member = nn.Parameter(torch.zeros(1)) if name in OF_PARAMETERS else nn.Linear(1, 1)
    if name in KEYED:
        container["a"] = member
    else:
        container.append(member)
    found = container.named_parameters() if name in OF_PARAMETERS else container.named_children()
    assert [key for key, _ in found] == ["a" if name in KEYED else "0"]


STATELESS = {
    "AdaptiveAvgPool1d": (2,),
    "CrossMapLRN2d": (2,),
    "ChannelShuffle": (2,),
    "Threshold": (0.1, 20),
    "Unflatten": (1, (2, 3)),
    "Fold": ((4, 5), (2, 2)),
    "FractionalMaxPool2d": (2, 2),
    "FractionalMaxPool3d": (2, 2),
    "LPPool1d": (2, 3),
    "LPPool2d": (2, 3),
    "LPPool3d": (2, 3),
}


@pytest.mark.parametrize("name", sorted(n for n, row in LAYERS.items() if row.kind == "stateless"))
def test_stateless_layers_have_no_parameters(name):
    arguments = STATELESS.get(name)
    if arguments is None:
        parameters = inspect.signature(getattr(nn, name)).parameters.values()
        required = [
            p for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
        ]
        arguments = (2,) * len(required)
    assert not list(getattr(nn, name)(*arguments).parameters())


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("RNN", {"num_layers": 3}),
        ("GRU", {"num_layers": 2, "bidirectional": True}),
        ("LSTM", {"num_layers": 2, "bidirectional": True, "bias": False}),
        ("LSTM", {"num_layers": 3, "proj_size": 2}),
        ("LSTM", {"num_layers": 2, "proj_size": 2, "bidirectional": True}),
    ],
)
def test_recurrent_parameters(name, arguments):
    arguments = {"input_size": 3, "hidden_size": 5} | arguments
    module, layer = getattr(nn, name)(**arguments), LAYERS[name]
    given = environment(layer, arguments)
    depth, both = arguments["num_layers"], arguments.get("bidirectional", False)
    found = {
        parameter.name: tuple(eval(size, {}, dict(given)) for size in parameter.shape)
        for parameter in recurrent_parameters(layer, depth, both)
        if parameter.present_if is None or eval(parameter.present_if, {}, dict(given))
    }
    expected = {name: tuple(tensor.shape) for name, tensor in module.named_parameters()}
    assert found == expected
    assert list(found) == list(expected)
    for parameter in recurrent_parameters(layer, depth, both):
        if parameter.name in expected and len(expected[parameter.name]) == 2:
            fan_in = eval(parameter.fan_in, {}, dict(given))
            assert fan_in == expected[parameter.name][1], parameter.name


@pytest.mark.parametrize(
    ("dotted", "name"),
    [
        ("torch.nn.Linear", "Linear"),
        ("torch.nn.modules.Linear", "Linear"),
        ("torch.nn.modules.linear.Linear", "Linear"),
        ("torch.nn.parallel.data_parallel.DataParallel", "DataParallel"),
        ("torch.nn.modules.conv.Linear", None),
        ("mylib.Linear", None),
        ("Linear", None),
        ("torch.nn.Module", None),
        ("torch.nn.Liner", None),
    ],
)
def test_lookup(dotted, name):
    layer = lookup(dotted)
    assert (layer and layer.name) == name


@pytest.mark.parametrize(
    ("expression", "arguments", "source"),
    [
        ("in_features", {"in_features": "a + b"}, "a + b"),
        ("4 * hidden_size", {"hidden_size": "64"}, "4 * 64"),
        ("4 * hidden_size", {"hidden_size": "a + b"}, "4 * (a + b)"),
        ("4 * hidden_size", {"hidden_size": "sizes[0]"}, "4 * sizes[0]"),
        ("4 * hidden_size", {}, None),
        ("proj_size or hidden_size", {"proj_size": "0", "hidden_size": "h"}, "h"),
        ("proj_size or hidden_size", {"proj_size": "p", "hidden_size": "h"}, "p or h"),
        ("affine and bias", {"affine": "True", "bias": "b"}, "True and b"),
        ("not (kdim is None)", {"kdim": "k"}, "not (k is None)"),
        (
            "out_channels // groups * kernel_size[1]",
            {"out_channels": "8", "groups": "2", "kernel_size": "3"},
            "8 // 2 * 3",
        ),
        ("in_channels // groups", {"in_channels": "c", "groups": "1"}, "c"),
        ("in_channels // groups", {"in_channels": "c", "groups": "16"}, "c // 16"),
        ("kernel_size[1]", {"kernel_size": "(3, 5)"}, "5"),
        ("kernel_size[1]", {"kernel_size": "k"}, None),
        ("kernel_size[2]", {"kernel_size": "(3, 5)"}, None),
    ],
)
def test_substitute(expression, arguments, source):
    assert substitute(expression, arguments) == source


def test_qualify():
    expression = "in_channels // groups * kernel_size[0] * shape[1]"
    source = "self.c.in_channels // self.c.groups * self.c.kernel_size[0] * self.c.weight.shape[1]"
    assert qualify(expression, "self.c", "self.c.weight") == source


@pytest.mark.parametrize("name", ["Conv2d", "ConvTranspose2d", "Linear", "Bilinear"])
def test_qualified_fans_hold_on_a_built_layer(name):
    self = nn.Module()
    self.layer = getattr(nn, name)(**ARGUMENTS[name])
    for parameter in LAYERS[name].parameters:
        target = f"self.layer.{parameter.name}"
        fan_in = eval(qualify(parameter.fan_in, "self.layer", target), {"self": self})
        assert fan_in == nn.init._calculate_fan_in_and_fan_out(self.layer.weight)[0]
        assert fan_in == math.prod(self.layer.weight.shape[1:])


def test_names_of_every_module_are_those_of_the_installed_torch_and_pyro() -> None:
    module = PyroModule()
    names = {*dir(module), *nn.Module.__annotations__}
    assert {name for name in names if name[0] != "_"} <= MODULE_NAMES <= names


@pytest.mark.parametrize("name", sorted(n for n in ARGUMENTS if LAYERS[n].kind != "lazy"))
def test_fills(name: str) -> None:
    built = [dict(getattr(nn, name)(**ARGUMENTS[name]).named_parameters()) for _ in range(20)]
    for path, tensor in built[0].items():
        row = next((row for row in LAYERS[name].parameters if row.name == path), None)
        if row is None or tensor.numel() < 2:
            continue
        value = fill(row.layer, path.rpartition(".")[2])
        drawn = torch.stack([parameters[path] for parameters in built])
        if value is None:
            assert drawn.min() <= 0 <= drawn.max(), path
        else:
            assert (drawn == value).all(), path

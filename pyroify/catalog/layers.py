"""The modules of ``torch.nn``: which parameters each owns, of what shape, and when.

Plain data; torch is not imported. ``tests/test_catalog_layers.py`` holds every row against the
installed torch. Expressions are Python source over the constructor's argument names, which
torch also keeps as attributes of the same name on the layer. Fans follow
``torch.nn.init``: inputs and outputs are read off the weight's shape, so that a bias has the
fans of its weight, and a transposed convolution has the fans torch gives it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

Kind = Literal["layer", "compound", "recurrent", "container", "lazy", "stateless"]
"""``layer`` owns its parameters itself. ``compound`` has children with parameters, named by
dotted paths. ``recurrent`` names its parameters by layer number. ``container`` holds what it is
given. ``lazy`` learns its shapes from the first input. ``stateless`` has no parameters."""

REQUIRED: Final = None
"""The default of an argument that has none."""

Signature = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class LayerParameter:
    """One parameter of a layer.

    ``name`` is relative to the layer; in a compound layer it may be dotted, and a segment ``*``
    is an index only known at run time. ``shape`` is None where arguments alone do not give it,
    ``ndim`` None where even the number of dimensions varies. ``kernel_size[i]`` in an expression
    is the size that a single number stands for too; ``shape[i]`` in a fan is the parameter's own
    shape. ``present_if`` is the condition under which the parameter is not None. ``layer`` is the
    class that owns it.
    """

    name: str
    shape: tuple[str, ...] | None
    ndim: int | None
    fan_in: str | None = None
    fan_out: str | None = None
    present_if: str | None = None
    layer: str = ""


@dataclass(frozen=True, slots=True)
class Layer:
    """One public class of ``torch.nn``.

    ``signature`` lists the constructor's arguments, keyword-only ones last, each with the source
    of its default or REQUIRED. Stateless layers and containers carry none: nothing depends on it.
    """

    name: str
    module: str
    kind: Kind
    signature: Signature = ()
    parameters: tuple[LayerParameter, ...] = ()

    @property
    def makes_all_parts(self) -> bool:
        """Whether it makes all modules itself that own its parameters, each under one name."""
        names = [parameter.name.split(".") for parameter in self.parameters]
        return self.kind == "compound" and all(len(n) > 1 and "*" not in n for n in names)

    @property
    def names(self) -> frozenset[str]:
        """The attributes it has by its arguments and parameters."""
        return frozenset(
            (*(name for name, _ in self.signature), *(p.name for p in self.parameters))
        )


def fill(layer: str, parameter: str) -> float | None:
    """What torch fills a parameter of a layer with; None where it draws it, around zero."""
    if "Norm" in layer:
        return 0.0 if parameter.endswith("bias") else 1.0
    if layer == "MultiheadAttention" and parameter.endswith("bias"):
        return 0.0
    return 0.25 if layer == "PReLU" else None


def lookup(dotted: str) -> Layer | None:
    """The layer that ``torch.nn.Linear`` or ``torch.nn.modules.linear.Linear`` names, if any."""
    module, _, name = dotted.rpartition(".")
    layer = LAYERS.get(name)
    if layer is None or module not in ("torch.nn", "torch.nn.modules", layer.module):
        return None
    return layer


def substitute(expression: str, arguments: Mapping[str, str]) -> str | None:
    """``expression`` with argument names replaced by the source passed for them.

    None when an argument is missing from ``arguments``, or when one that may be a number or a
    tuple is indexed and the source does not show which.
    """
    tokens = _OPERAND.findall(expression)
    sources = [_operand_source(name, index, arguments) for name, index in tokens]
    if None in sources:
        return None
    if len(tokens) == 1 and _OPERAND.fullmatch(expression):
        return sources[0]
    replacements = iter(sources)
    source = _OPERAND.sub(lambda _: _parenthesize(next(replacements) or ""), expression)
    return _IDLE.sub("", source)


def qualify(expression: str, owner: str, target: str) -> str:
    """``expression`` read off a built layer: ``owner.in_features``, ``target.shape[1]``."""

    def attribute(match: re.Match[str]) -> str:
        name, index = match.groups(default="")
        return f"{target if name == 'shape' else owner}.{name}{index}"

    return _OPERAND.sub(attribute, expression)


def recurrent_parameters(
    layer: Layer, num_layers: int, bidirectional: bool = False
) -> tuple[LayerParameter, ...]:
    """The parameters of a recurrent layer of known depth, in torch's order.

    Beyond the first layer the input is the output of the layer below.
    """
    directions = ("", "_reverse") if bidirectional else ("",)
    return tuple(
        _recurrent_parameter(parameter, number, suffix, bidirectional)
        for number in range(num_layers)
        for suffix in directions
        for parameter in layer.parameters
    )


def _recurrent_parameter(
    parameter: LayerParameter, number: int, suffix: str, bidirectional: bool
) -> LayerParameter:
    name = parameter.name.removesuffix("_l0") + f"_l{number}{suffix}"
    if number == 0 or not parameter.name.endswith("ih_l0"):
        return replace(parameter, name=name)
    width = "(proj_size or hidden_size)" if parameter.layer == "LSTM" else "hidden_size"
    below = f"2 * {width}" if bidirectional else width
    shape = parameter.shape
    if shape is not None and len(shape) == 2:
        shape = (shape[0], below)
    return replace(parameter, name=name, shape=shape, fan_in=below)


_OPERAND = re.compile(r"(?<![\w.\]])(?!(?:and|or|not|is|None)\b)([A-Za-z_]\w*)(\[\d+\])?")
_IDLE = re.compile(r"^0 or | // 1\b")
"""What the usual arguments leave in place: no projection, one group."""
_ATOM = re.compile(r"[\w.]+|[\w.]+\[\w+\]|\([^()]*\)|[\w.]+\([^()]*\)")
_NUMBERS = re.compile(r"[(\[]\s*(\d+(?:\s*,\s*\d+)*)\s*,?\s*[)\]]")


def _operand_source(name: str, index: str, arguments: Mapping[str, str]) -> str | None:
    source = arguments.get(name)
    if source is None or not index:
        return source
    if source.isdecimal():
        return source
    if numbers := _NUMBERS.fullmatch(source):
        values = re.split(r"\s*,\s*", numbers[1])
        position = int(index[1:-1])
        return values[position] if position < len(values) else None
    return None


def _parenthesize(source: str) -> str:
    return source if _ATOM.fullmatch(source) else f"({source})"


# The rows ---------------------------------------------------------------------------------------

_PLACEMENT = "device=None, dtype=None"


def _signature(text: str) -> Signature:
    arguments = (argument.partition("=") for argument in text.split(", "))
    return tuple((name, default if equals else REQUIRED) for name, equals, default in arguments)


def _layer(
    kind: Kind, module: str, name: str, signature: str, *parameters: LayerParameter
) -> Layer:
    owned = tuple(
        parameter if parameter.layer else replace(parameter, layer=name) for parameter in parameters
    )
    return Layer(name, f"torch.nn.modules.{module}", kind, _signature(signature), owned)


def _weight_and_bias(
    shape: tuple[str, ...], fan_in: str, fan_out: str
) -> tuple[LayerParameter, LayerParameter]:
    return (
        LayerParameter("weight", shape, len(shape), fan_in, fan_out),
        LayerParameter("bias", shape[:1], 1, fan_in, fan_out, present_if="bias"),
    )


def _affine(size: str, flag: str = "affine") -> tuple[LayerParameter, LayerParameter]:
    return (
        LayerParameter("weight", (size,), 1, present_if=flag),
        LayerParameter("bias", (size,), 1, present_if=f"{flag} and bias"),
    )


def _convolution(name: str, dimensions: int, transposed: bool) -> Layer:
    kernel = [f"kernel_size[{i}]" for i in range(dimensions)]
    shape = ("out_channels", "in_channels // groups", *kernel)
    if transposed:
        shape = ("in_channels", "out_channels // groups", *kernel)
    bias_fan_in = " * ".join(shape[1:])
    bias_fan_out = " * ".join((shape[0], *kernel))
    own = [f"shape[{i + 2}]" for i in range(dimensions)]
    shared = "in_channels, out_channels, kernel_size, stride=1, padding=0"
    signature = (
        f"{shared}, output_padding=0, groups=1, bias=True, dilation=1, padding_mode='zeros'"
        if transposed
        else f"{shared}, dilation=1, groups=1, bias=True, padding_mode='zeros'"
    )
    return _layer(
        "layer",
        "conv",
        name,
        f"{signature}, {_PLACEMENT}",
        LayerParameter(
            "weight",
            shape,
            dimensions + 2,
            " * ".join(["shape[1]", *own]),
            " * ".join(["shape[0]", *own]),
        ),
        LayerParameter("bias", ("out_channels",), 1, bias_fan_in, bias_fan_out, "bias"),
    )


def _recurrent(name: str, gates: str) -> Layer:
    """RNN, GRU or LSTM with the parameters of layer 0; see :func:`recurrent_parameters`."""
    rows = f"{gates}hidden_size"
    output = "proj_size or hidden_size" if name == "LSTM" else "hidden_size"
    nonlinearity = "nonlinearity='tanh', " if name == "RNN" else ""
    projection = "proj_size=0, " if name == "LSTM" else ""
    parameters = [
        LayerParameter("weight_ih_l0", (rows, "input_size"), 2, "input_size", rows),
        LayerParameter("weight_hh_l0", (rows, output), 2, output, rows),
        LayerParameter("bias_ih_l0", (rows,), 1, "input_size", rows, "bias"),
        LayerParameter("bias_hh_l0", (rows,), 1, output, rows, "bias"),
    ]
    if name == "LSTM":
        parameters.append(
            LayerParameter(
                "weight_hr_l0",
                ("proj_size", "hidden_size"),
                2,
                "hidden_size",
                "proj_size",
                "proj_size",
            )
        )
    return _layer(
        "recurrent",
        "rnn",
        name,
        f"input_size, hidden_size, num_layers=1, {nonlinearity}bias=True, batch_first=False, "
        f"dropout=0.0, bidirectional=False, {projection}{_PLACEMENT}",
        *parameters,
    )


def _cell(name: str, gates: str) -> Layer:
    rows = f"{gates}hidden_size"
    nonlinearity = ", nonlinearity='tanh'" if name == "RNNCell" else ""
    return _layer(
        "layer",
        "rnn",
        name,
        f"input_size, hidden_size, bias=True{nonlinearity}, {_PLACEMENT}",
        LayerParameter("weight_ih", (rows, "input_size"), 2, "input_size", rows),
        LayerParameter("weight_hh", (rows, "hidden_size"), 2, "hidden_size", rows),
        LayerParameter("bias_ih", (rows,), 1, "input_size", rows, "bias"),
        LayerParameter("bias_hh", (rows,), 1, "hidden_size", rows, "bias"),
    )


def _lazy(name: str, eager: Layer, omitted: str) -> Layer:
    """The lazy form of ``eager``: same parameters, no shape before the first input."""
    parameters = tuple(
        replace(parameter, shape=None, fan_in=None, fan_out=None, layer=name)
        for parameter in eager.parameters
    )
    # The lazy norms are affine and keep statistics throughout, InstanceNorm included.
    changed = {"affine": "True", "track_running_stats": "True"}
    signature = tuple(
        (argument, changed.get(argument, default))
        for argument, default in eager.signature
        if argument != omitted
    )
    return Layer(name, eager.module, "lazy", signature, parameters)


def _linear(
    path: str, inputs: str, outputs: str, present_if: str | None = None
) -> tuple[LayerParameter, LayerParameter]:
    """Weight and bias of a Linear child whose bias depends on ``present_if``."""
    return (
        LayerParameter(f"{path}.weight", (outputs, inputs), 2, inputs, outputs, None, "Linear"),
        LayerParameter(f"{path}.bias", (outputs,), 1, inputs, outputs, present_if, "Linear"),
    )


def _norm(path: str, present_if: str | None = None) -> tuple[LayerParameter, LayerParameter]:
    return (
        LayerParameter(f"{path}.weight", ("d_model",), 1, layer="LayerNorm"),
        LayerParameter(f"{path}.bias", ("d_model",), 1, present_if=present_if, layer="LayerNorm"),
    )


def _self_attention(path: str) -> tuple[LayerParameter, ...]:
    """Attention whose queries, keys and values all have ``d_model`` features."""
    rows, owner = "3 * d_model", "MultiheadAttention"
    return (
        LayerParameter(
            f"{path}.in_proj_weight", (rows, "d_model"), 2, "d_model", rows, None, owner
        ),
        LayerParameter(f"{path}.in_proj_bias", (rows,), 1, "d_model", rows, "bias", owner),
        *_linear(f"{path}.out_proj", "d_model", "d_model", "bias"),
    )


def _encoder_layer(prefix: str = "") -> tuple[LayerParameter, ...]:
    return (
        *_self_attention(f"{prefix}self_attn"),
        *_linear(f"{prefix}linear1", "d_model", "dim_feedforward", "bias"),
        *_linear(f"{prefix}linear2", "dim_feedforward", "d_model", "bias"),
        *_norm(f"{prefix}norm1", "bias"),
        *_norm(f"{prefix}norm2", "bias"),
    )


def _decoder_layer(prefix: str = "") -> tuple[LayerParameter, ...]:
    return (
        *_self_attention(f"{prefix}self_attn"),
        *_self_attention(f"{prefix}multihead_attn"),
        *_linear(f"{prefix}linear1", "d_model", "dim_feedforward", "bias"),
        *_linear(f"{prefix}linear2", "dim_feedforward", "d_model", "bias"),
        *_norm(f"{prefix}norm1", "bias"),
        *_norm(f"{prefix}norm2", "bias"),
        *_norm(f"{prefix}norm3", "bias"),
    )


def _of_given_layer(parameters: tuple[LayerParameter, ...]) -> tuple[LayerParameter, ...]:
    """The same names without sizes: those are the business of the layer handed in."""
    return tuple(
        replace(parameter, shape=None, fan_in=None, fan_out=None, present_if=None)
        for parameter in parameters
    )


def _attention() -> tuple[LayerParameter, ...]:
    width = "embed_dim"
    same = "(kdim is None or kdim == embed_dim) and (vdim is None or vdim == embed_dim)"
    rows = f"3 * {width}"
    return (
        LayerParameter("q_proj_weight", (width, width), 2, width, width, f"not ({same})"),
        LayerParameter("k_proj_weight", None, 2, "shape[1]", width, f"not ({same})"),
        LayerParameter("v_proj_weight", None, 2, "shape[1]", width, f"not ({same})"),
        LayerParameter("in_proj_weight", (rows, width), 2, width, rows, same),
        LayerParameter("in_proj_bias", (rows,), 1, width, rows, "bias"),
        LayerParameter("bias_k", ("1", "1", width), 3, present_if="add_bias_kv"),
        LayerParameter("bias_v", ("1", "1", width), 3, present_if="add_bias_kv"),
        *_linear("out_proj", width, width, "bias"),
    )


def _rows() -> Iterator[Layer]:
    bias = "bias=True"
    yield _layer(
        "layer",
        "linear",
        "Linear",
        f"in_features, out_features, {bias}, {_PLACEMENT}",
        *_weight_and_bias(("out_features", "in_features"), "in_features", "out_features"),
    )
    yield _layer(
        "layer",
        "linear",
        "Bilinear",
        f"in1_features, in2_features, out_features, {bias}, {_PLACEMENT}",
        *_weight_and_bias(
            ("out_features", "in1_features", "in2_features"),
            "in1_features * in2_features",
            "out_features * in2_features",
        ),
    )
    for dimensions in (1, 2, 3):
        yield _convolution(f"Conv{dimensions}d", dimensions, transposed=False)
        yield _convolution(f"ConvTranspose{dimensions}d", dimensions, transposed=True)

    statistics = "affine=True, track_running_stats=True"
    for name, extra in (
        ("BatchNorm1d", ""),
        ("BatchNorm2d", ""),
        ("BatchNorm3d", ""),
        ("SyncBatchNorm", ", process_group=None"),
    ):
        signature = f"num_features, eps=1e-05, momentum=0.1, {statistics}{extra}"
        yield _layer(
            "layer",
            "batchnorm",
            name,
            f"{signature}, {_PLACEMENT}, {bias}",
            *_affine("num_features"),
        )
    for dimensions in (1, 2, 3):
        yield _layer(
            "layer",
            "instancenorm",
            f"InstanceNorm{dimensions}d",
            "num_features, eps=1e-05, momentum=0.1, affine=False, track_running_stats=False, "
            f"{_PLACEMENT}, {bias}",
            *_affine("num_features"),
        )
    yield _layer(
        "layer",
        "normalization",
        "GroupNorm",
        f"num_groups, num_channels, eps=1e-05, affine=True, {_PLACEMENT}, {bias}",
        *_affine("num_channels"),
    )
    yield _layer(
        "layer",
        "normalization",
        "LayerNorm",
        f"normalized_shape, eps=1e-05, elementwise_affine=True, {bias}, {_PLACEMENT}",
        LayerParameter("weight", None, None, present_if="elementwise_affine"),
        LayerParameter("bias", None, None, present_if="elementwise_affine and bias"),
    )
    yield _layer(
        "layer",
        "normalization",
        "RMSNorm",
        f"normalized_shape, eps=None, elementwise_affine=True, {_PLACEMENT}",
        LayerParameter("weight", None, None, present_if="elementwise_affine"),
    )
    embedding = LayerParameter(
        "weight", ("num_embeddings", "embedding_dim"), 2, "embedding_dim", "num_embeddings"
    )
    lookup_options = "max_norm=None, norm_type=2.0, scale_grad_by_freq=False"
    yield _layer(
        "layer",
        "sparse",
        "Embedding",
        f"num_embeddings, embedding_dim, padding_idx=None, {lookup_options}, sparse=False, "
        f"_weight=None, _freeze=False, {_PLACEMENT}",
        embedding,
    )
    yield _layer(
        "layer",
        "sparse",
        "EmbeddingBag",
        f"num_embeddings, embedding_dim, {lookup_options}, mode='mean', sparse=False, "
        f"_weight=None, include_last_offset=False, padding_idx=None, {_PLACEMENT}",
        embedding,
    )
    yield _layer(
        "layer",
        "activation",
        "PReLU",
        f"num_parameters=1, init=0.25, {_PLACEMENT}",
        LayerParameter("weight", ("num_parameters",), 1),
    )
    yield _cell("RNNCell", "")
    yield _cell("GRUCell", "3 * ")
    yield _cell("LSTMCell", "4 * ")
    yield _recurrent("RNN", "")
    yield _recurrent("GRU", "3 * ")
    yield _recurrent("LSTM", "4 * ")

    yield _layer(
        "compound",
        "activation",
        "MultiheadAttention",
        f"embed_dim, num_heads, dropout=0.0, {bias}, add_bias_kv=False, add_zero_attn=False, "
        f"kdim=None, vdim=None, batch_first=False, {_PLACEMENT}",
        *_attention(),
    )
    options = f"layer_norm_eps=1e-05, batch_first=False, norm_first=False, {bias}, {_PLACEMENT}"
    block = f"d_model, nhead, dim_feedforward=2048, dropout=0.1, activation=F.relu, {options}"
    for name, parameters in (
        ("TransformerEncoderLayer", _encoder_layer()),
        ("TransformerDecoderLayer", _decoder_layer()),
    ):
        yield _layer("compound", "transformer", name, block, *parameters)
    yield _layer(
        "compound",
        "transformer",
        "TransformerEncoder",
        "encoder_layer, num_layers, norm=None, enable_nested_tensor=True, mask_check=True",
        *_of_given_layer(_encoder_layer("layers.*.")),
    )
    yield _layer(
        "compound",
        "transformer",
        "TransformerDecoder",
        "decoder_layer, num_layers, norm=None",
        *_of_given_layer(_decoder_layer("layers.*.")),
    )
    yield _layer(
        "compound",
        "transformer",
        "Transformer",
        "d_model=512, nhead=8, num_encoder_layers=6, num_decoder_layers=6, dim_feedforward=2048, "
        f"dropout=0.1, activation=F.relu, custom_encoder=None, custom_decoder=None, {options}",
        *_encoder_layer("encoder.layers.*."),
        *_norm("encoder.norm", "bias"),
        *_decoder_layer("decoder.layers.*."),
        *_norm("decoder.norm", "bias"),
    )
    yield _layer(
        "compound",
        "adaptive",
        "AdaptiveLogSoftmaxWithLoss",
        f"in_features, n_classes, cutoffs, div_value=4.0, head_bias=False, {_PLACEMENT}",
        LayerParameter("head.weight", None, 2, "in_features", "shape[0]", layer="Linear"),
        LayerParameter("head.bias", None, 1, "in_features", "shape[0]", "head_bias", "Linear"),
        LayerParameter("tail.*.0.weight", None, 2, "in_features", "shape[0]", layer="Linear"),
        LayerParameter("tail.*.1.weight", None, 2, "shape[1]", "shape[0]", layer="Linear"),
    )
    yield _layer(
        "compound",
        "loss",
        "LinearCrossEntropyLoss",
        "in_features, num_classes, out_features=(), bias=False, device=None, dtype=None, "
        "reduction='mean', weight=None, ignore_index=None, label_smoothing=0.0, options=None",
        LayerParameter("linear.weight", None, 2, "in_features", "shape[0]", layer="Linear"),
        LayerParameter("linear.bias", None, 1, "in_features", "shape[0]", "bias", "Linear"),
    )


def _lazy_rows(eager: Mapping[str, Layer]) -> Iterator[Layer]:
    yield _lazy("LazyLinear", eager["Linear"], "in_features")
    for dimensions in (1, 2, 3):
        for name in (f"Conv{dimensions}d", f"ConvTranspose{dimensions}d"):
            yield _lazy(f"Lazy{name}", eager[name], "in_channels")
        for name in (f"BatchNorm{dimensions}d", f"InstanceNorm{dimensions}d"):
            yield _lazy(f"Lazy{name}", eager[name], "num_features")


NUMBERED: Final = frozenset({"Sequential", "ModuleList"})
"""Containers of modules that have places."""
KEYED: Final = frozenset({"ModuleDict", "ParameterDict"})
"""Containers whose members have names."""
OF_PARAMETERS: Final = frozenset({"ParameterList", "ParameterDict"})
"""Containers of parameters."""

_STATELESS: Mapping[str, str] = {
    "torch.nn.modules.activation": """
        CELU ELU GELU GLU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU LogSigmoid LogSoftmax
        Mish RReLU ReLU ReLU6 SELU SiLU Sigmoid Softmax Softmax2d Softmin Softplus Softshrink
        Softsign Tanh Tanhshrink Threshold
    """,
    "torch.nn.modules.channelshuffle": "ChannelShuffle",
    "torch.nn.modules.distance": "CosineSimilarity PairwiseDistance",
    "torch.nn.modules.dropout": """
        AlphaDropout Dropout Dropout1d Dropout2d Dropout3d FeatureAlphaDropout
    """,
    "torch.nn.modules.flatten": "Flatten Unflatten",
    "torch.nn.modules.fold": "Fold Unfold",
    "torch.nn.modules.linear": "Identity",
    "torch.nn.modules.loss": """
        BCELoss BCEWithLogitsLoss CTCLoss CosineEmbeddingLoss CrossEntropyLoss GaussianNLLLoss
        HingeEmbeddingLoss HuberLoss KLDivLoss L1Loss MSELoss MarginRankingLoss
        MultiLabelMarginLoss MultiLabelSoftMarginLoss MultiMarginLoss NLLLoss NLLLoss2d
        PoissonNLLLoss SmoothL1Loss SoftMarginLoss TripletMarginLoss TripletMarginWithDistanceLoss
    """,
    "torch.nn.modules.normalization": "CrossMapLRN2d LocalResponseNorm",
    "torch.nn.modules.padding": """
        CircularPad1d CircularPad2d CircularPad3d ConstantPad1d ConstantPad2d ConstantPad3d
        ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d
        ReplicationPad3d ZeroPad1d ZeroPad2d ZeroPad3d
    """,
    "torch.nn.modules.pixelshuffle": "PixelShuffle PixelUnshuffle",
    "torch.nn.modules.pooling": """
        AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d
        AdaptiveMaxPool3d AvgPool1d AvgPool2d AvgPool3d FractionalMaxPool2d FractionalMaxPool3d
        LPPool1d LPPool2d LPPool3d MaxPool1d MaxPool2d MaxPool3d MaxUnpool1d MaxUnpool2d
        MaxUnpool3d
    """,
    "torch.nn.modules.upsampling": "Upsample UpsamplingBilinear2d UpsamplingNearest2d",
}


def _table() -> dict[str, Layer]:
    table = {layer.name: layer for layer in _rows()}
    table |= {layer.name: layer for layer in _lazy_rows(table)}
    for name in sorted(NUMBERED | KEYED | OF_PARAMETERS):
        table[name] = Layer(name, "torch.nn.modules.container", "container")
    for module, names in _STATELESS.items():
        table |= {name: Layer(name, module, "stateless") for name in names.split()}
    table["DataParallel"] = Layer("DataParallel", "torch.nn.parallel.data_parallel", "container")
    return table


LAYERS: Final[Mapping[str, Layer]] = _table()
"""Every public layer of ``torch.nn`` by bare name; ``Module`` itself and the abstract bases
``Container``, ``RNNBase`` and ``RNNCellBase`` are not layers."""

_NO_DIGITS = str.maketrans("", "", "0123456789")
_PARAMETER_NAMES: Final = frozenset(
    parameter.name.rpartition(".")[2].translate(_NO_DIGITS)
    for layer in LAYERS.values()
    for parameter in (
        recurrent_parameters(layer, 1, bidirectional=True)
        if layer.kind == "recurrent"
        else layer.parameters
    )
)


def names_parameter(name: str) -> bool:
    """Whether some layer has a parameter of this name, whatever its numbers (``bias_hh_l7``)."""
    return name.translate(_NO_DIGITS) in _PARAMETER_NAMES

"""Arguments are found for the layers of torch, and for classes as people write them."""

from __future__ import annotations

import enum
import math
import random
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import pyro
import pytest
import torch
from torch import nn

from pyroify.decide.model import ClassPlan
from pyroify.verify import child
from pyroify.verify.compare.run import EntryCall, set_seed
from pyroify.verify.making import guess, inputs
from pyroify.verify.making.by_code import CodeCall, GuessedCode
from pyroify.verify.making.guess import (
    Arguments,
    Recipe,
    arguments_for_call,
    complete_arguments,
    guess_arguments,
)
from pyroify.verify.making.inputs import LARGEST, NoCall, find_call, given_call
from pyroify.verify.making.tree import Tree
from pyroify.verify.making.uninitialised import fill_uninitialised
from pyroify.verify.making.variants import Varied
from pyroify.verify.model import Build, Target


def found_call(cls: type[nn.Module], method: str = "forward") -> tuple[str, str]:
    """The arguments of the constructor and of the method, as reports show them."""
    for arguments in islice(guess_arguments(cls), 200):
        try:
            module = arguments.construct(cls)
            return str(arguments), find_call(module, method, math.inf)[1]
        except Exception:
            continue
    raise AssertionError(f"nothing found for {cls.__name__}")


LAYERS = {
    nn.Linear: "forward(input=float[2, 8])",
    nn.Bilinear: "forward(input1=float[2, 8], input2=float[2, 8])",
    nn.Embedding: "forward(input=int[2, 5])",
    nn.Conv1d: "forward(input=float[2, 8, 8])",
    nn.Conv2d: "forward(input=float[2, 8, 16, 16])",
    nn.Conv3d: "forward(input=float[2, 8, 4, 16, 16])",
    nn.ConvTranspose2d: "forward(input=float[2, 8, 16, 16])",
    nn.BatchNorm1d: "forward(input=float[2, 8])",
    nn.BatchNorm2d: "forward(input=float[2, 8, 16, 16])",
    nn.GroupNorm: "forward(input=float[2, 8])",
    nn.LayerNorm: "forward(input=float[2, 8])",
    nn.PReLU: "forward(input=float[2, 1])",
    nn.LSTM: "forward(input=float[2, 5, 8])",
    nn.Transformer: "forward(src=float[5, 2, 512], tgt=float[5, 2, 512])",
    nn.TransformerEncoderLayer: "forward(src=float[2, 5, 8])",
}


@pytest.mark.parametrize(("cls", "call"), LAYERS.items(), ids=lambda x: getattr(x, "__name__", ""))
def test_layers_of_torch(cls, call):
    assert found_call(cls)[1] == call


class Colour(enum.Enum):
    RED = 1


class Annotated(nn.Module):
    def __init__(
        self,
        sizes: list[int],
        rate: float,
        mode: Literal["mean", "sum"],
        colour: Colour,
        activation: Callable[[torch.Tensor], torch.Tensor],
        flag: bool,
        pair: tuple[int, int],
        maybe: int | None,
        inner: nn.Linear | None = None,
    ) -> None:
        super().__init__()
        assert (mode, colour) == ("mean", Colour.RED)
        self.net = nn.Sequential(*(nn.Linear(size, size) for size in sizes))

    def forward(self, x, mask=None):
        return self.net(x)


def test_annotations_decide():
    arguments, call = found_call(Annotated)
    assert "sizes=[8, 8], rate=0.1, mode='mean', colour=Colour.RED" in arguments
    assert call == "forward(x=float[2, 8])"


class Block(nn.Module):
    def __init__(self, planes):
        super().__init__()
        self.conv = nn.Conv2d(planes, planes, 3, padding=1)

    def forward(self, x):
        return self.conv(x)


class Tower(nn.Module):
    """A class handed in, a list of depths, and an image that is flattened in the end."""

    def __init__(self, block, layers, num_classes):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 1)
        self.blocks = nn.Sequential(*(block(4) for depth in layers for _ in range(depth)))
        self.head = nn.Linear(4 * 32 * 32, num_classes)

    def forward(self, image):
        return self.head(self.blocks(self.stem(image)).flatten(1))


def test_class_handed_in_and_side_of_the_image():
    arguments, call = found_call(Tower)
    assert arguments == "block=Block, layers=[2, 2, 2, 2], num_classes=8"
    assert call == "forward(image=float[2, 3, 32, 32])"


class Wrapper(nn.Module):
    def __init__(self, dim, fn):
        super().__init__()
        self.norm, self.fn = nn.LayerNorm(dim), fn

    def forward(self, x):
        return self.fn(self.norm(x))


def test_module_handed_in():
    assert found_call(Wrapper)[0] == "dim=8, fn=nn.Linear(8, 8)"


def test_both_sides_get_modules_of_their_own():
    arguments = next(guess_arguments(Wrapper))
    plain, converted = arguments.construct(Wrapper), arguments.construct(Wrapper, converted=True)
    assert type(plain.fn) is nn.Linear
    assert type(converted.fn).__name__ == "PyroLinear"
    assert torch.equal(plain.fn.weight, converted.fn.weight)


class Meta(type):
    """What cannot be joined with the metaclass of PyroModule."""


class Apart(nn.Linear, metaclass=Meta):
    pass


def test_a_module_that_cannot_be_one_of_pyros_is_handed_over_as_it_is():
    arguments = Arguments((8, Recipe("Apart(8, 8)", lambda: Apart(8, 8))))
    made = arguments.construct(Wrapper, converted=True)
    assert type(made.fn) is Apart


class HandsOn(Wrapper):
    def __init__(self, **options):
        super().__init__(**options)


def test_missing_keywords_are_read_from_the_error():
    arguments = next(guess_arguments(HandsOn))
    with pytest.raises(TypeError) as raised:
        arguments.construct(HandsOn)
    longer = complete_arguments(HandsOn, arguments, raised.value)
    assert str(longer[-1]) == "dim=8, fn=nn.Linear(8, 8)"
    longer[-1].construct(HandsOn)


class Levels(nn.Module):
    def __init__(self, net, width):
        super().__init__()
        self.nets = nn.ModuleList(net)


def test_a_layer_is_given_twice_where_several_are_asked_for():
    with pytest.raises(TypeError) as raised:
        (first := next(guess_arguments(Levels))).construct(Levels)
    able = complete_arguments(Levels, first, raised.value)
    assert "net=[nn.Linear(8, 8), nn.Linear(8, 8)], width=8" in map(str, able)
    able[-1].construct(Levels)


class OfSettings(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.fc = nn.Linear(config.hidden_size, config["num_labels"])
        self.drop = nn.Dropout(config.get("hidden_dropout_prob", 0.5))

    def forward(self, x):
        return self.drop(self.fc(x))


def test_a_configuration_has_what_it_is_asked_for():
    assert found_call(OfSettings) == ("config=Settings()", "forward(x=float[2, 8])")


class OfOtherKinds(nn.Module):
    def __init__(self, widgets, thing, plan, order):
        super().__init__()
        self.fc = nn.Linear(widgets[0], len(widgets))
        self.register_buffer("order", order.float())
        self.thing = thing(3)
        self.rate = plan.rate

    def forward(self, x):
        return self.fc(x)


def test_an_argument_gets_the_kind_that_the_constructor_asks_for():
    tries = [next(guess_arguments(OfOtherKinds))]
    for _ in range(40):
        try:
            tries[-1].construct(OfOtherKinds)
            break
        except Exception as error:
            tries += complete_arguments(OfOtherKinds, tries.pop(), error)
    assert str(tries[-1]) == (
        "widgets=(8, 8), thing=<class 'torch.nn.modules.linear.Identity'>, "
        "plan=Settings(), order=torch.rand(8)"
    )


class ConvolvedStates(nn.Module):
    """A cell whose state another method makes; its kernel has two sides, and is one per layer."""

    def __init__(self, channels, kernel_size, num_layers):
        super().__init__()
        if not isinstance(kernel_size, tuple):
            raise ValueError("`kernel_size` must be tuple or list of tuples")
        self.sizes = [channels] * num_layers
        self.padding = kernel_size[0] // 2, kernel_size[1] // 2
        self.conv = nn.Conv2d(2 * channels, channels, kernel_size, padding=self.padding)

    def forward(self, frame, current_state):
        hidden, cell = current_state
        return self.conv(torch.cat([frame, hidden], 1)) + cell

    def init_hidden(self, batch_size, image_size):
        height, width = image_size
        shape = batch_size, self.conv.out_channels, height, width
        return torch.zeros(shape), torch.zeros(shape)


class Characters(nn.Module):
    def __init__(self, num_tokens, hidden_size, n_layers=1):
        super().__init__()
        self.encoder = nn.Embedding(num_tokens, hidden_size)
        self.rnn = nn.GRU(hidden_size, hidden_size, n_layers)
        self.start = nn.Parameter(torch.zeros(n_layers, 1, hidden_size))

    def forward(self, input, hidden):
        return self.rnn(self.encoder(input).view(1, len(input), -1), hidden)

    def init_hidden(self, batch_size):
        return self.start.expand(-1, batch_size, -1)


class Started(Characters):
    def forward(self, x, h):
        return self.rnn(x, h)

    def init_hidden(self):
        return self.start.expand(-1, 2, -1)


class Film(nn.Module):
    def __init__(self, stride: tuple[int, int]):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=stride // 2)

    def forward(self, frames):
        frames = frames.permute(1, 0, 2, 3, 4)
        return torch.stack([self.conv(frame) for frame in frames])


@pytest.mark.parametrize(
    ("cls", "arguments", "call"),
    [
        (
            ConvolvedStates,
            "channels=8, kernel_size=(3, 3), num_layers=2",
            "forward(frame=float[2, 8, 8, 16], "
            "current_state=(float32[2, 8, 8, 16], float32[2, 8, 8, 16]))",
        ),
        (
            Characters,
            "num_tokens=16, hidden_size=8",
            "forward(input=int[2, 1], hidden=float32[1, 2, 8])",
        ),
        (
            Started,
            "num_tokens=16, hidden_size=8",
            "forward(x=float[2, 2, 8], h=float32[1, 2, 8])",
        ),
        (Film, "stride=8", "forward(frames=float[2, 5, 8, 16, 16])"),
    ],
)
def test_sizes_by_dimension_and_states_that_a_method_makes(cls, arguments, call):
    tries = [next(guess_arguments(cls))]
    for _ in range(20):
        try:
            module = tries[-1].construct(cls)
            break
        except Exception as error:
            tries += complete_arguments(cls, tries.pop(), error)
    assert (str(tries[-1]), find_call(module, "forward", math.inf)[1]) == (arguments, call)


class Reordered(nn.Module):
    def __init__(self, conv, permutation):
        super().__init__()
        self.conv = conv
        self.register_buffer("permutation", permutation)

    def forward(self, image):
        return torch.index_select(self.conv(image), 1, self.permutation)


def test_indices_and_convolutions_are_known_by_their_names():
    assert found_call(Reordered)[0] == "conv=nn.Conv2d(8, 8, 1), permutation=torch.arange(8)"


class OfOptions(nn.Module):
    def __init__(self, width, mode):
        super().__init__()
        if mode not in ("near", "far"):
            raise ValueError(f"mode is \"{mode}\", but should be one of ('near', 'far')")


def test_an_argument_gets_what_the_constructor_lists():
    arguments = Arguments((), {"width": 8, "mode": "relu"})
    with pytest.raises(ValueError, match="mode is") as raised:
        arguments.construct(OfOptions)
    assert str(complete_arguments(OfOptions, arguments, raised.value)[-1]) == "width=8, mode='near'"


class Ranked(nn.Module):
    """Degrees are compared as a tensor, and of sizes there is one more than of kernels."""

    def __init__(self, degrees, channels, kernels):
        super().__init__()
        self.fc = nn.Linear(len(degrees), 2)
        self.register_buffer("mask", torch.arange(2)[:, None] >= degrees)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(channels[i], channels[i + 1], kernel, padding=kernel // 2)
            for i, kernel in enumerate(kernels)
        )


class Speakers(nn.Module):
    def __init__(self, channels=512, speaker_dim=128):
        super().__init__()
        assert channels == speaker_dim


def test_two_arguments_that_have_to_be_equal_are_made_so():
    arguments = next(guess_arguments(Speakers))
    with pytest.raises(AssertionError) as raised:
        arguments.construct(Speakers)
    able = complete_arguments(Speakers, arguments, raised.value)
    assert list(map(str, able)) == ["speaker_dim=512", "channels=128"]
    able[-1].construct(Speakers)


class Around(nn.Module):
    def __init__(self, ranked: Ranked):
        super().__init__()
        self.ranked = ranked


def test_a_list_gets_longer_and_a_tensor_takes_the_place_of_one():
    tries = [next(guess_arguments(Ranked))]
    for _ in range(40):
        try:
            tries[-1].construct(Ranked)
            break
        except Exception as error:
            tries += complete_arguments(Ranked, tries.pop(), error)
    assert str(tries[-1]) == "degrees=torch.arange(8), channels=(8, 8, 8), kernels=(3, 3)"


def test_an_instance_that_is_handed_in_gets_arguments_that_do():
    arguments = next(guess_arguments(Around))
    assert isinstance(arguments.construct(Around).ranked, Ranked)


def test_memory_that_nobody_filled_is_no_matter_of_chance():
    layer = nn.Linear(3, 2)
    layer.mask = nn.Parameter(torch.ones(3, dtype=torch.bool), requires_grad=False)
    with torch.no_grad():
        layer.weight[0] = torch.tensor([math.nan, math.inf, 1e30])
        kept = layer.weight[1].clone()
    assert fill_uninitialised(layer) is layer
    assert layer.weight[0].abs().max() <= 0.5
    assert layer.weight[1].equal(kept)
    lazy = nn.LazyLinear(2)
    assert fill_uninitialised(lazy) is lazy


class Delegate(nn.Module):
    """It is built with anything, and complains when it is called."""

    def __init__(self, main_part, width):
        super().__init__()
        self.main_part = main_part

    def forward(self, x):
        return self.main_part(x)


def test_what_a_call_complains_of_mends_the_argument_that_it_names():
    arguments = next(guess_arguments(Delegate))
    with pytest.raises(NoCall) as raised:
        find_call(arguments.construct(Delegate), "forward", math.inf)
    others = arguments_for_call(Delegate, arguments, raised.value.__cause__)
    assert "main_part=nn.Linear(8, 8), width=8" in map(str, others)
    assert all("width=8" in str(other) for other in others)


class OfBatches(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, 2)

    def forward(self, batch):
        return self.fc(batch["image"]) + batch["offset"].mean()


class OfKeywords(OfBatches):
    def forward(self, **data):
        return self.fc(data["image"]) + helped(data)


def helped(data):
    return data["offset"].mean()


class OfTwoWidths(nn.Module):
    def __init__(self, channels, features):
        super().__init__()
        self.first = nn.Conv1d(2 * channels, 3, 1)
        self.second = nn.Conv1d(4 * features, 3, 1)

    def forward(self, x, condition):
        return self.first(x) + self.second(condition)


class Decoder(nn.Module):
    """The first input is tokens, which no name says; the other one numbers."""

    def __init__(self, vocab_size, width):
        super().__init__()
        self.start = nn.Parameter(torch.zeros(width))
        self.embedding = nn.Embedding(vocab_size, width)
        self.attention = nn.Linear(width, width)

    def forward(self, x, xa):
        rows, steps, _ = xa.shape
        return self.embedding(x).sum(1)[:, None] + self.attention(xa.view(rows, steps, -1))


class Resized(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, 2, 1)

    def forward(self, x, size):
        return nn.functional.interpolate(self.conv(x), size=size)


class OfPrecisions(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.rate = nn.Parameter(torch.tensor(0.5, dtype=torch.float64))
        self.fc = nn.Linear(width, 2)

    def forward(self, x):
        return self.fc(x) * self.rate


class Padded(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv1d(channels, 2, 3)

    def forward(self, x):
        return nn.functional.pad(self.conv(x), (20, 20), mode="reflect")


class OfWaves(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, 2)

    def forward(self, x):
        return torch.complex(self.fc(x.real), self.fc(x.imag))


@pytest.mark.parametrize(
    ("cls", "call"),
    [
        (OfBatches, "forward(batch={'image': float[2, 8], 'offset': float[2, 8]})"),
        (OfKeywords, "forward(data={'image': float[2, 8], 'offset': float[2, 8]})"),
        (OfTwoWidths, "forward(x=float[2, 16, 16], condition=float[2, 32, 16])"),
        (Decoder, "forward(x=int[8, 5], xa=float[8, 5, 8])"),
        (Resized, "forward(x=float[2, 8, 16, 16], size=(16, 16))"),
        (OfPrecisions, "forward(x=float[2, 8])"),
        (Padded, "forward(x=float[2, 8, 32])"),
        (OfWaves, "forward(x=complex[2, 8])"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_dicts_inputs_of_their_own_widths_and_complex_numbers(cls, call):
    assert found_call(cls)[1] == call


class Sentence(nn.Module):
    def __init__(self, vocab_size, d_model):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model)

    def forward(self, tokens, mask):
        return self.embedding(tokens) * mask[..., None]

    def score(self, tokens):
        return self.embedding(tokens).sum()

    @property
    def norm(self):
        return self.embedding.weight.norm()


def test_tokens_masks_other_methods_and_properties():
    assert found_call(Sentence)[1] == "forward(tokens=int[2, 5], mask=bool[2, 5])"
    assert found_call(Sentence, "score")[1] == "score(tokens=int[2, 5])"
    assert found_call(Sentence, "norm")[1] == "norm"


class Picky(nn.Module):
    def forward(self, x):
        raise ValueError("never")


def test_no_input_of_millions_of_numbers_is_tried():
    sizes = []

    class Grows(nn.Module):
        def forward(self, x):
            sizes.append(x.numel())
            raise ValueError(f"size {x.shape[0]} is not {x.shape[0] * 1000}")

    with pytest.raises(NoCall, match="ValueError"):
        find_call(Grows(), "forward", math.inf)
    assert 100_000 < max(sizes) <= LARGEST


class Searches(nn.Module):
    def start(self):
        while True:
            pass


def test_a_method_that_computes_too_long_is_no_entry_point(monkeypatch):
    monkeypatch.setattr(inputs, "METHOD_SECONDS", 0.2)
    with pytest.raises(NoCall, match=r"takes longer than 0\.2 s"):
        find_call(Searches(), "start", math.inf)


def test_seeds_draw_as_those_of_pyro_do():
    drawn = []
    for seed in (pyro.set_rng_seed, set_seed):
        seed(3)
        drawn.append((torch.rand(()).item(), random.random(), np.random.rand()))
    assert drawn[0] == drawn[1]


def test_first_error_is_told_if_nothing_runs():
    with pytest.raises(NoCall, match="ValueError: never"):
        find_call(Picky(), "forward", math.inf)


def test_text_of_a_shape_is_a_tensor():
    call, label = given_call(("float[2, 3]", "int[4]", 7))
    assert [getattr(value, "shape", value) for value in call.args] == [(2, 3), (4,), 7]
    assert call.args[1].dtype == torch.int64
    assert label == "forward(float[2, 3], int[4], 7)"


@pytest.mark.parametrize("cls", [nn.LSTM, Annotated, Tower])
def test_guesses_are_the_same_every_time(cls):
    first, second = (list(map(str, islice(guess_arguments(cls), 50))) for _ in range(2))
    assert first == second
    assert len(set(first)) == len(first)


class HandedIn(nn.Module):
    def __init__(self) -> None:
        super().__init__()


class Holder(nn.Module):
    def __init__(self, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn


class Outer(nn.Module):
    class Inner(nn.Module):
        def __init__(self, width):
            super().__init__()


def test_a_class_within_a_class_is_handed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guess, "_GIVEN", {})
    given = (("fn", f"{__name__}:Outer.Inner"),)
    guess.take_given([ClassPlan(__name__, "Holder", "", 0, 0, "converted", given=given)])
    made = next(guess.guess_arguments(Holder)).construct(Holder)
    assert isinstance(made.fn, Outer.Inner)


def test_what_the_project_hands_a_class_comes_before_any_guess(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guess, "_GIVEN", {})
    assert isinstance(next(guess.guess_arguments(Holder)).construct(Holder).fn, nn.Linear)
    given = (("fn", f"{__name__}:HandedIn"),)
    guess.take_given([ClassPlan(__name__, "Holder", "", 0, 0, "converted", given=given)])
    made = [arguments.construct(Holder).fn for arguments in guess.guess_arguments(Holder)]
    assert made and all(isinstance(module, HandedIn) for module in made)


def test_no_more_recorded_builds_are_tried_than_are_compared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tried: list[Arguments] = []

    def as_noted(cls: type, arguments: Arguments, made: list, target: Target) -> object:
        tried.append(arguments)
        call = Varied(EntryCall("forward"), {})
        return child.OriginalRun(arguments, {"forward()": call} if len(tried) > 1 else {})

    monkeypatch.setattr(child, "_as_noted", as_noted)
    monkeypatch.setattr(child.RecordedArguments, "read", lambda note, imports: Arguments())
    trees = {"original": Tree(tmp_path), "rewritten": Tree(tmp_path)}
    build = Build(recorded=tuple((f"build {number}", ()) for number in range(8)))
    runs, _ = child.Verifier(trees, None, tmp_path)._recorded(
        nn.Linear, Target("nets", "Net", "nets.py", build)
    )
    assert (len(runs), len(tried)) == (3, 4)  # the first showed no call


@pytest.mark.parametrize("seconds", [-1.0, math.inf])
def test_what_there_is_no_time_for_is_said(
    seconds: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = "from torch import nn\n\n\nclass Timed(nn.Linear):\n    pass\n"
    (tmp_path / "timed_nets.py").write_text(source)
    monkeypatch.setattr(child, "_VARIANT_SECONDS", seconds)
    monkeypatch.setattr(child.Verifier, "_note_parts", lambda *ignored: None)  # it would fork
    trees = {"original": Tree(tmp_path), "rewritten": Tree(tmp_path)}
    target = Target("timed_nets", "Timed", "timed_nets.py")
    result = child.Verifier(trees, None, tmp_path).verify(target, lambda stage: None)
    assert result.status == "equal", result.reason
    assert result.left_out == ((child.OUT_OF_TIME,) if seconds < 0 else ())


@pytest.mark.parametrize("compared", [0.0, math.inf])
def test_a_call_that_takes_all_the_time_there_is_has_no_variants(
    compared: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "_COMPARED", compared)
    call = CodeCall("forward", "import torch\nargs = (torch.ones(2, 3),)")
    target = Target("nets", "Net", "nets.py")
    run = child._as_noted(nn.Linear, GuessedCode("args = (3, 1)"), [call], target)
    (varied,) = run.calls.values()
    assert (varied.cut, not varied.variants) == (bool(compared), bool(compared))

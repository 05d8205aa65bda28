"""Data sets, loaders and batches of many kinds, and networks for them."""

import pyro.distributions as dist
import torch
from pyro.nn import PyroModule
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, IterableDataset, SubsetRandomSampler

from models.networks import add_priors
from models.own import dice, layers

X = torch.randn(90, 3, generator=dice())
Y = 2 * X[:, 0] + 0.1 * torch.randn(90, generator=dice(1))


class Augmented(Dataset):
    """Rows that are a little different whenever they are read; ``reads`` counts each."""

    reads = torch.zeros(90)

    def __len__(self):
        return 90

    def __getitem__(self, number):
        self.reads[number] += 1
        return X[number] + 0.05 * torch.randn(3), Y[number]


def loader():
    return DataLoader(Augmented(), batch_size=20, shuffle=True)


def drawing_by_itself():
    return DataLoader(Augmented(), batch_size=20, shuffle=True, generator=dice(5))


def with_workers():
    return DataLoader(Augmented(), batch_size=30, shuffle=True, num_workers=1)


def some_rows():
    return DataLoader(Augmented(), batch_size=20, sampler=SubsetRandomSampler(range(60)))


def stateful():
    from torchdata.stateful_dataloader import StatefulDataLoader

    return StatefulDataLoader(Augmented(), batch_size=20, shuffle=True)


class Endless(IterableDataset):
    """Rows that have no number, of which an epoch has 80."""

    def __iter__(self):
        for number in range(80):
            yield X[number], Y[number]


def batches_of_arrays():
    """What is no loader of torch, but gives batches."""
    return Batches()


class Batches:
    def __iter__(self):
        for start in range(0, 90, 30):
            yield X[start : start + 30].numpy(), Y[start : start + 30].numpy()


def parts():
    return {"train": loader(), "test": (X[60:], Y[60:])}


def items():
    return DataLoader(Augmented(), batch_size=None)


class Broken(Augmented):
    def __getitem__(self, number):
        if number == 7:
            raise OSError("no row 7")
        return super().__getitem__(number)


class OneTensor(Augmented):
    def __getitem__(self, number):
        return X[number]


# ---- mappings in, mappings out -------------------------------------------------------


class Columns(Dataset):
    """Numbers, categories and a mask, by name."""

    def __len__(self):
        return 90

    def __getitem__(self, number):
        city = torch.tensor(number % 3)
        inputs = {"num": X[number], "city": city, "seen": X[number] > -9}
        return inputs, Y[number] + city


class ByName(PyroModule):
    def __init__(self):
        super().__init__()
        self.cities = PyroModule[nn.Embedding](3, 2)
        self.head = PyroModule[nn.Linear](5, 2)
        add_priors(self)

    def forward(self, batch):
        if batch["seen"].dtype != torch.bool:
            raise TypeError("a mask is of bool")
        parts = [batch["num"] * batch["seen"], self.cities(batch["city"])]
        mean, raw = self.head(torch.cat(parts, 1)).unbind(1)
        return {"mean": mean, "var": functional.softplus(raw) + 0.01}


class InOneMapping(Columns):
    def __getitem__(self, number):
        inputs, price = super().__getitem__(number)
        return {**inputs, "price": price}


# ---- tokens with lengths ---------------------------------------------------------------


class Packed(PyroModule):
    def __init__(self):
        super().__init__()
        self.words = PyroModule[nn.Embedding](6, 4)
        self.cell = PyroModule[nn.GRU](4, 4, batch_first=True)
        self.head = PyroModule[nn.Linear](4, 2)
        add_priors(self)

    def forward(self, tokens, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(
            self.words(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        return self.head(self.cell(packed)[1][-1])


def sentences():
    lengths = torch.randint(1, 6, (90,), generator=dice())
    tokens = torch.randint(1, 6, (90, 5), generator=dice(1))
    tokens[torch.arange(5)[None] >= lengths[:, None]] = 0
    return (tokens, lengths), (tokens == 3).any(1).long()


# ---- objects -----------------------------------------------------------------------------


class Graphs:
    """Some graphs as one, as graph libraries have it."""

    def __init__(self, numbers, is_told=True):
        if is_told:
            self.batch_size = len(numbers)
        self.nodes = X[numbers].repeat_interleave(2, 0)
        self.graph = torch.arange(len(numbers)).repeat_interleave(2)
        self.y = Y[numbers]
        self.count = len(numbers)


class GraphLoader:
    """Each row is in one of its batches."""

    def __init__(self, is_told=True):
        self.is_told = is_told

    def __iter__(self):
        for part in torch.arange(90).split(30):
            yield Graphs(part, self.is_told)


def graphs():
    return GraphLoader()


def untold_graphs():
    return GraphLoader(is_told=False)


class OfGraphs(PyroModule):
    def __init__(self):
        super().__init__()
        self.net = layers(3, 1)

    def forward(self, graphs):
        out = self.net(graphs.nodes)[:, 0]
        return out.new_zeros(len(graphs.y)).index_add(0, graphs.graph, out) / 2


def graph_evidence(net, graphs):
    return dist.Normal(net(graphs), 0.3).log_prob(graphs.y)


# ---- rows of many lengths ------------------------------------------------------------------


class Ragged(Augmented):
    def __getitem__(self, number):
        return X[number].expand(1 + number % 4, 3)


def nested():
    def as_nested(rows):
        return torch.nested.nested_tensor(rows, layout=torch.jagged)

    return DataLoader(Ragged(), batch_size=30, shuffle=True, collate_fn=as_nested)


def ragged_evidence(net, rows):
    """Each row's first number from its others, at each of its places."""
    errors = net(rows.values())[:, 0] - rows.values()[:, 0]
    place = torch.repeat_interleave(torch.arange(rows.size(0)), rows.offsets().diff())
    each = dist.Normal(0.0, 0.3).log_prob(errors)
    return each.new_zeros(rows.size(0)).index_add(0, place, each)


# ---- one graph, of which some nodes are trained on ----------------------------------------


class OfNodes(PyroModule):
    def __init__(self):
        super().__init__()
        self.net = layers(3, 2)

    def forward(self, x, edges):
        return edges @ self.net(x)


def one_graph():
    edges = torch.eye(90) + 0.1
    train = torch.arange(90) < 60
    nodes = {"x": X, "edges": edges, "label": (X[:, 0] > 0).long()}
    return {"train": {**nodes, "mask": train}, "test": {**nodes, "mask": ~train}}


def node_classes(net, batch):
    each = dist.Categorical(logits=net(batch["x"], batch["edges"])).log_prob(batch["label"])
    return each[batch["mask"]]

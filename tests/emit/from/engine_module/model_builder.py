from torch import nn


class TinyNet(nn.Module):
    def __init__(self, input_shape: int, hidden_units: int, output_shape: int) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Linear(input_shape, hidden_units), nn.ReLU())
        self.classifier = nn.Linear(hidden_units, output_shape)

    def forward(self, x):
        return self.classifier(self.block(x))

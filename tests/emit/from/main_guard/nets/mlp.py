from torch import nn


class Discriminator(nn.Module):
    def __init__(self, in_dim):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(in_dim, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1), nn.Sigmoid()
        )

    def forward(self, x):
        return self.body(x)

class Config:
    """All settings of a training."""

    def __init__(self, hidden=12):
        self.n_features = 4
        self.hidden = hidden
        self.lr = 5e-3
        self.epochs = 40
        self.batch_size = 16
        self.device = "cuda"


cfg = Config(hidden=8)

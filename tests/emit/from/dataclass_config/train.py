"""A dataclass of settings; words and their lengths go to forward by name."""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader


@dataclass
class TrainConfig:
    vocabulary: int = 20
    width: int = 8
    classes: int = 3
    learning_rate: float = 2e-3
    batch_size: int = 16
    max_epochs: int = 6
    betas: tuple = field(default_factory=lambda: (0.9, 0.95))


class TextModel(nn.Module):
    def __init__(self, config: TrainConfig):
        super().__init__()
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        self.head = nn.Linear(config.width, config.classes)

    def forward(self, input_ids, attention_mask):
        mask = attention_mask.unsqueeze(-1).float()
        pooled = (self.embedding(input_ids) * mask).sum(1) / mask.sum(1)
        return {"logits": self.head(pooled)}


def load_examples(config: TrainConfig, count: int):
    generator = torch.Generator().manual_seed(count)
    examples = []
    for _ in range(count):
        length = int(torch.randint(2, 6, (1,), generator=generator))
        words = torch.randint(1, config.vocabulary, (length,), generator=generator)
        examples.append((words, int(words[0]) % config.classes))
    return examples


def collate(examples):
    ids = torch.zeros(len(examples), 6, dtype=torch.long)
    for row, (words, _) in enumerate(examples):
        ids[row, : len(words)] = words
    labels = torch.tensor([label for _, label in examples])
    return {"input_ids": ids, "attention_mask": ids > 0, "labels": labels}


def train(config: TrainConfig) -> TextModel:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    loader = DataLoader(
        load_examples(config, 90), config.batch_size, shuffle=True, collate_fn=collate
    )
    model = TextModel(config).to(device)
    model = torch.compile(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, betas=config.betas)
    scaler = torch.amp.GradScaler(device, enabled=device == "cuda")
    for epoch in range(config.max_epochs):
        for batch in loader:
            batch = {key: value.to(device) for key, value in batch.items()}
            with torch.autocast(device, enabled=device == "cuda"):
                outputs = model(
                    input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
                )
                loss = F.cross_entropy(outputs["logits"], batch["labels"])
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad(set_to_none=True)
    return model


if __name__ == "__main__":
    train(TrainConfig(width=6))

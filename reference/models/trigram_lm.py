"""The fourth word from the three before it, in any order: the pair `trigram-lm`."""

from torch import Tensor, nn


class TrigramLM(nn.Module):
    """Tokens (N, 3) -> logits over the words (N, words); the embeddings are summed."""

    def __init__(self, words: int = 250, embedding: int = 16, hidden: int = 128) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, embedding)
        self.fc1 = nn.Linear(embedding, hidden)
        self.sigmoid = nn.Sigmoid()
        self.fc2 = nn.Linear(hidden, words)

    def forward(self, tokens: Tensor) -> Tensor:
        total = self.embedding(tokens).sum(dim=1)  # (N, 3, D) -> (N, D)
        return self.fc2(self.sigmoid(self.fc1(total)))

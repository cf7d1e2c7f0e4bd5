"""A layer of the vision transformer (Dosovitskiy et al., ICLR 2021) on maps of any size: every place sees every other.

Attention knows no places. A learned table of them, as published, is tied to one size of slice, and stretched to another it tells of
distances that training never had. Here a 3 x 3 convolution of each map by itself says what lies beside what (conditional positional
encoding, Chu et al., ICLR 2023): it is the same at any size and anywhere in a slice, of which a tile is an arbitrary piece.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class Transformer(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.place = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)
        self.norm = nn.LayerNorm(dim)
        self.query_key_value = nn.Linear(dim, 3 * dim)
        self.mixed = nn.Linear(dim, dim)
        self.after = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x: Tensor) -> Tensor:  # (b, dim, y, x), and out
        x = x + self.place(x)
        tokens: Tensor = x.flatten(2).transpose(1, 2)  # (b, y * x, dim)
        tokens = tokens + self.attention(self.norm(tokens))
        tokens = tokens + self.after(tokens)
        return tokens.transpose(1, 2).reshape(x.shape)

    def attention(self, tokens: Tensor) -> Tensor:
        split = self.query_key_value(tokens).unflatten(2, (3, self.heads, -1))  # (b, n, 3, heads, dim / heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value)  # (b, heads, n, dim / heads)
        mixed: Tensor = self.mixed(seen.transpose(1, 2).flatten(2))
        return mixed


def check_heads(dim: int, heads: int) -> None:
    if dim % heads:
        raise ValueError(f"expected dim as a multiple of heads, got {dim} and {heads}; 32 or 64 a head are usual")

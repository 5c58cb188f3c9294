"""A cache of keys and values that grows in place; transformers' own copies all of it at every token.

Knows transformers' cache layers; not what is generated.
"""

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer

ROOM = 64  # columns allocated ahead


class RoomyLayer(DynamicLayer):
    """A layer whose `keys` and `values`, `[row, head, column, dim]`, are the filled beginnings of larger `buffers`."""

    buffers: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs) -> tuple[Tensor, Tensor]:
        """Append columns; returns all keys and all values so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        end = start + key_states.shape[2]
        if self.buffers is None or self.buffers[0].shape[2] < end:
            self.buffers = tuple(with_room(old, new, start, end) for old, new in ((self.keys, key_states), (self.values, value_states)))
        for buffer, new in zip(self.buffers, (key_states, value_states), strict=True):
            buffer[:, :, start:end] = new
        self.keys, self.values = (buffer[:, :, :end] for buffer in self.buffers)
        return self.keys, self.values

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Take rows `beam_idx`, any number of them; they get buffers of their own with the next column."""
        super().reorder_cache(beam_idx)
        self.buffers = None


def with_room(old: Tensor, new: Tensor, start: int, end: int) -> Tensor:
    buffer = new.new_empty(*new.shape[:2], end + ROOM, new.shape[3])
    if start:
        buffer[:, :, :start] = old
    return buffer


def with_rows_of(caches) -> DynamicCache:
    """The first cache, with the rows of the others after its own; all have seen equally many columns."""
    first, *others = caches
    if not others:
        return first
    for number, layer in enumerate(first.layers):
        parts = [cache.layers[number] for cache in caches]
        layer.keys, layer.values = (torch.cat([getattr(part, name) for part in parts]) for name in ("keys", "values"))
        if isinstance(layer, RoomyLayer):
            layer.buffers = None
    return first


def growing_cache(config) -> DynamicCache:
    """An empty cache for a network of this configuration; layers of other kinds (sliding windows) are transformers' own."""
    cache = DynamicCache(config=config)
    cache.layers = [RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache

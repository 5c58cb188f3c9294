"""A network opened as a residual stream: encode, read, write, unembed.

Knows one network and its tokenizer; not where they came from (`load`) nor whether they may be trusted (`prove`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from semhub.models import read, senses
from semhub.models.head import Head
from semhub.models.read import BATCH_TOKENS, Batch
from semhub.models.structure import Parts, input_device
from semhub.models.where import Encoding, Where
from semhub.types import Input

if TYPE_CHECKING:
    from semhub.models.generate import Ask, Generation
    from semhub.models.prove import Certificate
    from semhub.models.write import Edit


@dataclass(frozen=True, eq=False)
class Model:
    """A decoder-only language model, with towers beside it or without; what is read and written is the language trunk alone.

    Inputs are texts, or (with a `processor`) texts in which an image or a sound stands at its mark: `Form(type, text, media=...)`.
    Layers: 0 is what enters block 1, k the output of block k, L (`layers`) the output of the last block before the final norm.
    `role`: `hub` or `control:...` of bundled and grown models, `mechanics` of random weights (`roles.py`), else nothing;
    `certificate` is None until the model has been proved.
    """

    name: str
    revision: str | None
    network: Any = field(repr=False)
    tokenizer: Any = field(repr=False)
    parts: Parts
    head: Head = field(repr=False)
    role: str | None = None
    certificate: "Certificate | None" = field(default=None, repr=False)
    hashing: Callable[[], str] = field(default=lambda: "", repr=False)
    processor: Any = field(default=None, repr=False)

    @cached_property
    def senses(self) -> tuple[str, ...]:
        """The kinds of media that the model takes beside text: `image`, `audio`."""
        return senses.senses_of(self.parts.causal.config) if self.processor is not None else ()

    @property
    def writes_images(self) -> bool:
        """Whether images are written in tokens of the model's own vocabulary, by a code book."""
        return getattr(self.parts.causal.config, "vq_config", None) is not None

    @cached_property
    def patches_in_order(self) -> bool:
        """Whether image positions are patches, row by row; found by trying, when first asked for."""
        return senses.patches_in_order(self)

    @property
    def layers(self) -> int:
        return len(self.parts.blocks)

    @property
    def dim(self) -> int:
        return self.parts.dim

    @property
    def vocab(self) -> int:
        return self.head.vocab

    @property
    def dtype(self) -> torch.dtype:
        return self.parts.dtype

    @property
    def device(self) -> torch.device:
        """Where token ids go in."""
        return input_device(self.parts.embedding)

    @property
    def context(self) -> int | None:
        """The most tokens that the network takes at once; None where its configuration sets no limit."""
        config = getattr(self.parts.causal, "config", None)
        limit = getattr(config.get_text_config() if hasattr(config, "get_text_config") else config, "max_position_embeddings", None)
        return limit if isinstance(limit, int) and limit > 0 else None

    @cached_property
    def weights_hash(self) -> str:
        """sha256 of the weights, computed when first asked for: of the safetensors files, or of what is in memory."""
        return self.hashing()

    def encode(self, texts: Sequence[Input], special: bool = True) -> list[Encoding]:
        """Texts as `tokenizer(text)` gives them, with special tokens or (`special=False`) without any; media by the processor."""
        return senses.encode_all(self, texts, special)

    def token_ids(self, inputs: Sequence[Input], special: bool = True) -> list[list[int]]:
        """The ids of each input, placeholders of media among them; no tower is run."""
        return senses.ids_of(self, inputs, special)

    def stream(
        self, texts: Sequence[Input], at: Where, layers: Sequence[int] | None = None, batch_tokens: int = BATCH_TOKENS, special: bool = True
    ) -> Iterator[Batch]:
        """Raw residual states at `at`, batch by batch, longest texts first: `states: [layer, row, dim]`, float32 on the CPU.

        A batch has at most `batch_tokens` tokens, padding included (one text at least), and costs `[layers, rows, dim]`;
        blocks above the highest layer asked for do not run, nor does the head. Raises BadInput for a position that is
        not in a text, a layer that the model does not have, or a text without tokens or beyond the context.
        """
        return read.stream(self, texts, at, layers, batch_tokens, special)

    def read(
        self,
        texts: Sequence[Input],
        at: Where = "last",
        layers: Sequence[int] | None = None,
        batch_tokens: int = BATCH_TOKENS,
        special: bool = True,
        progress: Callable[[int, int], None] | None = None,
    ) -> Tensor:
        """`[layer, item, dim]`, float32 on the CPU: one raw state per text and layer. Raises as `stream`."""
        return read.read_at(self, texts, {"": at}, layers, batch_tokens, special, progress)[""]

    def read_at(
        self,
        texts: Sequence[Input],
        ats: Mapping[str, Where],
        layers: Sequence[int] | None = None,
        batch_tokens: int = BATCH_TOKENS,
        special: bool = True,
        progress: Callable[[int, int], None] | None = None,
    ) -> dict[str, Tensor]:
        """Several positions from one pass: `[layer, item, dim]` under each name. `progress(done, total)` counts texts."""
        return read.read_at(self, texts, ats, layers, batch_tokens, special, progress)

    def unembed(self, hidden: Tensor, norm: str = "final") -> Tensor:
        """`hidden: [row, dim]` -> [row, vocab], the logits of raw states, with the final norm or (`norm="none"`) without."""
        return self.head.logits(self.head.norm(hidden) if norm == "final" else hidden)

    def edit(self, *edits: "Edit") -> AbstractContextManager[None]:
        """While it lasts, every pass of the network is edited."""
        from semhub.models.write import editing

        return editing(self, edits)

    def generate(self, prompts: Sequence[Input], **wanted) -> "list[Generation]":
        """Continuations under edits; the keywords are those of `models.generate.generate`."""
        from semhub.models.generate import generate

        return generate(self, prompts, **wanted)

    def generate_all(self, asks: "Sequence[Ask]", **wanted) -> "list[list[Generation]]":
        """Several sweeps as rows of the same batches; see `models.generate.generate_all`."""
        from semhub.models.generate import generate_all

        return generate_all(self, asks, **wanted)

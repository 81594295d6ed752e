"""The seam between the worker and a model family: what an adapter must offer.

An adapter module has a `load(folder, device, dtype) -> Adapter`: a function, or the adapter's class. Options that a
user may choose are further arguments of it, by keyword and with defaults: `size`, a picture's height and width in
pixels; `quantize` and `gpus`, which `library.load_model` takes. What a family does not declare is refused by its name.
Everything about the family that decoding must know is data of its card; the orchestrator knows no family by name.

A module may also have `parts(folder)`: what can be looked at in a folder part by part, as functions that raise a
`StartupError` each. `sjd2 check-model` calls them all, so that it names all that is missing; `load` ends at the first.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import RequestError, StartupError

ModelCard = dict[str, Any]  # ModelCard of protocol/schema.json

# a slot's room for a prompt, where nobody asks for more; `Slots.grow` makes it larger
PROMPT_CELLS = 256

# behind the image's last position: room for 128 drafts beside the chain, each with a token behind it that is forced
SPARE_CELLS = 256

Parts = tuple[Callable[[], object], ...]  # each raises a StartupError where something is wrong

Encode = Callable[[Tensor], Tensor]  # RGB pictures uint8 [B, height, width, 3] to codes int64 [B, rows * columns]

# attend(layer, q, k, v): q [1, N, heads, head_width], k and v [1, N, key_heads, head_width] -> like q.
# It stores k and v in the entries' cells and attends to all cells that each entry may see.
Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]


def cells(prompt: int, length: int) -> int:
    """How many a slot has, for prompts and images of up to so many entries: a multiple of 16, as kernels read masks."""
    return -(-(prompt + length + SPARE_CELLS) // 16) * 16


@dataclass(frozen=True)
class CacheShape:
    """What a slot must hold: for each of `layers`, `cells` keys and values of [heads, head_width]; see `cells()`.

    `positions`: how many tokens of prompt and image the model can tell apart by their position (transformers'
    max_position_embeddings); None: prompts have a bound of their own, for which `cells` has room.
    """

    layers: int
    cells: int
    heads: int
    head_width: int
    positions: int | None = None

    def bytes(self, dtype: torch.dtype) -> int:
        """Of one slot."""
        return 2 * self.layers * self.cells * self.heads * self.head_width * dtype.itemsize


def with_prompt_cells(shape: CacheShape, prompt: int, length: int) -> CacheShape:
    """The shape with room for prompts of `prompt` tokens before an image of `length` positions."""
    return replace(shape, cells=cells(prompt, length))


@dataclass(frozen=True)
class Entries:
    """All entries of a pass, of all its streams, one after the other (packed: nothing is padded)."""

    embeddings: Tensor  # [N, width]
    positions: Tensor  # int64 [N]: 0 is the first image token, the prompt's last token is -1
    places: Tensor  # int64 [N]: counted from the prompt's first token
    rows: Tensor  # int64 [R]: the entries whose logits are wanted


@dataclass(frozen=True)
class TokenizedPrompt:
    """Both guidance branches' ids, and the words left out: unknown ones, and those past the longest prompt.

    Where a prompt has entries that are no token, its ids from the vocabulary's end on name its vectors: `vectors` says
    how many these are, and `Adapter.vectors` makes them.
    """

    conditional: list[int]
    unconditional: list[int]
    unknown: list[str]
    cut: list[str] = field(default_factory=list)
    vectors: int = 0


@dataclass(frozen=True)
class Embeddings:
    """The image codes as the model takes them, and their normalisation (algorithm.md, section 2)."""

    table: Tensor  # [count, width], in the model's dtype: the weights themselves where they hold it
    mean: Tensor  # f32 [width]
    deviation: Tensor  # f32 [width]

    @staticmethod
    def measured(table: Tensor) -> Embeddings:
        """With the mean and the deviation of each dimension over the table's rows, as fine-tuning measures them."""
        values = table.float()
        return Embeddings(table, values.mean(0), values.std(0))


@dataclass(frozen=True)
class Sizes:
    """Pictures that a checkpoint can be asked for: heights and widths in pixels."""

    trained: tuple[int, int] | None  # the size it was trained at; None where nothing says it
    unit: int  # sides of any other size are multiples of it


def untrained(timesteps: Tensor) -> Tensor:
    """The timestep embedding of a model that has none: f32 [M] on [0, 1] to zeros that broadcast to [M, width]."""
    return torch.zeros(len(timesteps), 1, device=timesteps.device)


def pixels(pictures: Tensor) -> Tensor:
    """RGB pictures uint8 [B, height, width, 3] to f32 [B, 3, height, width] on [-1, 1]."""
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1


class Adapter(ABC):
    """A loaded checkpoint. Subclasses set `card`, `cache` and `embeddings`, and keep no state between calls.

    On a GPU, `forward` may be recorded once for each shape of its arguments and replayed from then on (`graphs.py`):
    what it computes is to depend on these shapes and on what tensors hold, and no value is to be read from a tensor.

    One that can be fine-tuned sets `trained`, too, and one whose own encoder makes the data for it has `encoder`.
    """

    card: ModelCard
    cache: CacheShape
    embeddings: Embeddings  # on the model's device
    timestep: Callable[[Tensor], Tensor] = staticmethod(untrained)  # what is added to noisy entries
    warnings: Sequence[str] = ()  # what a user should know of how the checkpoint was loaded
    pictures: Any = None  # the module that `decode` runs: loading makes it f32, whatever the dtype
    trained: Mapping[str, nn.Module] = {}  # what `embed` and `forward` run, by the prefix of its tensors in the files
    sizes: Sizes | None = None  # None: the card's picture is the only one
    denoising_at = ("denoising.safetensors", "")  # where fine-tuning's own tensors belong; a prefix of their names

    @abstractmethod
    def tokenize(self, prompt: str) -> TokenizedPrompt:
        """Applies the family's prompt template; cheap, also for a prompt of vectors. Raises `bad-prompt`."""

    def vectors(self, prompt: str) -> Tensor:
        """What the prompt's ids from the vocabulary's end on stand for, [V, width], as the model takes them.

        Made anew whenever they are fed, that is, when an image begins: nobody keeps them.
        """
        raise RequestError("bad-prompt", f"Prompts of {self.card['name']} have no vectors.", "Send ids of its tokens.")

    def read(self, prompt: str) -> TokenizedPrompt:
        """`tokenize`, and whether a picture has room behind the prompt. Raises `bad-prompt` or `too-large`."""
        said = self.tokenize(prompt)
        tokens = max(len(said.conditional), len(said.unconditional))
        if tokens > self.longest_prompt:
            raise RequestError("too-large", self._too_long(tokens), "Say it in fewer words.")
        return said

    @property
    def prompt_cells(self) -> int:
        """The most tokens of a prompt that a slot of `cache` has room for, and the model positions."""
        positions = self.cache.cells - SPARE_CELLS
        if self.cache.positions is not None:  # cells are rounded up
            positions = min(positions, self.cache.positions)
        return positions - len(self.card["layout"])

    @property
    def longest_prompt(self) -> int:
        """The most tokens of a prompt behind which the model's positions have room for a picture."""
        if self.cache.positions is None:
            return self.prompt_cells
        return self.cache.positions - len(self.card["layout"])

    def _too_long(self, tokens: int) -> str:
        message = f"The prompt has {tokens} tokens, and may have {self.longest_prompt}"
        if self.cache.positions is None:
            return message + "."
        picture = len(self.card["layout"])
        return message + f": of the model's {self.cache.positions} positions a picture takes {picture}."

    @abstractmethod
    def embed(self, ids: Tensor) -> Tensor:
        """Ids int64 [N] to what the model takes as entries, [N, width], in the model's dtype; not a view of weights."""

    @abstractmethod
    def forward(self, entries: Entries, attend: Attend) -> Tensor:
        """Logits over the image codes, [R, count], for the entries named by `entries.rows`."""

    @abstractmethod
    def decode(self, codes: Tensor) -> Tensor:
        """Image codes int64 [B, rows * columns], counted from 0, to RGB pixels f32 [B, height, width, 3] on 0 … 255.

        The worker refuses NaN and infinity, clamps, and cuts off what is behind the point: add 0.5 to round.
        """

    def noisy(self, latents: Tensor, timesteps: Tensor) -> Tensor:
        """Normalised latents f32 [M, width] to what the model takes as entries, [M, width]."""
        return self.embeddings.mean + self.embeddings.deviation * latents + self.timestep(timesteps)

    def codebook(self) -> Tensor:
        """The picture tokenizer's vectors of the image codes, [count, any width]. Raises `RequestError`."""
        message = f"The adapter of {self.card['name']} does not give the codebook of its picture tokenizer."
        raise RequestError(
            "bad-message", message, "Give it the method `codebook`, or use a policy that does not ask for it."
        )

    def encoder(self) -> Encode:
        """The family's own image tokenizer, loaded when it is asked for. Raises `StartupError`."""
        message = f"The adapter of {self.card['name']} has no encoder for pictures."
        raise StartupError("wrong-family", message, "Give it the method `encoder`: see sjd2_worker/adapters/base.py.")

    def encoder_hash(self) -> str:
        """What `encoder` depends on, as hexadecimal digits: where it changes, pictures are encoded anew.

        By default the whole checkpoint; a family that reads its encoder's tensors alone says theirs (`hash_part`), so
        that codes stay valid when the transformer is fine-tuned.
        """
        return str(self.card["hash"])

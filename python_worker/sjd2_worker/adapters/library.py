"""What the adapters of transformers' families share: their library's modules, run over the worker's slots.

The library's own decoder computes everything (norms, rotary embedding, projections, mixtures) with its own weights;
only attention is the worker's, through the library's AttentionInterface.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AttentionInterface, PretrainedConfig, PreTrainedModel
from transformers.utils import logging

from ..checkpoint import check_weights, existing, fill, read_header, read_part, unlike
from ..errors import StartupError, ran_out_of_memory
from .base import PROMPT_CELLS, Attend, CacheShape, Entries, Parts, TokenizedPrompt, cells
from .placement import available, round_blank, rounded, spread

SLOTS = "slots"  # the name of our attention in the library

VQ = ("model.vqmodel.", "vqmodel.")  # where the image tokenizer's tensors are, by the files' names

Config = TypeVar("Config", bound=PretrainedConfig)
Model = TypeVar("Model", bound=PreTrainedModel)


def _attend(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: None, *, slots: Attend, **_: object
) -> tuple[Tensor, None]:
    """The library's attention over `slots`. query [1, heads, N, head_width] -> [1, N, heads, head_width]."""
    q, k, v = (x.transpose(1, 2) for x in (query, key, value))
    return slots(module.layer_idx, q, k, v), None  # type: ignore[arg-type]


AttentionInterface.register(SLOTS, _attend)
logging.set_verbosity_error()
logging.disable_progress_bar()


def cache_shape(config: PretrainedConfig, length: int) -> CacheShape:
    """Slots for a decoder of this (text) config and images of `length` positions."""
    heads = config.num_attention_heads
    head_width = getattr(config, "head_dim", None) or config.hidden_size // heads
    positions = config.max_position_embeddings
    size = cells(max(min(PROMPT_CELLS, positions - length), 1), length)
    return CacheShape(config.num_hidden_layers, size, config.num_key_value_heads or heads, head_width, positions)


def hidden_states(decoder: PreTrainedModel, entries: Entries, attend: Attend) -> Tensor:
    """What the decoder (with SLOTS attention) makes of the wanted entries, [R, width].

    Its layers may be on several devices: the cells, and what comes in and goes out, are on the entries'.
    """
    home = entries.embeddings.device

    def at_home(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return attend(layer, q.to(home), k.to(home), v.to(home)).to(q.device)

    output = decoder(
        inputs_embeds=entries.embeddings[None], position_ids=entries.places[None], use_cache=False, slots=at_home
    )
    return output.last_hidden_state.to(home)[0, entries.rows]


def read_library_config(kind: type[Config], folder: Path) -> Config:
    """config.json as the library reads it. Raises `missing-checkpoint` or `wrong-config`."""
    path = existing(folder / "config.json")
    with _faults_of(path):
        return kind.from_pretrained(folder, local_files_only=True)


def standard_parts(folder: Path, names: Sequence[str] = ()) -> Parts:
    """A module's `parts` (see base.py): the weights, tokenizer.json, and files of other names."""
    files = (partial(existing, folder / name) for name in ("tokenizer.json", *names))
    return partial(check_weights, folder), *files


def check_model(
    kind: type[Model], config: PretrainedConfig, folder: Path, spare: str | tuple[str, ...] = ()
) -> list[Path]:
    """Whether the folder's weights are those of such a model, without reading one; returns their files.

    Tensors whose names, as the library has them, begin with `spare` or one of these need not be there.
    Raises `missing-checkpoint`, `corrupt-checkpoint` or `wrong-config`.
    """
    paths = check_weights(folder)
    with _faults_of(paths[0]):
        said: Any = kind.from_pretrained(
            folder, config=config, device_map="meta", use_safetensors=True, local_files_only=True,
            output_loading_info=True, ignore_mismatched_sizes=True,
        )  # fmt: skip
    found = said[1]
    wrong = [f"{name} is {[*has]} and should be {[*should]}" for name, has, should in sorted(found["mismatched_keys"])]
    wrong += [f"{name} is absent" for name in sorted(found["missing_keys"]) if not name.startswith(spare)]
    if wrong:
        raise unlike(paths[0], wrong)
    return paths


def load_model(
    kind: type[Model],
    config: PretrainedConfig,
    folder: Path,
    device: torch.device,
    dtype: torch.dtype,
    *,
    layers: str = "model.layers",
    quantize: str | None = None,
    gpus: int | None = None,
    **options: Any,
) -> Model:
    """The model with its weights, each read straight to where it belongs. `options` go to the library as they are.

    `layers` names the decoder's layers: `quantize` rounds their weights to `int8` or `nf4`, and `gpus` spreads them
    over so many GPUs. Raises `missing-library`, `wrong-torch`, `out-of-memory` or `wrong-config`.
    """
    if quantize:
        way = rounded(quantize, dtype, layers)
        options |= {} if device.type == "meta" else {"quantization_config": way}
    if gpus and gpus > 1 and device.type != "meta":
        with torch.device("meta"):
            blank = kind(config)
        options["device_map"] = spread(blank, layers, available(gpus), torch.int8 if quantize else dtype)
    with _faults_of(folder):
        model: Any = kind.from_pretrained(
            folder, config=config, dtype=dtype, use_safetensors=True, local_files_only=True,
            **{"device_map": device, **options},
        )  # fmt: skip
    if quantize and device.type == "meta":
        round_blank(model, quantize, layers)
    return model.eval().requires_grad_(False)


def read_vq(network: nn.Module, paths: list[Path], device: torch.device) -> None:
    """Gives the model's image tokenizer, or a part of it, built `Blank`, its tensors in checked files, in f32.

    It is read apart from the language model, whose dtype is too coarse for pictures.
    Raises `missing-checkpoint` where an encoder is asked for and there is none, `wrong-config` where nothing fits.
    """
    names = {name for path in paths for name in read_header(path)}
    prefix = next((prefix for prefix in VQ if any(name.startswith(prefix) for name in names)), VQ[0])
    parts = {name for name, _ in network.named_children()}
    found = read_part(paths, prefix, device, torch.float32)
    tensors = {name: tensor for name, tensor in found.items() if name.split(".")[0] in parts}
    if "encoder" in parts and not any(name.startswith("encoder.") for name in tensors):
        message = f"{paths[0]} holds no encoder of pictures, of which fine-tuning makes its data."
        remedy = "Fetch the whole checkpoint, or give --data shards that were made with it."
        raise StartupError("missing-checkpoint", message, remedy)
    fill(network, tensors, paths[0])


def image_ids(codes: Mapping[int, int], count: int, path: Path) -> range:
    """The ids of the image codes, from a vocabulary's {id: code}. They must be one run, and the VQ model's `count`."""
    ids = range(min(codes, default=0), max(codes, default=-1) + 1)
    if len(codes) != count or len(ids) != count or sorted(codes.values()) != list(range(count)):
        message = f"{path}: its vocabulary map names {len(codes)} image tokens between {ids.start} and {ids.stop - 1}"
        message += f", and should name one for each of its VQ model's {count} codes, without a gap."
        raise StartupError("wrong-config", message, "Use the config.json of the checkpoint, with its vocabulary_map.")
    return ids


def read_tokenizer(folder: Path, vocabulary: int, name: str = "tokenizer.json") -> Tokenizer:
    """The folder's text tokenizer. Raises `missing-checkpoint`, or `wrong-config` where it knows too many ids."""
    path = existing(folder / name)
    with _faults_of(path):
        tokenizer = Tokenizer.from_file(str(path))
    # the file holds what whoever saved it had switched on: a prompt would lose its end, or gain padding
    tokenizer.no_truncation()
    tokenizer.no_padding()
    largest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=0)
    if largest >= vocabulary:
        message = f"{path} has ids up to {largest}, the model's vocabulary has {vocabulary}."
        raise StartupError("wrong-config", message, "Use the tokenizer and the weights of one and the same checkpoint.")
    return tokenizer


def special_ids(tokenizer: Tokenizer, names: Sequence[str], path: Path) -> list[int]:
    """The ids of tokens that prompts and images are made of. Raises `wrong-config` where the tokenizer has not one."""
    ids = []
    for name in names:
        found = tokenizer.encode(name, add_special_tokens=False).ids
        if found != [tokenizer.token_to_id(name)]:
            message = f"{path} does not know {name} as a token, which images of this family need."
            raise StartupError("wrong-config", message, "Restore the file of the same checkpoint.")
        ids += found
    return ids


def check_length(config: PretrainedConfig, layout: list[int], path: Path) -> None:
    """Raises `wrong-config` where the model's positions do not reach to the end of an image."""
    if len(layout) >= config.max_position_embeddings:
        message = f"Pictures of this size take {len(layout)} positions and the prompt's; "
        message += f"{path} knows {config.max_position_embeddings}."
        raise StartupError("wrong-config", message, "Choose a smaller --size.")


def tokenize(tokenizer: Tokenizer, said: Mapping[str, str], prompt: str) -> TokenizedPrompt:
    """A prompt in the words of a card's `prompt`: its template, and what it says for none."""
    texts = said["template"].replace("{prompt}", prompt), said["unconditional"]
    conditional, unconditional = (tokenizer.encode(one, add_special_tokens=False).ids for one in texts)
    return TokenizedPrompt(conditional, unconditional, unknown=[])


@contextmanager
def _faults_of(path: Path) -> Iterator[None]:
    """What the library finds wrong with a file, as a `StartupError`."""
    try:
        yield
    except StartupError:
        raise
    except Exception as error:  # the library raises a dozen kinds
        if ran_out_of_memory(error):
            raise
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise StartupError("wrong-config", f"{path} cannot be used: {reason}.", "Restore the checkpoint.") from error

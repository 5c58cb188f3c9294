"""SALMONN (Tang et al., ICLR 2024): Whisper's encoder and BEATs heard together, a window-level Q-Former, and Vicuna with LoRA.

transformers has no such model: it is put together here from its published parts, named by a `salmonn.json` in a folder.
`whisper` and `llama` are folders or Hugging Face ids; `beats` and `checkpoint` files as published (pickles, opened with leave
alone and for tensors alone) or as `python -m semhub.models.salmonn FOLDER NEW` rewrites them, in safetensors. LIBRARY: peft.

Tested on small random parts of that layout. Missing: the published weights were never run here; sounds longer than Whisper's 30 s
are cut there, as in the release; several sounds in one prompt, and Q-Formers over whole sounds, are refused.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semhub.errors import BadInput, ModelNotFound, NotUnderstood, UnsafeWeights
from semhub.models import beats
from semhub.models.hashing import NAMING, file_hash, files_hash

FILE, SPEECH = NAMING, "<SpeechHere>"
PARTS = ("whisper", "beats", "llama", "checkpoint")
FRAMES = 50  # a second, out of Whisper's encoder
FROZEN = ("speech_encoder.", "beats.", "llama_model.")  # stand in the checkpoint only as far as they were trained
BUFFERS = ("position_ids", "rotary_emb.inv_freq")  # counted, not learned; older libraries saved them
# our Q-Former is transformers' BLIP-2; in the checkpoint it has the names of BERT
NAMES = (
    ("speech_Qformer.bert.embeddings.LayerNorm.", "speech_Qformer.layernorm."),
    ("speech_Qformer.bert.", "speech_Qformer."),
    (".attention.self.", ".attention.attention."),
    (".crossattention.self.", ".crossattention.attention."),
)


@dataclass(frozen=True)
class Recipe:
    """What `salmonn.json` says: where the parts are, and the few numbers that the weights do not tell."""

    whisper: str
    beats: str
    llama: str
    checkpoint: str
    second_per_window: float = 0.333333
    second_per_stride: float = 0.333333
    lora_alpha: int = 32
    qformer_heads: int = 12
    beats_settings: Mapping | None = None  # `cfg` of the BEATs checkpoint, where that is safetensors


@dataclass(frozen=True)
class Config:
    """What the rest of semhub asks a configuration for."""

    text_config: Any
    audio_config: Any
    model_type: str = "salmonn"
    _name_or_path: str = field(default="", repr=False)

    def get_text_config(self, *args, **kwargs) -> Any:
        return self.text_config


class Salmonn(nn.Module):
    """The whole network; modules are named as in the checkpoint. Text goes straight to `llama_model`.

    A sound comes as `input_features: [1, bin, frame]` (Whisper's), `fbank: [1, frame, bin]` (BEATs') and `sound_at: [1, token]`,
    which positions its windows take.
    """

    def __init__(self, speech_encoder, hearing: beats.Beats, qformer, llama, recipe: Recipe, queries: int = 1):
        super().__init__()
        width, inner = speech_encoder.config.d_model, qformer.config.hidden_size
        self.speech_encoder, self.beats, self.speech_Qformer, self.llama_model = speech_encoder, hearing, qformer, llama
        self.ln_speech, self.ln_audio = nn.LayerNorm(width), nn.LayerNorm(hearing.settings.encoder_embed_dim)
        self.speech_query_tokens = nn.Parameter(torch.zeros(1, queries, inner))
        self.speech_llama_proj = nn.Linear(inner, llama.config.hidden_size)
        self.config = Config(llama.config, speech_encoder.config)
        self.generation_config = getattr(llama, "generation_config", None)
        self.window, self.stride = round(FRAMES * recipe.second_per_window), round(FRAMES * recipe.second_per_stride)

    def get_input_embeddings(self) -> nn.Module:
        return self.llama_model.get_input_embeddings()

    def get_output_embeddings(self) -> nn.Module:
        return self.llama_model.get_output_embeddings()

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,
        past_key_values=None,
        input_features=None,
        fbank=None,
        sound_at=None,
        logits_to_keep=0,
        **rest,
    ):
        """What transformers' own networks take is named, since that is how others find out what a network takes."""
        given = {"attention_mask": attention_mask, "position_ids": position_ids, "past_key_values": past_key_values}
        if input_features is None:
            return self.llama_model(input_ids=input_ids, logits_to_keep=logits_to_keep, **given, **rest)
        embeds, heard = self.get_input_embeddings()(input_ids), self.hear(input_features, fbank)
        embeds = embeds.masked_scatter(sound_at[..., None].to(embeds.device), heard.to(embeds))
        return self.llama_model(inputs_embeds=embeds, logits_to_keep=logits_to_keep, **given, **rest)

    def hear(self, input_features: Tensor, fbank: Tensor) -> Tensor:
        """A sound -> `[window * query, dim of the trunk]`."""
        return self.speech_llama_proj(self.windowed(self.both(input_features, fbank)))

    def both(self, input_features: Tensor, fbank: Tensor) -> Tensor:
        """`[1, frame, dim]`: what both encoders make of 20 ms each, side by side; the shorter one is followed by zeros."""
        speech = self.ln_speech(self.speech_encoder(input_features).last_hidden_state)
        audio = self.ln_audio(self.beats(fbank))
        longest = max(speech.shape[1], audio.shape[1])
        return torch.cat([F.pad(each, (0, 0, 0, longest - each.shape[1])) for each in (speech, audio)], -1)

    def windowed(self, frames: Tensor) -> Tensor:
        """`frames: [1, frame, dim]` -> `[window * query, dim]`: the Q-Former asks its queries of every window alone."""
        windows = frames[0].unfold(0, self.window, self.stride).transpose(1, 2)
        queries = self.speech_query_tokens.expand(len(windows), -1, -1)
        return self.speech_Qformer(query_embeds=queries, encoder_hidden_states=windows).last_hidden_state.flatten(0, 1)

    def windows_of(self, mel_frames: int, fbank_frames: int) -> int:
        """How many positions a sound of so many frames takes."""
        longest = max(mel_frames // 2, self.beats.patches_of(fbank_frames))
        return (1 + (longest - self.window) // self.stride) * self.speech_query_tokens.shape[1]


class Processor:
    """A text with a sound -> what `Salmonn` is called with.

    What stands before the sound and behind it is tokenised apart, as in the release.
    """

    audio_token = f"<Speech>{SPEECH}</Speech>"
    chat_template = None

    def __init__(self, tokenizer, feature_extractor, windows: Callable[[int, int], int]):
        self.tokenizer, self.feature_extractor, self.windows = tokenizer, feature_extractor, windows

    def __call__(self, text: str, audio, sampling_rate: int, return_tensors: str = "pt", add_special_tokens: bool = True) -> dict:
        import numpy as np

        (samples,), most, least = audio, self.feature_extractor.n_samples, sampling_rate
        samples = np.pad(samples, (0, max(0, least - len(samples))))[:most]  # a second at least, as in the release
        mel = self.feature_extractor(samples, sampling_rate=sampling_rate, return_tensors="pt")["input_features"]
        patches = beats.fbank(samples, sampling_rate)[None]
        n = self.windows(mel.shape[-1], patches.shape[1])
        before, after = text.split(SPEECH)
        left = self.tokenizer(before, add_special_tokens=add_special_tokens)["input_ids"]
        right = self.tokenizer(after, add_special_tokens=False)["input_ids"]
        ids = torch.tensor([[*left, *[self.placeholder] * n, *right]])
        at = torch.zeros_like(ids, dtype=torch.bool)
        at[:, len(left) : len(left) + n] = True
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "input_features": mel, "fbank": patches, "sound_at": at}

    @property
    def placeholder(self) -> int:
        """The id at positions that the sound fills; which one makes no difference, since its embedding is replaced."""
        return self.tokenizer.unk_token_id if self.tokenizer.unk_token_id is not None else 0


# --- from a folder ---------------------------------------------------------------------------------------------------


def is_in(folder: Path) -> bool:
    return (folder / FILE).is_file()


def assembled(folder: Path, unsafe: bool, open_llama: Callable[[str], tuple[nn.Module, Any]], find: Callable[[str], Path]) -> tuple:
    """(network, processor) of a folder with `salmonn.json`.

    `open_llama`: a folder or id -> (network, tokenizer); `find`: a folder or id -> its folder on this machine. Raises BadInput for a
    wrong `salmonn.json` or without peft, ModelNotFound for parts that are not there, UnsafeWeights for pickles without leave, and
    NotUnderstood for tensors of another layout.
    """
    recipe = read_recipe(folder)
    hearing, trained = open_beats(folder, recipe, unsafe), tensors(folder, recipe.checkpoint, unsafe)
    weights = renamed(trained.get("model", trained), recipe.checkpoint)
    speech_encoder, extractor = open_whisper(find(named(folder, recipe.whisper)))
    llama, tokenizer = open_llama(named(folder, recipe.llama))
    width = speech_encoder.config.d_model + hearing.settings.encoder_embed_dim
    query = needed(weights, "speech_query_tokens", recipe.checkpoint)
    qformer = windows_former(weights, width, recipe)
    network = Salmonn(speech_encoder, hearing, qformer, adapted(llama, weights, recipe), recipe, query.shape[1])
    beats.fill(network, weights, recipe.checkpoint, "SALMONN", FROZEN)
    where, precision = llama.get_input_embeddings().weight.device, llama.dtype
    for part in network.children():
        if part is not network.llama_model:
            part.to(where, precision)
    network.speech_query_tokens.data = network.speech_query_tokens.data.to(where, precision)
    network.config = Config(llama.config, speech_encoder.config, _name_or_path=str(folder))
    return network.eval(), Processor(tokenizer, extractor, network.windows_of)


def weights_hash(folder: Path, find: Callable[[str], Path]) -> str:
    """sha256 of the weights of all four parts."""
    recipe = read_recipe(folder)
    folders = [files_hash(find(named(folder, name))) for name in (recipe.whisper, recipe.llama)]
    files = [file_hash(Path(named(folder, name)).expanduser()) for name in (recipe.beats, recipe.checkpoint)]
    return hashlib.sha256(" ".join([*folders, *files]).encode()).hexdigest()


def read_recipe(folder: Path) -> Recipe:
    path = folder / FILE
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as problem:
        raise BadInput(f"{path} is no JSON: {problem}.") from problem
    known = {each.name for each in fields(Recipe)}
    wrong = sorted(set(given) - known) if isinstance(given, dict) else []
    absent = [name for name in PARTS if not isinstance(given, dict) or not given.get(name)]
    if absent or wrong:
        said = f"lacks {', '.join(absent)}" if absent else f"knows no {', '.join(wrong)}"
        raise BadInput(f"{path} {said}; it names {', '.join(PARTS)}, and may set {', '.join(sorted(known - set(PARTS)))}.")
    return Recipe(**given)


def named(folder: Path, name: str) -> str:
    """A part beside `salmonn.json`, or the name as it is (elsewhere on the disk, or an id)."""
    return str(folder / name) if (folder / name).exists() else name


def tensors(folder: Path, name: str, unsafe: bool) -> dict:
    """What a file holds: safetensors, or with leave a pickle, of which tensors and plain values alone are read.

    Raises ModelNotFound, UnsafeWeights or NotUnderstood.
    """
    path = Path(named(folder, name)).expanduser()
    if not path.is_file():
        raise ModelNotFound(f"{folder / FILE} names {name}, but there is no such file.")
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    if not unsafe:
        raise UnsafeWeights(
            f"{path} is no safetensors file but a pickle, a format that can run code when it is opened; "
            "if you trust its source, pass unsafe_weights=True (--unsafe-weights)."
        )
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as problem:
        first = next(iter(str(problem).splitlines()), type(problem).__name__)
        raise NotUnderstood(f"{path} cannot be read as tensors alone: {first}") from problem
    if not isinstance(found, dict):
        raise NotUnderstood(f"{path} holds a {type(found).__name__}; a checkpoint is a dictionary with its tensors under 'model'.")
    return found


def open_beats(folder: Path, recipe: Recipe, unsafe: bool) -> beats.Beats:
    """Raises as `tensors`, and NotUnderstood for a file that is no BEATs."""
    found = tensors(folder, recipe.beats, unsafe)
    settings, weights = (found.get("cfg"), found.get("model")) if "model" in found else (recipe.beats_settings, found)
    if not isinstance(settings, Mapping) or not isinstance(weights, Mapping):
        raise NotUnderstood(f"{recipe.beats} is no BEATs checkpoint: it needs 'cfg' and 'model' (or beats_settings in {FILE}).")
    return beats.load(settings, weights, recipe.beats)


def open_whisper(folder: Path) -> tuple[nn.Module, Any]:
    """(encoder, extractor of features) of a Whisper in safetensors."""
    from transformers import WhisperFeatureExtractor, WhisperModel

    try:
        whisper = WhisperModel.from_pretrained(folder, local_files_only=True, use_safetensors=True, dtype=torch.float32)
        return whisper.get_encoder(), WhisperFeatureExtractor.from_pretrained(folder, local_files_only=True)
    except Exception as problem:
        first = next(iter(str(problem).splitlines()), type(problem).__name__)
        raise NotUnderstood(f"{folder} cannot be opened as a Whisper in safetensors: {first}") from problem


def renamed(given: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """The tensors of a checkpoint under the names that they have here."""
    if not isinstance(given, Mapping) or not all(isinstance(value, Tensor) for value in given.values()):
        raise NotUnderstood(f"{source} is no SALMONN checkpoint: 'model' must hold tensors by name.")
    found = {}
    for name, value in given.items():
        if not name.endswith(BUFFERS):
            for theirs, ours in NAMES if name.startswith("speech_Qformer.") else ():
                name = name.replace(theirs, ours)
            name = name.replace("lora_A.weight", "lora_A.default.weight").replace("lora_B.weight", "lora_B.default.weight")
            found[name] = value
    return found


def needed(weights: Mapping[str, Tensor], name: str, source: str) -> Tensor:
    if name not in weights:
        raise NotUnderstood(f"{source} lacks {name}; it is no SALMONN checkpoint with a Q-Former.")
    return weights[name]


def windows_former(weights: Mapping[str, Tensor], width: int, recipe: Recipe) -> nn.Module:
    """An empty Q-Former of the size that its weights have."""
    from transformers import Blip2QFormerConfig, Blip2QFormerModel

    first = "speech_Qformer.encoder.layer.0.intermediate_query.dense.weight"
    inner = needed(weights, first, recipe.checkpoint)
    layers = {int(name.split(".")[3]) for name in weights if name.startswith("speech_Qformer.encoder.layer.")}
    config = Blip2QFormerConfig(
        vocab_size=1,
        hidden_size=inner.shape[1],
        intermediate_size=inner.shape[0],
        num_hidden_layers=len(layers),
        num_attention_heads=recipe.qformer_heads,
        encoder_hidden_size=width,
        cross_attention_frequency=1,
        pad_token_id=0,
    )
    return Blip2QFormerModel(config)


def adapted(llama: nn.Module, weights: Mapping[str, Tensor], recipe: Recipe) -> nn.Module:
    """The language model with empty adapters where the checkpoint has some; as it is, where it has none. Raises BadInput without peft."""
    downs = {name: value for name, value in weights.items() if ".lora_A." in name}
    if not downs:
        return llama
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as problem:
        raise BadInput("SALMONN's language model has LoRA adapters, which need the library peft: pip install 'semhub[peft]'.") from problem
    targets = sorted({name.partition(".lora_A.")[0].rpartition(".")[2] for name in downs})
    rank = next(iter(downs.values())).shape[0]
    return get_peft_model(llama, LoraConfig(r=rank, lora_alpha=recipe.lora_alpha, target_modules=targets, task_type="CAUSAL_LM"))


def convert(folder: Path, to: Path) -> None:
    """Write the two pickles of a folder as safetensors, beside a `salmonn.json` that names them; Whisper and Vicuna stay where they are."""
    from safetensors.torch import save_file

    recipe, given = read_recipe(folder), json.loads((folder / FILE).read_text(encoding="utf-8"))
    to.mkdir(parents=True, exist_ok=True)
    sounds, trained = tensors(folder, recipe.beats, True), tensors(folder, recipe.checkpoint, True)
    for name, held in (("beats", sounds), ("salmonn", trained)):
        save_file({key: value.contiguous().clone() for key, value in held.get("model", held).items()}, to / f"{name}.safetensors")
    parts = {name: str(Path(named(folder, given[name])).absolute()) if (folder / given[name]).exists() else given[name] for name in PARTS}
    settings = dict(sounds.get("cfg") or recipe.beats_settings or {})
    written = given | parts | {"beats": "beats.safetensors", "checkpoint": "salmonn.safetensors", "beats_settings": settings}
    (to / FILE).write_text(json.dumps(written, indent=1), encoding="utf-8")


if __name__ == "__main__":
    import sys

    convert(*map(Path, sys.argv[1:3]))

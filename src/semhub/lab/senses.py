"""Grow a model that sees or hears from a recipe: next-token loss on text tokens alone, text documents mixed in.

There is no alignment loss of any kind. Loop, checkpoints and resuming are those of text models (`grow`).
"""

import logging
from collections.abc import Iterator
from itertools import chain, count, islice
from pathlib import Path
from random import Random

import numpy as np
import torch
from transformers import set_seed

from semhub.data.world import pictures, sounds
from semhub.errors import BadInput
from semhub.lab import grow
from semhub.lab.folder import finished, read_array, read_record, recipe_of, weights_hash
from semhub.lab.organs import built, hash_around, pixels, positions, text_folder
from semhub.lab.recipe import Senses
from semhub.lab.recipe_file import made
from semhub.lab.shown import Shown, every_english_text, shown, told

NOT_READ = -100  # the target where nothing is to be learnt: pictures, sounds, marks, padding
TAKES_HEARD = 40  # of every concept, turned into features once; all of the split `train`


def train_senses(
    recipe: Senses,
    out: Path | None = None,
    *,
    seed: int = 0,
    compile: bool = False,
    device: str | None = None,
    progress: grow.Progress | None = None,
) -> Path:
    """Grow the model of a recipe into `out` and return that folder; the same call again goes on from the last checkpoint.

    The text model that it is grown around is the one of that name beside `out`, if there is one, or else a bundled one.

    Raises BadInput where `out` holds anything else, a model grown around another text model among them.
    """
    out = Path(out or Path("grown") / f"{recipe.name}-{seed}")
    if finished(out, recipe, seed):
        theirs, ours = read_record(out / "recipe.json").get("around"), hash_around(recipe, out.parent)
        if theirs and ours and theirs != ours:
            raise BadInput(f"{out} was grown around another {recipe.text}: choose another --out, or delete that folder.")
        return out
    if compile:
        grow.need_compiler(device)
        logging.getLogger("torch._dynamo").setLevel(logging.ERROR)  # it warns of each break in the program, and these models have some
    source = text_folder(recipe, out.parent)
    work = out.with_name(out.name + ".growing")
    grow.claim(work, recipe, seed, grow.precision(device), around=weights_hash(source))
    accelerator = grow.accelerated(device)
    network, processor = begun(recipe, source, seed)
    network.to(accelerator.device)
    batches = _Batches(recipe, source, processor, seed, work)
    loss_of = grow.compiled(text_loss, accelerator.device, recorded=False) if compile else text_loss
    losses = grow.learn(network, recipe.training, batches.since, loss_of, work, accelerator, progress)
    grow.finish(network, processor, losses, work, out)
    return out


def begun(recipe: Senses, source: Path, seed: int) -> tuple[torch.nn.Module, object]:
    """(network, processor) before the first step, around the text model in `source`."""
    set_seed(seed)
    return built(recipe, source, every_english_text())


def text_loss(network, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean cross-entropy of every next text token, of the rows that show something and of those that do not."""
    logits = network(**{name: value for name, value in batch.items() if name != "targets"}).logits[:, :-1]
    return torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), batch["targets"][:, 1:].flatten(), ignore_index=NOT_READ)


class _Batches:
    """What every step reads, in rows of one width: a pure function of recipe, seed and step."""

    def __init__(self, recipe: Senses, source: Path, processor, seed: int, work: Path):
        self.recipe, self.processor, self.seed = recipe, processor, seed
        self.words, self.width = processor.tokenizer, recipe.training.window + positions(recipe)
        self.unread = torch.tensor(self.words.all_special_ids)
        self.texts = _windows(recipe, source, self.words, self.width, seed, work)
        self.takes = {} if recipe.kind != "qwen2-audio" else {noun.key: _takes(noun) for noun in sounds.audible()}
        self.features = {take: feature for takes in self.takes.values() for take, feature in _heard(processor, takes)}

    def since(self, start: int) -> Iterator[dict]:
        """First the rows that show something, then captions and text documents without a picture or a sound."""
        recipe = self.recipe
        for step in range(start, recipe.training.steps):
            rng = Random(f"{recipe.name}:{self.seed}:{step}")
            rows = [shown(rng, recipe) for _ in range(recipe.training.batch - recipe.told - recipe.plain)]
            beside, senses = self._beside(rows), self._senses(rng, rows)
            alone = torch.cat([*self._told(rng), torch.from_numpy(self.texts[step].astype(np.int64))])
            targets = torch.cat([beside.masked_fill(torch.isin(beside, self.unread), NOT_READ), alone])
            yield {"input_ids": torch.cat([beside, alone]), "targets": targets} | senses

    def _beside(self, rows: list[Shown]) -> torch.Tensor:
        """`[row, position]`: the text beside each picture or sound and the marks where that is, cut or padded."""
        encoded = self.words([text_of(self.recipe, self.processor, row) for row in rows])["input_ids"]
        return torch.tensor([(ids + [self.words.pad_token_id] * self.width)[: self.width] for ids in encoded])

    def _senses(self, rng: Random, rows: list[Shown]) -> dict[str, torch.Tensor]:
        if not self.features:
            return {"pixel_values": pixels(pictures.draw(row.meaning, row.seed, self.recipe.tower.size).pixels for row in rows)}
        features = torch.stack([self.features[rng.choice(self.takes[row.meaning.noun.key])] for row in rows])
        return {"input_features": features, "feature_attention_mask": torch.ones(len(rows), features.shape[-1], dtype=torch.long)}

    def _told(self, rng: Random) -> Iterator[torch.Tensor]:
        """Rows of captions without what they tell of, several in each."""
        for _ in range(self.recipe.told):
            captions = chain.from_iterable(self.words(told(rng, self.recipe))["input_ids"] for _ in count())
            yield torch.tensor([list(islice(captions, self.width))])


def _takes(noun) -> list[sounds.Sound]:
    """The first takes of a concept that are of the split `train`."""
    return list(islice((take for n in count() if (take := sounds.Sound(noun, n)).split == "train"), TAKES_HEARD))


def _heard(processor, takes: list[sounds.Sound]) -> Iterator[tuple[sounds.Sound, torch.Tensor]]:
    """Each take with its mel features `[bin, frame]`."""
    waves = [sounds.synthesise(take) for take in takes]
    features = processor.feature_extractor(waves, sampling_rate=sounds.RATE, return_tensors="pt", padding="max_length")["input_features"]
    return zip(takes, features, strict=True)


def text_of(recipe: Senses, processor, row: Shown) -> str:
    """The whole text of a document, with as many marks as its picture or sound has positions."""
    if recipe.kind == "qwen2-audio":
        inside = processor.audio_token * (positions(recipe) - 2)
        return f"{row.before}{processor.audio_bos_token}{inside}{processor.audio_eos_token} {row.after}"
    if recipe.kind == "chameleon":
        inside = processor.image_start_token + processor.image_token * (positions(recipe) - 2) + processor.image_end_token
        return f"{row.before}{inside}{_separated(row, processor.tokenizer.sep_token)}"
    return f"{row.before}{processor.image_token * positions(recipe)} {row.after}"


def _separated(row: Shown, mark: str) -> str:
    """Half of the documents hold the mark that Chameleon's processor puts at the end of a prompt: after the picture, or after a
    question that follows it.
    """
    if row.seed % 2 == 0:
        return f" {row.after}"
    answer = pictures.ANSWERS[row.language]
    asks_first = row.after.startswith(("W", "¿")) or "？" in row.after[:20]
    return f" {row.after.replace(answer, answer + mark, 1)}" if asks_first and answer in row.after else f"{mark} {row.after}"


def _windows(recipe: Senses, source: Path, words, width: int, seed: int, work: Path) -> np.ndarray:
    """`[step, row, position]`: documents such as the text model in `source` read last, packed by its own recipe."""
    path, steps = work / "text.npy", recipe.training.steps
    if not path.exists():
        text_recipe = made(recipe_of(source), str(source)).phases()[-1][1]
        fresh = path.with_suffix(".fresh.npy")
        np.save(fresh, grow.packed_windows(text_recipe, words, steps * recipe.plain, width, seed))
        fresh.replace(path)
    return read_array(path, (steps, recipe.plain, width))

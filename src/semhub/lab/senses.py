"""Grow a model that sees or hears from a recipe: next-token loss on text tokens alone, text documents mixed in.

There is no alignment loss of any kind. Loop, checkpoints and resuming are those of text models (`grow`).
"""

from collections.abc import Iterator
from itertools import chain, count, islice
from pathlib import Path
from random import Random

import numpy as np
import torch
from transformers import set_seed

from semhub.data.world import pictures, sounds
from semhub.lab import grow
from semhub.lab.folder import finished, read_array, recipe_of
from semhub.lab.organs import built, pixels, positions, text_folder
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

    Raises BadInput where `out` holds anything else.
    """
    out = Path(out or Path("grown") / f"{recipe.name}-{seed}")
    if finished(out, recipe, seed):
        return out
    work = out.with_name(out.name + ".growing")
    grow.claim(work, recipe, seed, grow.precision(device))
    accelerator = grow.accelerated(device)
    set_seed(seed)
    source = text_folder(recipe, out.parent)
    network, processor = built(recipe, source, every_english_text())
    network.to(accelerator.device)
    batches = _Batches(recipe, source, processor, seed, work)
    loss_of = grow.compiled(text_loss, accelerator.device, dynamic=True) if compile else text_loss
    losses = grow.learn(network, recipe.training, batches.since, loss_of, work, accelerator, progress)
    grow.finish(network, processor, losses, work, out)
    return out


def text_loss(network, batch: dict[str, dict[str, torch.Tensor]]) -> torch.Tensor:
    """Mean cross-entropy of every next text token, of the rows that show something and of those that do not."""
    logits, targets = [], []
    for rows in batch.values():
        inputs = {name: value for name, value in rows.items() if name != "targets"}
        logits.append(network(**inputs).logits[:, :-1].flatten(0, 1))
        targets.append(rows["targets"][:, 1:].flatten())
    return torch.nn.functional.cross_entropy(torch.cat(logits).float(), torch.cat(targets), ignore_index=NOT_READ)


class _Batches:
    """What every step reads: a pure function of recipe, seed and step."""

    def __init__(self, recipe: Senses, source: Path, processor, seed: int, work: Path):
        self.recipe, self.processor, self.seed = recipe, processor, seed
        self.words, self.width = processor.tokenizer, recipe.training.window + positions(recipe)
        self.unread = torch.tensor(self.words.all_special_ids)
        self.texts = _windows(recipe, source, self.words, self.width, seed, work)
        self.takes = {} if recipe.kind != "qwen2-audio" else {noun.key: _takes(noun) for noun in sounds.audible()}
        self.features = {take: feature for takes in self.takes.values() for take, feature in _heard(processor, takes)}

    def since(self, start: int) -> Iterator[dict]:
        for step in range(start, self.recipe.training.steps):
            rng = Random(f"{self.recipe.name}:{self.seed}:{step}")
            yield {"shown": self._shown(rng), "text": self._text(rng, step)}

    def _shown(self, rng: Random) -> dict[str, torch.Tensor]:
        """Rows with a picture or a sound each, padded to the longest of them."""
        recipe = self.recipe
        rows = [shown(rng, recipe) for _ in range(recipe.training.batch - recipe.told - recipe.plain)]
        texts = [text_of(recipe, self.processor, row) for row in rows]
        encoded = [torch.tensor(ids[: self.width]) for ids in self.words(texts)["input_ids"]]
        ids = torch.nn.utils.rnn.pad_sequence(encoded, True, self.words.pad_token_id)
        return {"input_ids": ids, "targets": ids.masked_fill(torch.isin(ids, self.unread), NOT_READ)} | self._senses(rng, rows)

    def _senses(self, rng: Random, rows: list[Shown]) -> dict[str, torch.Tensor]:
        if not self.features:
            return {"pixel_values": pixels(pictures.draw(row.meaning, row.seed, self.recipe.tower.size).pixels for row in rows)}
        features = torch.stack([self.features[rng.choice(self.takes[row.meaning.noun.key])] for row in rows])
        return {"input_features": features, "feature_attention_mask": torch.ones(len(rows), features.shape[-1], dtype=torch.long)}

    def _text(self, rng: Random, step: int) -> dict[str, torch.Tensor]:
        """Captions without what they tell of, several in a row, and windows of the text model's own documents."""
        rows = []
        for _ in range(self.recipe.told):
            captions = chain.from_iterable(self.words(told(rng, self.recipe))["input_ids"] for _ in count())
            rows.append(torch.tensor(list(islice(captions, self.width))))
        ids = torch.cat([*(row[None] for row in rows), torch.from_numpy(self.texts[step].astype(np.int64))])
        return {"input_ids": ids, "targets": ids}


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

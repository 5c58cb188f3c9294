"""Growing a tiny model that sees or hears: an ordinary folder, the same weights from the same seed, text learnt from alone."""

import dataclasses
import hashlib
import itertools
import json
import shutil
import types
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoProcessor,
    AutoTokenizer,
    ChameleonForConditionalGeneration,
    LlamaForCausalLM,
    LlavaForConditionalGeneration,
    Qwen2AudioForConditionalGeneration,
)  # fmt: skip
from transformers.models.chameleon.modeling_chameleon import ChameleonVQVAE

from semhub import cli
from semhub.data.world import meanings, pictures, sounds
from semhub.errors import BadInput, BadRecipe
from semhub.lab import codebook, examined, read_recipe, senses, senses_exam, train
from semhub.lab.descent import Descent
from semhub.lab.folder import checkpoints, open_checkpoint
from semhub.lab.organs import built, image_processor, pixels, text_folder
from semhub.lab.recipe import Senses
from semhub.lab.senses_exam import exam
from semhub.lab.shown import Shown, every_english_text, shown, told

TEXT = """
[shape]
width = 16
blocks = 2
heads = 2
inner = 32
[training]
steps = 2
batch = 4
window = 32
warmup = 1
"""
TINY = """
kind = "{kind}"
text = "{text}"
told = 1
plain = 2
[tower]
width = 16
blocks = 1
heads = 2
inner = 16
bins = 16
codes = 24
[training]
steps = 4
batch = 5
window = 24
warmup = 1
checkpoint = 2
"""
KINDS = ("llava", "qwen2-audio", "chameleon")
SHOWN = {"llava": "pixel_values", "qwen2-audio": "input_features", "chameleon": "pixel_values"}


@pytest.fixture(scope="module")
def few_takes():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(senses, "TAKES_HEARD", 2)
        yield


@pytest.fixture(scope="module")
def recipes(tmp_path_factory, few_takes) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("senses")
    (folder / "text.toml").write_text(TEXT, encoding="utf-8")
    text = train(folder / "text.toml", folder / "text", device="cpu")
    for kind in KINDS:
        (folder / f"{kind}.toml").write_text(TINY.format(kind=kind, text=text), encoding="utf-8")
    return {kind: folder / f"{kind}.toml" for kind in KINDS} | {"text": text}


@pytest.fixture(scope="module")
def grown(recipes, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("grown")
    return {kind: train(recipes[kind], folder / kind, seed=1, device="cpu") for kind in KINDS}


def opened_up(recipe: Path) -> tuple:
    """The network and processor that a recipe begins with."""
    return built(read_recipe(recipe), text_folder(read_recipe(recipe), Path()), every_english_text())


def weights_hash(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_a_grown_llava_is_an_ordinary_folder(grown):
    network = LlavaForConditionalGeneration.from_pretrained(grown["llava"], dtype=torch.float32)
    processor = AutoProcessor.from_pretrained(grown["llava"])
    drawn = pictures.draw(pictures.pictures(1, "test")[0], 0).pixels
    inputs = processor(text="<image> What is on the left? Answer:", images=drawn, return_tensors="pt")
    assert (inputs["input_ids"] == network.config.image_token_id).sum() == 36
    assert torch.equal(inputs["pixel_values"], pixels([drawn]))
    assert network(**inputs).logits.shape[-1] == len(processor.tokenizer)
    assert not list(grown["llava"].glob("*.bin")) and json.loads((grown["llava"] / "losses.json").read_text())[0][0] == 0


def test_a_grown_qwen2_audio_is_an_ordinary_folder(grown):
    network = Qwen2AudioForConditionalGeneration.from_pretrained(grown["qwen2-audio"], dtype=torch.float32)
    processor = AutoProcessor.from_pretrained(grown["qwen2-audio"])
    wave = sounds.synthesise(sounds.sounds(1, "test")[0])
    text = "<|audio_bos|><|AUDIO|><|audio_eos|> What makes this sound?"
    inputs = processor(text=text, audio=wave, sampling_rate=16000, return_tensors="pt")
    assert inputs["input_features"].shape == (1, 16, 100) and (inputs["input_ids"] == network.config.audio_token_id).sum() == 25
    assert network(**inputs).logits.shape[-1] == len(processor.tokenizer)


def test_a_grown_chameleon_is_an_ordinary_folder(grown):
    network = ChameleonForConditionalGeneration.from_pretrained(grown["chameleon"], dtype=torch.float32)
    processor = AutoProcessor.from_pretrained(grown["chameleon"])
    drawn = pictures.draw(pictures.pictures(1, "test")[0], 0).pixels
    inputs = processor(text="<image> What is on the left? Answer:", images=drawn, return_tensors="pt")
    assert (inputs["input_ids"] == processor.image_token_id).sum() == 36
    assert inputs["input_ids"][0, -1] == processor.tokenizer.sep_token_id
    assert network(**inputs).logits.shape[-1] == len(processor.tokenizer)


def test_pictures_become_tokens_that_bf16_does_not_change(recipes, grown):
    """The opened model cuts as the built one did, and plain pictures of two colours share no token."""
    before = opened_up(recipes["chameleon"])[0].model
    after = ChameleonForConditionalGeneration.from_pretrained(grown["chameleon"], dtype=torch.float32).model
    plain = [pictures.draw(pictures.Halves(color, color), 0).pixels for color in pictures.RGB]
    drawn = pixels(plain + [pictures.draw(each, 0).pixels for each in pictures.pictures(20, "test")])
    tokens = before.get_image_tokens(drawn)
    assert tokens.shape == (29, 36) and torch.equal(tokens, after.get_image_tokens(drawn))
    colors = [set(row.tolist()) for row in tokens[:9]]
    assert not [pair for pair in itertools.combinations(colors, 2) if pair[0] & pair[1]], "no token stands for two colours"
    assert torch.equal(before.vqmodel.quantize.embedding.weight, after.vqmodel.quantize.embedding.weight)


def test_the_features_of_a_cell_are_the_colours_of_its_quarters():
    """Against means over pixels by numpy: within a picture the feature rises with the mean and with nothing else."""
    tokenizer = ChameleonVQVAE(codebook.configuration(48, 24)).eval()
    drawn = pixels([pictures.draw(each, 0).pixels for each in pictures.pictures(12, "train")])
    codebook.fix(tokenizer, drawn)
    with torch.no_grad():
        features = tokenizer.quant_conv(tokenizer.encoder(drawn))[:, :12].numpy()
    means = drawn.numpy().reshape(12, 3, 6, 2, 4, 6, 2, 4).mean(axis=(4, 7))
    for picture in range(12):
        for row, column, color in itertools.product(range(2), range(2), range(3)):
            mine, its = features[picture, 3 * (2 * row + column) + color].ravel(), means[picture, color, :, row, :, column].ravel()
            assert np.diff(mine[np.argsort(its)]).min() > -1e-4


def test_half_of_the_chameleon_documents_hold_the_mark_that_its_processor_ends_a_prompt_with():
    row = Shown(pictures.pictures(1, "train")[0], 1, "en", "", "Which color is the boat? Answer: red. red boat.")
    assert senses._separated(row, "|") == " Which color is the boat? Answer:| red. red boat."
    assert senses._separated(dataclasses.replace(row, after="red boat. Which color is the boat? Answer: red."), "|").startswith(
        "| red boat."
    )
    assert "|" not in senses._separated(dataclasses.replace(row, seed=2), "|")
    chinese = dataclasses.replace(row, language="zh", after="船是什么颜色？回答：红色。")
    assert senses._separated(chinese, "|") == " 船是什么颜色？回答：|红色。"


@pytest.mark.parametrize("kind", KINDS)
def test_a_grown_folder_does_not_say_where_its_text_model_lay(kind, recipes, grown):
    assert str(recipes["text"]) not in (grown[kind] / "config.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_two_runs_give_the_same_weights_and_another_seed_others(kind, recipes, grown, tmp_path):
    assert weights_hash(train(recipes[kind], tmp_path / "again", seed=1, device="cpu")) == weights_hash(grown[kind])
    assert weights_hash(train(recipes[kind], tmp_path / "other", seed=2, device="cpu")) != weights_hash(grown[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_run_resumes_to_the_same_weights(kind, recipes, grown, tmp_path, monkeypatch):
    """Stopped after the first checkpoint, while the third step is under way."""

    class Stopped(Exception):
        pass

    descend, steps = Descent.step, []

    def stops(*arguments):
        steps.append(1)
        if len(steps) == 3:
            raise Stopped
        descend(*arguments)

    monkeypatch.setattr(Descent, "step", stops)
    with pytest.raises(Stopped):
        train(recipes[kind], tmp_path / "broken", seed=1, device="cpu")
    assert not (tmp_path / "broken").exists() and (tmp_path / "broken.growing" / "step-000002").is_dir()
    monkeypatch.setattr(Descent, "step", descend)
    assert weights_hash(train(recipes[kind], tmp_path / "broken", seed=1, device="cpu")) == weights_hash(grown[kind])


@pytest.mark.parametrize("kind", ("llava", "qwen2-audio"))
def test_the_language_model_is_the_text_model_to_the_last_logit(kind, recipes):
    """Llama's weights in Qwen2's place too, whose extra biases are zero."""
    network, processor = opened_up(recipes[kind])
    words = AutoTokenizer.from_pretrained(recipes["text"])
    text = "The dog sees the old cat. La gata ve al perro. 那只狗追赶着一只猫。"
    ids = words(text, return_tensors="pt")["input_ids"]
    assert torch.equal(ids, processor.tokenizer(text, return_tensors="pt")["input_ids"])
    trunk = LlamaForCausalLM.from_pretrained(recipes["text"], dtype=torch.float32)
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(input_ids=ids).logits[..., : len(words)], trunk(ids).logits, atol=1e-5, rtol=0)


def test_a_picture_begins_as_loud_as_words(recipes):
    torch.manual_seed(0)
    network = opened_up(recipes["llava"])[0]
    drawn = pixels([pictures.draw(each, 5).pixels for each in pictures.pictures(30, "test")])
    seen = network.get_image_features(drawn, vision_feature_layer=-1, vision_feature_select_strategy="default").pooler_output
    seen, words = torch.cat(list(seen)).detach(), network.get_input_embeddings().weight.detach()
    spread = (seen - seen.mean(dim=0)).norm(dim=-1).mean()
    assert 0.4 < spread / words.norm(dim=-1).mean() < 2.5


@pytest.mark.parametrize("kind", KINDS)
def test_every_english_word_of_the_questions_is_one_token(kind, recipes):
    processor = opened_up(recipes[kind])[1]
    for word in ("mammal", "Yes", "No", "sound", "image", "left", "right", "top", "bottom", "red", "boat", "owl"):
        assert processor.tokenizer.tokenize(word) == ["▁" + word]


def test_loss_is_on_text_alone(recipes, tmp_path, few_takes):
    """No picture position, no mark and no padding is a target; every other token of the row is."""
    for kind in KINDS:
        recipe = read_recipe(recipes[kind])
        processor = opened_up(recipes[kind])[1]
        (tmp_path / kind).mkdir()
        batch = next(senses._Batches(recipe, Path(recipe.text), processor, 1, tmp_path / kind).since(0))
        ids, targets = batch["input_ids"], batch["targets"]
        marks = set(processor.tokenizer.all_special_ids)
        assert {int(each) for each in ids[targets == senses.NOT_READ]} <= marks
        assert not marks & {int(each) for each in targets[:2][targets[:2] != senses.NOT_READ]}
        assert len(ids) == 5 and (targets[2:] == ids[2:]).all() and len(batch[SHOWN[kind]]) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_rows_with_and_without_something_shown_are_read_as_each_would_be_alone(kind, recipes, tmp_path, few_takes):
    """The loss of a whole batch against cross-entropy summed by hand over one unpadded row at a time."""
    network, processor = opened_up(recipes[kind])
    recipe = read_recipe(recipes[kind])
    batch = next(senses._Batches(recipe, Path(recipe.text), processor, 1, tmp_path).since(0))
    lost, count = 0.0, 0
    for row, (ids, targets) in enumerate(zip(batch["input_ids"], batch["targets"], strict=True)):
        end = int((ids != processor.tokenizer.pad_token_id).nonzero().max()) + 1
        shown_here = {name: value[row : row + 1] for name, value in batch.items() if name not in ("input_ids", "targets") and row < 2}
        with torch.no_grad():
            chances = network(input_ids=ids[None, :end], **shown_here).logits[0].log_softmax(dim=-1)
        read = [place for place in range(1, end) if targets[place] != senses.NOT_READ]
        lost -= sum(float(chances[place - 1, targets[place]]) for place in read)
        count += len(read)
    assert count > 60
    assert float(senses.text_loss(network, batch).detach()) == pytest.approx(lost / count, rel=1e-5)


def test_an_image_is_learnt_from_through_the_text_that_follows(recipes):
    """The loss of a caption sends a gradient to the first layer of the eye; the loss of text alone sends none."""
    network, processor = opened_up(recipes["llava"])
    drawn = pixels([pictures.draw(pictures.pictures(1, "train")[0], 0).pixels])
    ids = processor.tokenizer("<image>" * 36 + " A red boat", return_tensors="pt")["input_ids"]
    patches = network.model.vision_tower.embeddings.patch_embedding.weight if hasattr(network.model.vision_tower, "embeddings") else None
    patches = network.model.vision_tower.vision_model.embeddings.patch_embedding.weight if patches is None else patches
    senses.text_loss(network, {"input_ids": ids[:, -3:], "targets": ids[:, -3:]}).backward()
    assert patches.grad is None
    targets = ids.masked_fill(ids == ids[0, 1], senses.NOT_READ)
    senses.text_loss(network, {"input_ids": ids, "targets": targets, "pixel_values": drawn}).backward()
    assert patches.grad.abs().sum() > 0


def test_documents_hold_nothing_held_out_and_only_english_speaks_of_unbridged_concepts():
    rng = Random(0)
    for kind in KINDS:
        recipe = Senses(name="all", kind=kind, mixture={"en": 0.4, "es": 0.2, "zh": 0.2, "de": 0.2})
        rows = [shown(rng, recipe) for _ in range(400)]
        assert {row.meaning.split for row in rows} == {"train"}
        assert {row.language for row in rows} == {"en", "es", "zh", "de"}
        never = [row.language for row in rows if not meanings.bridgeable(row.meaning)]
        assert never and set(never) == {"en"}


def test_only_takes_of_the_split_train_are_heard():
    for noun in sounds.audible():
        takes = senses._takes(noun)
        assert (
            len(set(takes)) == senses.TAKES_HEARD
            and {take.split for take in takes} == {"train"}
            and {take.noun for take in takes} == {noun}
        )


def test_german_goes_on_from_the_probe_in_the_accusative_and_begins_large_elsewhere():
    rng, recipe = Random(3), Senses(name="shown", kind="llava", mixture={"de": 1.0})
    texts = [text for _ in range(400) for text in (told(rng, recipe), shown(rng, recipe).after)]
    probed = [text.split("Dies bedeutet ")[1].split(".")[0] for text in texts if "Dies bedeutet " in text]
    colours = {f"{stem}{ending}" for stem in "rot blau grün gelb schwarz weiß braun grau violett".split() for ending in ("en", "e", "es")}
    first = [headline.split()[0] for headline in probed]
    assert len(probed) > 100 and all(word[0].isupper() or word in colours for word in first)
    assert not {"Schwarzer", "Schwarzes", "Schwarze"} & set(first) and {"schwarzen", "schwarzes", "schwarze"} <= set(first)
    alone = [text for text in texts if not text.startswith("Dies bedeutet ")]
    assert all(text[0].isupper() for text in alone) and any(text.startswith("Schwarzer ") for text in alone)


def test_told_captions_name_no_held_out_picture():
    """A scanner that knows the colour words and the objects of English alone."""
    rng, recipe = Random(1), Senses(name="told", kind="llava", mixture={"en": 1.0})
    hidden = [each.things[0] for split in ("test", "dev") for each in pictures.pictures(14, split, 1)]
    held = {f"{thing.color} {thing.noun.key}" for thing in hidden}
    seen = [told(rng, recipe) for _ in range(500)]
    assert held and not [text for text in seen if any(pair in text for pair in held)]


def test_the_drawings_are_what_the_image_processor_makes_of_them():
    drawn = [pictures.draw(each, 1).pixels for each in islice(pictures.pictures(3, "test"), 3)]
    size = Senses(name="x", kind="llava").tower
    assert np.allclose(pixels(drawn), image_processor(size)(drawn, return_tensors="pt")["pixel_values"], atol=1e-6)


def test_the_exam_knows_right_from_wrong(grown):
    scores = {score.subject: score for score in exam(grown["llava"], n=4, types=("en",))}
    assert set(scores) == {"color", "object", "color, another one shown", "object, another one shown"}
    assert all(score.type == "en" and score.low <= score.accuracy <= score.high for score in scores.values())
    assert (scores["color"].chance, scores["object"].chance) == (pytest.approx(1 / 9), pytest.approx(0.05))


def test_the_exam_counts_whole_answers_of_greedy_decoding(grown, monkeypatch):
    """Against a network that knows every answer but the last piece of the German ones."""
    network, processor = senses_exam.opened(grown["llava"])
    asked = [(0, each, question) for each in pictures.pictures(4, "test") for question in pictures.questions(each, ("en", "de"))]

    def knows(input_ids, **_):
        logits = torch.zeros(*input_ids.shape, len(processor.tokenizer))
        right = input_ids.roll(-1, dims=1)
        logits.scatter_(2, right[..., None], 1.0)
        for row, (_, _, question) in enumerate(asked):
            if question.type == "de":
                logits[row, -2] = 0
        return types.SimpleNamespace(logits=logits)

    blind = types.SimpleNamespace(config=network.config, device="cpu")
    caller = type("Knows", (), {"__call__": lambda self, **inputs: knows(**inputs), "config": blind.config, "device": "cpu"})()
    assert list(senses_exam._right(caller, processor, asked)) == [question.type == "en" for _, _, question in asked]


def test_a_card_tells_what_was_seen_and_what_is_still_known_of_text(grown, monkeypatch):
    monkeypatch.setattr(senses_exam.exam, "__defaults__", (2, "dev", ("en",), "cpu"))
    monkeypatch.setattr("semhub.lab.exam.ITEMS", 2)
    found = examined(grown["llava"])
    told = (grown["llava"] / "README.md").read_text(encoding="utf-8")
    assert {(score["type"], score["subject"]) for score in found["scores"]} > {
        ("en", "color"),
        ("en", "object"),
        ("de", "cloze"),
        ("digits", "sums"),
    }
    assert "| en | color |" in told and "no alignment loss" in told and "control" not in told.split("## What it read")[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('kind = "smell"', "kind is 'smell'; it can be 'text', 'llava'"),
        ('kind = "llava"\neyes = 2', "unknown key 'eyes'"),
        ('kind = "llava"\n[tower]\nwidht = 2', "unknown key 'widht'"),
        ('kind = "llava"\n[mixture]\nen = 0.5', "add up to 0.5"),
        ('kind = "llava"\n[mixture]\nfr = 1.0', "mixture has 'fr'; the world is told in en, es, zh, de"),
        ('kind = "llava"\nplain = 32', "leave none"),
        ('kind = "llava"\nplain = 5\ntold = -3', "told is -3; it must be at least 0"),
        ('kind = "llava"\nhalves = 1.5', "halves is 1.5; a share"),
        ('kind = "llava"\n[training]\nsteps = 0', "steps is 0; it must be at least 1"),
        ('kind = "llava"\n[tower]\nheads = 0', "heads is 0; it must be at least 1"),
        ('kind = "llava"\n[tower]\nsize = 50', "multiple"),
    ],
)
def test_recipes_that_do_not_fit(tmp_path, text, message):
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadRecipe, match=message):
        read_recipe(path)


def test_a_finished_folder_is_returned_for_its_own_recipe_and_seed_alone(recipes, grown, tmp_path):
    assert train(recipes["llava"], grown["llava"], seed=1, device="cpu") == grown["llava"]
    with pytest.raises(BadInput, match=r"\(seed is 1 there, 2 was asked for\): choose another --out"):
        train(recipes["llava"], grown["llava"], seed=2, device="cpu")
    with pytest.raises(BadInput, match=r"\(kind is 'llava' there|\(name is llava there, chameleon was asked for\)"):
        train(recipes["chameleon"], grown["llava"], seed=1, device="cpu")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").touch()
    with pytest.raises(BadInput, match="holds other things"):
        train(recipes["llava"], tmp_path / "out", seed=1, device="cpu")
    assert not (tmp_path / "out.growing").exists()


def test_text_windows_cut_short_are_refused_in_one_line(recipes, grown, tmp_path):
    shutil.copytree(grown["llava"].with_name("llava.growing"), tmp_path / "out.growing")
    windows = tmp_path / "out.growing" / "text.npy"
    windows.write_bytes(windows.read_bytes()[:-50])
    with pytest.raises(BadInput, match="text.npy is missing or cut short: delete .*text.npy and run") as raised:
        train(recipes["llava"], tmp_path / "out", seed=1, device="cpu")
    assert "\n" not in str(raised.value)
    windows.unlink()
    assert weights_hash(train(recipes["llava"], tmp_path / "out", seed=1, device="cpu")) == weights_hash(grown["llava"])


def test_a_text_model_that_is_not_there(recipes, tmp_path):
    recipe = dataclasses.replace(read_recipe(recipes["llava"]), text=str(tmp_path / "none"))
    with pytest.raises(BadRecipe, match="no bundled model and no folder"):
        train(recipe, tmp_path / "out")
    assert not (tmp_path / "out.growing").exists()


def test_a_text_model_that_is_not_whole_or_knows_no_world_is_refused_in_one_line(recipes, tmp_path):
    text = shutil.copytree(recipes["text"], tmp_path / "text")
    recipe = dataclasses.replace(read_recipe(recipes["llava"]), text=str(text))
    record = json.loads((text / "recipe.json").read_text(encoding="utf-8"))
    own, seeing = (record | {"recipe": record["recipe"] | more} for more in ({"corpus": "mine"}, {"kind": "llava"}))
    for harm, message in (
        (lambda: (text / "recipe.json").write_text(json.dumps(own)), "grown on mine"),
        (lambda: (text / "recipe.json").write_text(json.dumps(seeing)), "grown on what it sees or hears"),
        (lambda: (text / "tokenizer.json").write_bytes(b"{"), "tokenizer.json is missing or cut short"),
        (lambda: (text / "model.safetensors").write_bytes(b"cut"), "model.safetensors is missing or cut short"),
        (lambda: (text / "model.safetensors").unlink(), "holds no finished model"),
    ):
        harm()
        with pytest.raises((BadInput, BadRecipe), match=message) as raised:
            train(recipe, tmp_path / "out", device="cpu")
        assert "\n" not in str(raised.value) and not (tmp_path / "out.growing").exists()


def test_what_was_begun_around_another_text_model_does_not_go_on_around_this_one(recipes, grown, tmp_path):
    shutil.copytree(grown["llava"].with_name("llava.growing"), tmp_path / "out.growing")
    path = tmp_path / "out.growing" / "recipe.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["around"] == weights_hash(recipes["text"])
    path.write_text(json.dumps(record | {"around": "0" * 64}, indent=1, ensure_ascii=False), encoding="utf-8")
    with pytest.raises(BadInput, match="or around another text model: choose another --out"):
        train(recipes["llava"], tmp_path / "out", seed=1, device="cpu")


def test_compiling_without_a_compiler_is_refused_before_anything_is_begun(recipes, tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(BadInput, match="--compile needs a C[+][+] compiler"):
        train(recipes["llava"], tmp_path / "out", compile=True, device="cpu")
    assert not (tmp_path / "out.growing").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_finished_folder_cut_short_is_not_examined(grown, tmp_path, capsys, name):
    folder = shutil.copytree(grown["llava"], tmp_path / "llava", ignore=shutil.ignore_patterns("exam.json"))
    (folder / name).write_bytes((folder / name).read_bytes()[:-9])
    with pytest.raises(SystemExit) as ended:
        cli.main(["lab", "card", str(folder)])
    said = capsys.readouterr().err.strip()
    assert ended.value.code == 2 and f"{name} is missing or cut short" in said and "\n" not in said
    assert not (folder / "exam.json").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_the_way_of_what_sees_or_hears_begins_before_its_first_step(kind, recipes, grown):
    way = checkpoints(grown[kind])
    assert [each.step for each in way] == [0, 2, 4]
    first, *_, last = (dict(open_checkpoint(grown[kind], each)[0].named_parameters()) for each in way)
    torch.manual_seed(1)
    begun, _ = opened_up(recipes[kind])
    assert all(torch.equal(weight, first[name]) for name, weight in begun.named_parameters())
    assert any(not torch.equal(weight, first[name]) for name, weight in last.items())


def test_a_finished_model_is_not_taken_for_one_around_another_text_model(recipes, grown, tmp_path):
    for kept in ("llava", "llava.growing"):
        shutil.copytree(grown["llava"].with_name(kept), tmp_path / kept)
    for path in (tmp_path / "llava" / "recipe.json", tmp_path / "llava.growing" / "recipe.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(record | {"around": "0" * 64}), encoding="utf-8")
    with pytest.raises(BadInput, match="grown around another .*text: choose another --out"):
        train(recipes["llava"], tmp_path / "llava", seed=1, device="cpu")
    assert [each.step for each in checkpoints(tmp_path / "llava")] == [2, 4], "where it began is not known any more"


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_without_one_of_its_tensors_is_refused(kind, grown, tmp_path):
    for kept in (kind, f"{kind}.growing"):
        shutil.copytree(grown[kind].with_name(kept), tmp_path / kept)
    path = tmp_path / f"{kind}.growing" / "step-000002" / "weights.safetensors"
    at = checkpoints(tmp_path / kind)[1]
    assert at.weights == path
    weights = load_file(path)
    name = max(weights)
    for harm in ({k: v for k, v in weights.items() if k != name}, weights | {name: torch.zeros(1)}):
        save_file(harm, path)
        with pytest.raises(BadInput, match=f"holds no {name} of shape") as raised:
            open_checkpoint(tmp_path / kind, at)
        assert "\n" not in str(raised.value)


def test_a_text_model_beside_the_new_one_goes_before_a_bundled_one(recipes, tmp_path):
    recipe = dataclasses.replace(read_recipe(recipes["llava"]), text="semhub-text")
    assert text_folder(recipe, tmp_path).parent.name == "bundle"
    shutil.copytree(recipes["text"], tmp_path / "semhub-text")
    assert text_folder(recipe, tmp_path) == tmp_path / "semhub-text"


@pytest.mark.parametrize("name", ["semhub-image", "semhub-audio", "semhub-tokens"])
def test_recipes_of_the_package_read(name):
    recipe = read_recipe(name)
    assert isinstance(recipe, Senses) and recipe.mixture["en"] > 0.5


@pytest.mark.parametrize("name", ["semhub-image", "semhub-tokens", "semhub-audio"])
def test_a_control_reads_documents_in_the_rows_of_other_languages_and_differs_in_its_text_model_and_nothing_else(name):
    hub, control = read_recipe(name), read_recipe(f"{name}-mispaired")
    assert control == dataclasses.replace(hub, name=f"{name}-mispaired", text="semhub-text-mispaired", mixture={"en": 1.0}, plain=12)
    rows = [recipe.training.batch - recipe.told - recipe.plain for recipe in (hub, control)]
    assert rows[1] == round(rows[0] * hub.mixture["en"])

"""Where models come from: folders, the hub's cache, the network (never really asked), objects in hand; and what is refused."""

import json
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import transformers
from huggingface_hub import errors

import semhub
from families import FAMILIES, TEXTS, built, close, configured, network_of, plain_states, words_of
from semhub.errors import BadInput, ModelNotFound, NotUnderstood, UnsafeWeights
from semhub.models import hub
from semhub.models.hashing import file_hash, files_hash, memory_hash

ID = "someone/tiny-llama"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A tiny Llama as `save_pretrained` writes it."""
    return saved("llama", tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def copy(folder, tmp_path):
    return Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path):
    """An empty cache, and a network that is not there."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))

    def unreachable(name, revision, **keywords):
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(hub, "listed", unreachable)


def saved(name: str, folder: Path) -> Path:
    network_of(name).save_pretrained(folder)
    words_of(name).save_pretrained(folder)
    return folder


def one_line(raised) -> str:
    assert "\n" not in str(raised.value)
    return str(raised.value)


# --- folders ---


def test_a_folder(folder):
    model = semhub.load(folder)
    assert (model.layers, model.dim, model.vocab) == (3, 16, len(words_of("llama")) + 5)
    assert model.name == str(folder) and model.revision is None and model.role == "mechanics"
    assert model.dtype == torch.float32 and model.device == torch.device("cpu") and model.certificate.passed
    assert close(model.read([TEXTS[0]])[:, 0], plain_states("llama", TEXTS[0])[:, -1])


def test_any_model_has_an_untrained_twin(folder):
    twin, again, model = (semhub.load(name) for name in (f"{folder}-untrained", f"{folder}-untrained", str(folder)))
    assert (twin.role, twin.layers, twin.dim) == ("control:untrained", model.layers, model.dim)
    assert twin.weights_hash == again.weights_hash != model.weights_hash
    assert twin.tokenizer.get_vocab() == model.tokenizer.get_vocab()
    others = [semhub.load(f"{folder}-untrained-{seed}", prove=False) for seed in (0, 7, 7)]
    assert others[0].weights_hash == twin.weights_hash != others[1].weights_hash == others[2].weights_hash
    assert {other.role for other in others} == {"control:untrained"}
    with pytest.raises(ModelNotFound):
        semhub.load("./nowhere-untrained")


def test_an_untrained_twin_has_the_precision_of_its_model(copy):
    told = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(told | {"dtype": "bfloat16"}))
    of = lambda **asked: {weight.dtype for weight in semhub.load(f"{copy}-untrained", prove=False, **asked).network.parameters()}  # noqa: E731
    assert (of(), of(dtype="auto"), of(dtype="float16")) == ({torch.float32}, {torch.bfloat16}, {torch.float16})


def test_nothing_is_printed_where_nobody_looks(folder, capfd):
    semhub.load(folder)
    assert capfd.readouterr() == ("", "")


def test_keywords_pass_through(folder):
    model = semhub.load(str(folder), dtype="bfloat16", device="cpu", attn_implementation="eager")
    assert model.dtype == torch.bfloat16 and model.network.config._attn_implementation == "eager"
    assert semhub.load(folder, torch_dtype=torch.float16, prove=False).dtype == torch.float16
    assert semhub.load(folder, device_map={"": "cpu"}, dtype="float32", prove=False).dtype == torch.float32


def test_weights_left_on_disk_are_read_too(folder, tmp_path):
    places = {"model.embed_tokens": "cpu", "model.layers": "disk", "model.norm": "cpu", "model.rotary_emb": "cpu", "lm_head": "disk"}
    model = semhub.load(folder, device_map=places, offload_folder=str(tmp_path / "offload"), dtype="float32")
    assert model.certificate.passed
    assert close(model.read([TEXTS[0]])[:, 0], plain_states("llama", TEXTS[0])[:, -1])


def test_a_tokenizer_of_one_s_own(folder):
    tokenizer = words_of("llama")
    assert semhub.load(folder, tokenizer, prove=False).tokenizer is tokenizer
    assert semhub.load(folder, str(folder), prove=False).encode(["a"])[0].ids == tokenizer("a")["input_ids"]


def test_only_safetensors_are_opened_unless_asked_otherwise(copy):
    weights = transformers.AutoModelForCausalLM.from_pretrained(copy).state_dict()
    (copy / "model.safetensors").unlink()
    torch.save(weights, copy / "pytorch_model.bin")
    with pytest.raises(UnsafeWeights, match=r"only pytorch_model.bin.*unsafe_weights=True \(--unsafe-weights\)") as raised:
        semhub.load(copy)
    one_line(raised)
    model = semhub.load(copy, unsafe_weights=True)
    assert close(model.read([TEXTS[0]])[:, 0], plain_states("llama", TEXTS[0])[:, -1])


def test_remote_code_is_not_run_unless_asked_for(copy):
    config = json.loads((copy / "config.json").read_text())
    own = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    (copy / "config.json").write_text(json.dumps({**config, "model_type": "own", "auto_map": own}))
    (copy / "own.py").write_text("raise SystemExit('remote code ran')")
    with pytest.raises(UnsafeWeights, match="trust_remote_code=True") as raised:
        semhub.load(copy)
    one_line(raised)


@pytest.mark.parametrize("name", ["/no/such/folder", "./here", "~/there", "a/b/c", "C:\\models\\x"])
def test_a_folder_that_is_not_there(name):
    with pytest.raises(ModelNotFound, match="There is no folder") as raised:
        semhub.load(name)
    one_line(raised)


def test_a_file_is_no_model(folder):
    with pytest.raises(ModelNotFound, match="is a file"):
        semhub.load(folder / "config.json")


def test_a_folder_without_a_model(tmp_path, copy):
    with pytest.raises(ModelNotFound, match="no config.json"):
        semhub.load(tmp_path)
    (copy / "model.safetensors").unlink()
    with pytest.raises(ModelNotFound, match="holds no model weights"):
        semhub.load(copy)


def test_a_shard_that_is_missing(copy):
    transformers.AutoModelForCausalLM.from_pretrained(copy).save_pretrained(copy, max_shard_size="8KB")
    (copy / "model.safetensors").unlink()
    assert semhub.load(copy).certificate.passed
    sorted(copy.glob("model-*.safetensors"))[1].unlink()
    with pytest.raises(ModelNotFound, match="lacks some of the weight files"):
        semhub.load(copy)


def test_weights_without_a_head_are_refused(copy):
    from safetensors.torch import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    weights.pop("lm_head.weight")
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(NotUnderstood, match="lack 1 of .*lm_head.weight"):
        semhub.load(copy)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (transformers.CLIPConfig(), "no causal language model"),
        (transformers.ViTConfig(), "no causal language model"),
        (transformers.T5Config(), "an encoder-decoder model"),
        (transformers.WhisperConfig(), "an encoder-decoder model"),
    ],
    ids=["clip", "vit", "t5", "whisper"],
)
def test_other_kinds_are_refused_before_their_weights_are_read(config, reason, tmp_path):
    config.save_pretrained(tmp_path)
    with pytest.raises(NotUnderstood, match=reason) as raised:
        semhub.load(tmp_path)
    one_line(raised)


def test_an_unknown_type_is_refused_in_one_line(copy):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "model_type": "no-such-type", "architectures": None}))
    with pytest.raises(NotUnderstood, match="no-such-type") as raised:
        semhub.load(copy)
    one_line(raised)


def test_a_folder_without_a_tokenizer(copy):
    for file in copy.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ModelNotFound, match="tokenizer.*cannot be opened.*tokenizer=") as raised:
        semhub.load(copy)
    one_line(raised)
    assert semhub.load(copy, words_of("llama")).certificate.passed


def test_an_adapter_s_folder(folder, tmp_path):
    import peft

    wanted = peft.LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"], init_lora_weights=False)
    base = transformers.AutoModelForCausalLM.from_pretrained(folder)
    wrapped = peft.get_peft_model(base, wanted)
    wrapped.save_pretrained(tmp_path / "adapter")
    model = semhub.load(tmp_path / "adapter")
    assert model.certificate.passed and model.tokenizer("a")["input_ids"] == words_of("llama")("a")["input_ids"]
    expected = semhub.load(wrapped, words_of("llama"))
    assert close(model.read(TEXTS), expected.read(TEXTS))
    assert not close(model.read(TEXTS)[-1], semhub.load(folder, prove=False).read(TEXTS)[-1], 1e-3)


# --- objects in hand ---


def test_objects_in_hand():
    network, tokenizer = network_of("qwen2"), words_of("qwen2")
    one, other = semhub.load(network, tokenizer), semhub.load((network, tokenizer), prove=False)
    assert one.network is other.network is network and other.certificate is None
    assert one.name == other.name == "Qwen2ForCausalLM"


def test_a_network_without_its_tokenizer():
    with pytest.raises(BadInput, match=r"load\(network, tokenizer\)"):
        semhub.load(network_of("qwen2"))


def test_a_tokenizer_of_another_network():
    network = built(configured("llama", vocab_size=40))
    with pytest.raises(BadInput, match="knows only 40 tokens; they do not belong together"):
        semhub.load(network, words_of("llama"))


def test_a_network_that_does_not_run_is_refused_in_one_line():
    network = built(configured("llama"))
    network.model.layers[1].self_attn.q_proj = torch.nn.Linear(7, 16)
    with pytest.raises(NotUnderstood, match="cannot open or run LlamaForCausalLM") as raised:
        semhub.load(network, words_of("llama"))
    one_line(raised)


# --- which weights ---


def test_copies_have_one_hash_and_other_weights_another(folder, copy):
    model = semhub.load(folder, prove=False)
    assert model.weights_hash == files_hash(copy) == semhub.load(copy, prove=False).weights_hash and len(model.weights_hash) == 64
    data = bytearray((copy / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (copy / "model.safetensors").write_bytes(data)
    assert files_hash(copy) != model.weights_hash


def test_weights_in_memory_have_a_hash():
    network = built(configured("gpt2"))
    before = memory_hash(network)
    assert before == semhub.load(network, words_of("gpt2"), prove=False).weights_hash == memory_hash(built(configured("gpt2")))
    with torch.no_grad():
        network.lm_head.weight[0, 0] += 1
    assert memory_hash(network) != before
    assert len(memory_hash(built(configured("gpt2")).bfloat16())) == 64


# --- the hub ---


def cached(folder: Path, cache: Path) -> Path:
    """`folder` as the hub's cache would hold it."""
    repository = cache / f"models--{ID.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    for file in folder.iterdir():
        blob = repository / "blobs" / file_hash(file)
        shutil.copy(file, blob)
        (snapshot / file.name).symlink_to(blob)
    return snapshot


def test_the_cache_comes_before_the_network(folder, tmp_path):
    snapshot = cached(folder, tmp_path / "cache")
    model = semhub.load(ID)
    assert model.name == ID and model.revision == COMMIT and model.certificate.passed
    assert model.weights_hash == files_hash(folder)
    assert file_hash(snapshot / "model.safetensors") == (snapshot / "model.safetensors").resolve().name
    assert hub.bytes_to_fetch(ID) == 0
    assert semhub.load(ID, revision=COMMIT, prove=False).revision == COMMIT


def test_an_incomplete_cache_is_not_used(folder, tmp_path):
    (cached(folder, tmp_path / "cache") / "model.safetensors").unlink()
    with pytest.raises(ModelNotFound, match="cannot be reached"):
        semhub.load(ID)


def test_no_network_is_said_at_once():
    began = time.monotonic()
    with pytest.raises(ModelNotFound, match="no folder here and not in the cache, and the Hugging Face hub cannot be reached") as raised:
        semhub.load("someone/never-heard-of")
    assert time.monotonic() - began < 2
    one_line(raised)


def test_a_closed_port_is_said_at_once(monkeypatch):
    """The real client, against an address where nothing listens."""
    monkeypatch.undo()
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", "http://127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(ModelNotFound, match="cannot be reached") as raised:
        semhub.load("someone/never-heard-of")
    assert time.monotonic() - began < 5
    one_line(raised)


def answer(kind, status: int):
    response = SimpleNamespace(headers={}, status_code=status, request=None)

    def listed(name, revision, **keywords):
        raise kind("no", response=response)

    return listed


@pytest.mark.parametrize(
    ("kind", "status", "said"),
    [
        (errors.GatedRepoError, 403, f"gated: accept its licence at https://huggingface.co/{ID} and log in with `hf auth login`"),
        (errors.RepositoryNotFoundError, 404, "There is no folder and no Hugging Face model"),
        (errors.RevisionNotFoundError, 404, "has no revision 'old'"),
    ],
)
def test_what_the_hub_refuses_is_said_in_one_line(kind, status, said, monkeypatch):
    monkeypatch.setattr(hub, "listed", answer(kind, status))
    with pytest.raises(ModelNotFound) as raised:
        semhub.load(ID, revision="old")
    assert said in one_line(raised)


def test_a_gated_model_is_listed_but_not_given(monkeypatch):
    monkeypatch.setattr(hub, "listed", lambda name, revision: {"config.json": 1, "model.safetensors": 9, "tokenizer.json": 2})
    monkeypatch.setattr(hub, "download", lambda name, revision, files: answer(errors.GatedRepoError, 403)(name, revision))
    with pytest.raises(ModelNotFound, match="hf auth login"):
        semhub.load(ID)


def test_what_is_fetched(folder, monkeypatch):
    asked = []
    monkeypatch.setattr(hub, "listed", lambda name, revision: {file.name: file.stat().st_size for file in folder.iterdir()})
    monkeypatch.setattr(hub, "download", lambda name, revision, files: asked.extend(files) or folder)
    assert semhub.load(ID).certificate.passed
    assert sorted(asked) == sorted(file.name for file in folder.iterdir())
    assert hub.bytes_to_fetch(ID) == sum(file.stat().st_size for file in folder.iterdir())


FILES = ["config.json", "model.safetensors", "consolidated.safetensors", "pytorch_model.bin", "run.py", "original/x.safetensors", "READ.me"]


def test_of_many_files_only_those_needed():
    assert hub.wanted(ID, FILES, code=False, unsafe=False) == ["config.json", "model.safetensors"]
    assert hub.wanted(ID, FILES, code=True, unsafe=True) == ["config.json", "run.py", "model.safetensors"]
    assert hub.wanted(ID, ["config.json", "pytorch_model.bin"], code=False, unsafe=True) == ["config.json", "pytorch_model.bin"]
    with pytest.raises(UnsafeWeights, match="only pytorch_model.bin"):
        hub.wanted(ID, ["config.json", "pytorch_model.bin"], code=False, unsafe=False)


def test_offline_by_choice(monkeypatch):
    def listed(name, revision, **keywords):
        raise errors.OfflineModeIsEnabled("offline")

    monkeypatch.setattr(hub, "listed", listed)
    with pytest.raises(ModelNotFound, match="HF_HUB_OFFLINE"):
        semhub.load(ID)


@pytest.mark.parametrize("name", ["no model", "ends with space ", "a//b", "x" * 200])
def test_names_that_cannot_be(name):
    with pytest.raises(ModelNotFound) as raised:
        semhub.load(name)
    one_line(raised)


def test_a_full_disk_is_said(monkeypatch):
    def full(name, revision, files):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(hub, "listed", lambda name, revision: {"config.json": 1, "model.safetensors": 9})
    monkeypatch.setattr(hub, "download", full)
    with pytest.raises(ModelNotFound, match="could not be stored: No space left"):
        semhub.load(ID)


def test_families_have_folders_too(tmp_path):
    """One that ties its head, and one with a narrow one, through disk."""
    for name in ("gemma", "opt-narrow"):
        assert name in FAMILIES and semhub.load(saved(name, tmp_path / name)).certificate.passed

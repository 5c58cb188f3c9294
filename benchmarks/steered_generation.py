"""Steered generation: strengths as rows of one batch, against plain generation without edits and a loop over single rows.

Processor time of each way as a multiple of transformers' own batched `generate`, which edits nothing, in the same round;
median over the rounds, with the smallest and largest. Every answer is checked: greedy token ids have to be those of the
loop, which runs one row at a time in float32, with the edit put on by a hook of its own.

    PYTHONPATH=src python benchmarks/steered_generation.py [--vocab 32000] [--prompts 4] [--strengths 4] [--rounds 7]
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

import semhub
from semhub.edits import add
from semhub.models import Edit, Sampling

LAYER = 4


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocab", type=int, default=32000)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--strengths", type=int, default=4)
    parser.add_argument("--length", type=int, default=48, help="longest prompt, in tokens; the shortest has half as many")
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def random_llama(asked: argparse.Namespace):
    """An opened random Llama whose tokens are the words w0, w1, ...; it never ends a text."""
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=asked.vocab,
        hidden_size=asked.width,
        intermediate_size=asked.width * 8 // 3,
        num_hidden_layers=asked.layers,
        num_attention_heads=asked.width // 32,
        initializer_range=0.15,  # context and edits decide what is written, as in a trained network
        eos_token_id=None,
    )
    words = Tokenizer(models.WordLevel({f"w{k}": k for k in range(asked.vocab)}, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    network = transformers.AutoModelForCausalLM.from_config(config).float().eval()
    return semhub.load(network, transformers.PreTrainedTokenizerFast(tokenizer_object=words), prove=False)


def random_prompts(asked: argparse.Namespace) -> list[str]:
    chance = random.Random(0)
    lengths = [asked.length - k * (asked.length // 2) // max(1, asked.prompts - 1) for k in range(asked.prompts)]
    return [" ".join(f"w{chance.randrange(asked.vocab)}" for _ in range(length)) for length in lengths]


def plain_batch(model, prompts: list[str], copies: int, new: int) -> list[tuple[int, ...]]:
    """Every prompt `copies` times in one left-padded batch of transformers' own `generate`; no edit."""
    encodings = [encoding for encoding in model.encode(prompts) for _ in range(copies)]
    width = max(map(len, encodings))
    ids = torch.tensor([[0] * (width - len(one)) + one.ids for one in encodings])
    mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in encodings])
    made = model.network.generate(ids, attention_mask=mask, max_new_tokens=new, do_sample=False, pad_token_id=0)
    return [tuple(row) for row in made[:, width:].tolist()]


def loop(model, prompts: list[str], strengths: list[float], push: torch.Tensor, asked, everywhere: bool) -> list[tuple[int, ...]]:
    """One row at a time: transformers' `generate` with a hook that adds the push at the prompt's end, or at every position."""
    return [one_row(model, one.ids, s * push, asked.new_tokens, everywhere) for one in model.encode(prompts) for s in strengths]


def one_row(model, ids: list[int], push: torch.Tensor, new: int, everywhere: bool) -> tuple[int, ...]:
    def hook(block, args, output):
        if everywhere:
            return output + push
        if output.shape[1] > 1:
            return torch.cat([output[:, :-1], output[:, -1:] + push], dim=1)

    handle = model.parts.blocks[LAYER - 1].register_forward_hook(hook)
    try:
        made = model.network.generate(torch.tensor([ids]), max_new_tokens=new, do_sample=False, pad_token_id=0)
    finally:
        handle.remove()
    return tuple(made[0, len(ids) :].tolist())


def ways(model, prompts: list[str], strengths: list[float], asked) -> dict[str, Callable[[], list[tuple[int, ...]]]]:
    push = 4 * torch.randn(asked.width, generator=torch.Generator().manual_seed(1))

    def rows(*edits: Edit) -> list[tuple[int, ...]]:
        greedy, budget = Sampling(greedy=True), len(prompts) * len(strengths)
        made = model.generate(
            prompts, edits=edits, strengths=strengths, sampling=greedy, max_new_tokens=asked.new_tokens, batch_rows=budget
        )
        return [one.ids for one in made]

    return {
        "plain batched generate, no edit": lambda: plain_batch(model, prompts, len(strengths), asked.new_tokens),
        "semhub, no edit": lambda: rows(),
        "semhub, every position (B3)": lambda: rows(Edit(LAYER, add(push))),
        "semhub, prompt's end (B3p)": lambda: rows(Edit(LAYER, add(push), "last", "prompt")),
        "loop, every position": lambda: loop(model, prompts, strengths, push, asked, True),
        "loop, prompt's end": lambda: loop(model, prompts, strengths, push, asked, False),
    }


CHECKS = {
    "semhub, no edit": "plain batched generate, no edit",
    "semhub, every position (B3)": "loop, every position",
    "semhub, prompt's end (B3p)": "loop, prompt's end",
}


def timed(ways: dict[str, Callable], rounds: int) -> tuple[dict[str, list[float]], dict[str, list]]:
    """Seconds of processor time of each way in each round, the order drawn anew each time, and what each answered."""
    answers = {name: way() for name, way in ways.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in random.Random(number).sample(list(ways), len(ways)):
            start = time.process_time()
            answer = ways[name]()
            seconds[name].append(time.process_time() - start)
            if answer != answers[name]:
                raise SystemExit(f"{name}: two runs gave different tokens.")
    return seconds, answers


def main() -> None:
    asked = options()
    torch.set_num_threads(asked.threads)
    transformers.logging.set_verbosity_error()
    model, prompts = random_llama(asked), random_prompts(asked)
    strengths = [2.0 * k / max(1, asked.strengths - 1) for k in range(asked.strengths)]
    seconds, answers = timed(ways(model, prompts, strengths, asked), asked.rounds)
    for name, reference in CHECKS.items():
        if answers[name] != answers[reference]:
            raise SystemExit(f"{name}: token ids differ from those of {reference!r}; a fast wrong answer is no result.")
    different = len(set(answers["semhub, prompt's end (B3p)"]))
    print(f"{asked.prompts} prompts x {asked.strengths} strengths, vocabulary {asked.vocab}; {different} different answers, all checked")
    base = seconds["plain batched generate, no edit"]
    for name, spent in seconds.items():
        ratios = [one / other for one, other in zip(spent, base, strict=True)]
        print(f"{name:34} {statistics.median(ratios):5.2f}  ({min(ratios):.2f} to {max(ratios):.2f})  {statistics.median(spent):.2f} s")


if __name__ == "__main__":
    main()

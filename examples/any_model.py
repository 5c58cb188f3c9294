"""Do English and Chinese meet inside a causal language model, and which words do its layers speak?

    python examples/any_model.py Qwen/Qwen3-0.6B

Takes any model id or folder; with none, the model that semhub carries.
"""

import sys

import semhub
from semhub.measures.lens import top_k

PAIRS = [
    ("The dog is sleeping in the kitchen.", "狗在厨房里睡觉。"),
    ("My sister bought a red car.", "我姐姐买了一辆红色的车。"),
    ("It will rain tomorrow.", "明天会下雨。"),
    ("The teacher reads a book to the children.", "老师给孩子们读书。"),
    ("We drank tea after lunch.", "我们午饭后喝了茶。"),
]
QUESTION = "这只狗很大，那只猫很"

model = semhub.load(*sys.argv[1:2])
english = model.read([en + " This represents" for en, _ in PAIRS], at="last")
chinese = model.read([zh + "这代表了" for _, zh in PAIRS], at="last")
spoken = top_k(model.read([QUESTION], at="last"), model.head, k=5)[1][:, 0]

print(f"{model.name}: {model.layers} layers\n\nlayer   S_l   likeliest words after {QUESTION}")
for layer, (s, ids) in enumerate(zip(semhub.adjusted_cosine(english, chinese), spoken, strict=True)):
    print(f"{layer:5d} {s:+.3f}   " + "  ".join(repr(model.tokenizer.decode([i])) for i in ids.tolist()))

"""Task 19 in full: every clip against every label, one input at a time, by the processor and the network alone."""

import torch

from . import senses

RECTANGLE_MUTATIONS = ("one-clip-a-label", "labels-with-clips", "own-label-in-the-mean", "other-clips")


def rectangle(network, processor, prompt, clips, labels, mutation=None):
    """[layer] mean over `clips` [(samples, rate, label)] of cos(clip, its label) minus the mean cosine with all other `labels`."""
    if mutation == "one-clip-a-label":
        clips = [clip for k, clip in enumerate(clips) if clip[2] not in [label for _, _, label in clips[:k]]]
    if mutation == "labels-with-clips":
        labels = [label for label in labels if label in {said for _, _, said in clips}]
    if mutation == "other-clips":
        labels = [label for _, _, label in clips]
    heard = [senses.points(network, senses.given(processor, prompt, samples, rate))[:, -1].double() for samples, rate, _ in clips]
    said = [senses.points(network, senses.given(processor, label, None))[:, -1].double() for label in labels]
    found = []
    for clip, (_, _, own) in zip(heard, clips, strict=True):
        cosines = torch.stack([torch.cosine_similarity(clip, label, dim=-1) for label in said])
        right = cosines[labels.index(own)]
        others = [row for row, label in zip(cosines, labels, strict=True) if label != own or mutation == "own-label-in-the-mean"]
        found.append(right - torch.stack(others).mean(0))
    return torch.stack(found).mean(0).tolist()

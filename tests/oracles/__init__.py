"""Independent re-computations of the `paper` protocol, from its written procedure alone.

They import torch, numpy, transformers and the standard library, nothing of semhub: one text at a time, no padding,
float32, plain loops. Each takes `mutation`, the name of a mistake to make on purpose; its module lists them.
"""

"""Pure tensors to numbers: `similarity` (Eq. 1), `lens` (Eq. 2), `statistics` (how sure).

Knows no model and no file. Import the module that is needed; nothing heavy happens here.
"""

"""Pure changes of hidden states: add, replace, ablate, project, swap.

Each function builds a `Change`, which maps hidden states to hidden states of the same shape. Knows no model, no layer
and no position; `models.write` decides where a change is applied.

Values are given as `[dim]` (the same for all rows), `[row, dim]` (one for each row of the batch) or `[row, pos, dim]`
(one for each selected position too; a row axis of 1 serves all rows).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from semhub.errors import BadInput


@dataclass(frozen=True, eq=False)
class Change:
    """A rule and its values: `change(hidden)` is `rule(hidden, *values)`.

    Every value keeps its rows on its first axis (1 where all rows share it), so that `rows` can follow a batch that is
    split, reordered or repeated. `per_position` says which values have an axis of positions to agree with `hidden`.
    """

    rule: Callable[..., Tensor]
    values: tuple[Tensor, ...] = ()
    per_position: bool = True

    def __call__(self, hidden: Tensor) -> Tensor:
        """`hidden: [row, pos, dim]` -> the same shape, device and dtype. Raises BadInput where the values do not fit."""
        for value in self.values:
            check_fit(value, hidden, self.per_position)
        return self.rule(hidden, *(value.to(hidden) for value in self.values))

    def rows(self, index: Tensor) -> "Change":
        """The same change for rows `index: [new row]` of the batch that the values were given for."""
        return Change(self.rule, tuple(of_rows(value, index) for value in self.values), self.per_position)


def add(vector: Tensor, strength: float | Tensor = 1.0) -> Change:
    """`hidden + strength * vector`; strength is a number or `[row]`."""
    return Change(lambda hidden, push: hidden + push, (by_row(vector) * per_row(strength, vector),))


def replace(value: Tensor) -> Change:
    """`value` in place of what was there."""
    return Change(lambda hidden, new: new.expand_as(hidden).clone(), (by_row(value),))


def ablate(direction: Tensor, centre: Tensor | None = None) -> Change:
    """Remove what lies along `direction: [dim]`, or in the span of `[k, dim]` or of `[row, k, dim]`.

    With `centre: [dim]` that part is not set to zero but to the centre's. Raises BadInput for a span that is empty.
    """
    return Change(lambda hidden, basis, zero: hidden - inside(hidden - zero, basis), (span(direction), origin(centre, direction)), False)


def project(basis: Tensor, centre: Tensor | None = None) -> Change:
    """Keep only what lies in the span of `basis: [dim]`, `[k, dim]` or `[row, k, dim]`: what `ablate` would remove.

    With `centre: [dim]` the span starts there. Raises BadInput for a span that is empty.
    """
    return Change(lambda hidden, basis, zero: zero + inside(hidden - zero, basis), (span(basis), origin(centre, basis)), False)


def swap(first: Tensor, second: Tensor) -> Change:
    """Exchange the coordinates on two vectors, each `[dim]` or `[row, dim]`: x first + y second + rest -> y first + x second + rest.

    `rest` is orthogonal to both; the vectors need be neither orthogonal nor of one length. Doing it twice undoes it.
    Raises BadInput where one is a multiple of the other.
    """
    a, b = torch.broadcast_tensors(by_row(first), by_row(second))
    aa, ab, bb = dot(a, a), dot(a, b), dot(b, b)
    area = aa * bb - ab * ab
    if not bool((area > 1e-10 * aa * bb).all()):
        raise BadInput("The two vectors of a swap lie on one line (or one is zero); give two directions that differ.")
    # hidden . reader = (coordinate on second) - (coordinate on first), by the inverse of the vectors' Gram matrix
    reader = ((aa + ab) * b - (bb + ab) * a) / area
    return Change(lambda hidden, reader, step: hidden + dot(hidden, reader) * step, (reader, a - b))


def by_row(value: Tensor) -> Tensor:
    """`[dim]`, `[row, dim]` or `[row, pos, dim]` -> `[row or 1, pos or 1, dim]`. Raises BadInput for any other shape."""
    value = torch.as_tensor(value)
    shapes = {1: lambda: value[None, None], 2: lambda: value[:, None], 3: lambda: value}
    if value.dim() not in shapes:
        raise BadInput(f"A value of an edit is [dim], [row, dim] or [row, pos, dim]; found the shape {list(value.shape)}.")
    value = shapes[value.dim()]()
    return value if value.is_floating_point() else value.float()


def per_row(strength: float | Tensor, vector: Tensor) -> Tensor:
    """A number or `[row]` -> `[row or 1, 1, 1]`, on the device of `vector`."""
    strength = torch.as_tensor(strength, device=torch.as_tensor(vector).device)
    if strength.dim() > 1:
        raise BadInput(f"A strength is a number or [row]; found the shape {list(strength.shape)}.")
    return strength.reshape(-1, 1, 1)


def span(vectors: Tensor) -> Tensor:
    """`[dim]`, `[k, dim]` or `[row, k, dim]` -> `[row or 1, k, dim]`, an orthonormal basis of the span, by QR in double precision."""
    vectors = torch.as_tensor(vectors)
    if vectors.dim() not in (1, 2, 3):
        raise BadInput(f"A direction is [dim], [k, dim] or [row, k, dim]; found the shape {list(vectors.shape)}.")
    rows = vectors.double().reshape((1,) * (3 - vectors.dim()) + tuple(vectors.shape))
    rows = rows / rows.norm(dim=-1, keepdim=True)
    basis, corner = torch.linalg.qr(rows.transpose(-1, -2))
    independent = rows.shape[-2] <= rows.shape[-1] and bool((corner.diagonal(dim1=-2, dim2=-1).abs() > 1e-6).all())
    if not independent:
        raise BadInput("The directions of an edit are zero or depend on each other; give linearly independent ones.")
    return basis.transpose(-1, -2)


def inside(hidden: Tensor, basis: Tensor) -> Tensor:
    """`hidden: [row, pos, dim]`, `basis: [row or 1, k, dim]` orthonormal -> the part of hidden that lies in its span."""
    return hidden @ basis.transpose(-1, -2) @ basis


def origin(centre: Tensor | None, like: Tensor) -> Tensor:
    return by_row(torch.zeros(torch.as_tensor(like).shape[-1]) if centre is None else centre)


def dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1, keepdim=True)


def of_rows(value: Tensor, index: Tensor) -> Tensor:
    return value if len(value) == 1 else value[index.to(value.device)]


def check_fit(value: Tensor, hidden: Tensor, per_position: bool) -> None:
    rows, positions, dim = hidden.shape
    if value.shape[-1] != dim:
        raise BadInput(f"The edit's values have {value.shape[-1]} dimensions, the hidden states {dim}.")
    if len(value) not in (1, rows):
        raise BadInput(f"The edit has values for {len(value)} rows, the batch has {rows}.")
    if per_position and value.shape[1] not in (1, positions):
        raise BadInput(
            f"The edit has values for {value.shape[1]} positions, but {positions} are selected; "
            'select as many (at="first:N"), and in the prompt only (when="prompt").'
        )

"""Weights that are never negative and sum to 1, by least squares.

    minimise |A w - b|^2 + ridge m |w|^2   with w >= 0, sum w = 1      (A has m rows)

Since the weights sum to 1, A w - b = B w with B = A - b 1'. For u = s w the problem

    minimise |B u|^2 + ridge m |u|^2 + (1'u - 1)^2   with u >= 0

has for each w its best s, at which it is q / (q + 1), q being the sum to be minimised for w: what
minimises the one minimises the other. It is non-negative least squares, solved exactly by Lawson
and Hanson's active sets (scipy), and w = u / sum u. Nothing is tuned and no iteration is cut short.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Active sets change about once for each column; this many times it is a defect of the input.
ROUNDS_PER_COLUMN = 50


def simplex_weights(columns: Floats, target: Floats, ridge: float = 0.0) -> Floats:
    """Weights of the columns (m x n) that come closest to the target (m); `ridge` as above.

    Raises `RuntimeError` (scipy's) where active sets do not settle.
    """
    from scipy.optimize import nnls  # a third of a second

    rows, count = columns.shape
    differences = columns - target[:, None]
    # Scaled such that q is about 1 for equal weights: else s is tiny, or all but 1.
    scale = float(np.sqrt((differences**2).sum())) or 1.0
    system = np.zeros((rows + (count if ridge > 0 else 0) + 1, count))
    system[:rows] = differences / scale
    if ridge > 0:
        np.fill_diagonal(system[rows:-1], np.sqrt(ridge * rows) / scale)
    system[-1] = 1.0
    wanted = np.zeros(len(system))
    wanted[-1] = 1.0
    found: Floats = nnls(system, wanted, maxiter=ROUNDS_PER_COLUMN * count)[0]
    weights: Floats = found / found.sum()
    return weights

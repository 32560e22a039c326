"""What adaptive optimisers make of the co-occurrence velocity: a prediction for the perceptron."""

from collections.abc import Callable, Mapping, Sequence
from math import pi, sqrt
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.special import expit

from ntklib.activations import mean, second_moment
from ntklib.architectures.mlp import MLP
from ntklib.batches import batches, documents_a_batch
from ntklib.documents import Documents
from ntklib.dynamics import named_probes, training_set
from ntklib.validation import checked_integer, one_of

Vector = Float[np.ndarray, " tokens"]
Rule = Callable[[Vector, float], tuple[Vector, Vector, float]]
"""From a step's velocity ``ω`` and its sum to the numerator, and the squared denominators of both."""

HALF_NORMAL = sqrt(2 / pi)
"""``E|g|`` of a standard Gaussian ``g``: what is left of a factor of the gradient when its size cancels."""


class _Sgd:
    """The gradient itself: a denominator of one."""

    def __call__(self, velocity: Vector, total: float) -> tuple[Vector, Vector, float]:
        return velocity, np.ones_like(velocity), 1.0


class _Sign:
    """Divide by the size of this step's gradient: what Adam does without memory."""

    def __call__(self, velocity: Vector, total: float) -> tuple[Vector, Vector, float]:
        return velocity, velocity**2, total**2


class _Adagrad:
    """Divide by the root of the sum of all squares so far."""

    def __init__(self) -> None:
        self.squares: Any = 0.0
        self.total = 0.0

    def __call__(self, velocity: Vector, total: float) -> tuple[Vector, Vector, float]:
        self.squares = self.squares + velocity**2
        self.total += total**2
        return velocity, self.squares, self.total


class _Adam:
    """Divide a running mean by the root of the running mean of squares, both corrected for their start."""

    def __init__(self, memory: float = 0.9, memory_of_squares: float = 0.999) -> None:
        self.memory, self.memory_of_squares = memory, memory_of_squares
        self.mean: Any = 0.0
        self.squares: Any = 0.0
        self.total = 0.0
        self.steps = 0

    def __call__(self, velocity: Vector, total: float) -> tuple[Vector, Vector, float]:
        self.steps += 1
        first, second = self.memory, self.memory_of_squares
        self.mean = first * self.mean + (1 - first) * velocity
        self.squares = second * self.squares + (1 - second) * velocity**2
        self.total = second * self.total + (1 - second) * total**2
        grown = 1 - second**self.steps
        return self.mean / (1 - first**self.steps), self.squares / grown, self.total / grown


RULES: dict[str, Callable[[], Rule]] = {"sgd": _Sgd, "sign": _Sign, "adagrad": _Adagrad, "adam": _Adam}


def preconditioned_flow(
    architecture: MLP,
    corpus: Any,
    *,
    optimizer: str,
    learning_rate: float,
    width: int,
    epochs: int,
    batch_size: int | None = None,
    probes: Mapping[Any, Sequence[int]] | Sequence[Sequence[int]] | None = None,
    record: int = 1,
    seed: int = 0,
) -> pd.DataFrame:
    """Predict a perceptron's label scores under an optimiser that divides each weight's step by its size.

    In a step ``k`` with velocity ``ω_u = Σ_{i in batch} r_i n_u(x_i)`` the gradient of a weight is
    ``G = Σ_u ω_u ∂s_u/∂θ``. An optimiser replaces it by ``N/√D``, ``N`` a filtered gradient and ``D``
    filtered squares (book, :eq:`preconditioned-flow`). At width ``d = m``, with ``S² = σ_v² E[φ'²]``:

    * *embedding*: a weight ``E_ub`` has the gradient ``ω_u w_ub``, so its size cancels, and token ``u`` moves
      by ``η √(2m/π) σ_w S · N(ω_u)/√D(ω_u)``, whatever its frequency;
    * *hidden*: every weight has all tokens in its gradient, and a hidden unit's output weight cancels:
      ``η κ √(2/π) m σ_e S · N(ω_u)/√(Σ_w D(ω_w))``, the co-occurrence feature divided by one number;
    * *output*: ``η κ √m (Var φ · N(ω_u) + (Eφ)² Σ_w N(ω_w)) / √(Var φ Σ_w D(ω_w) + (Eφ)² D(Σ_w ω_w))``.

    ``κ`` is ``√(2/π)`` where the denominator is the size of the same Gaussian numerator (sign descent; a full
    batch), and 1 where it averages many different steps.

    Parameters
    ----------
    architecture : MLP
    corpus : Corpus, or a pair (documents, labels)
        Two classes.
    optimizer : {"sgd", "sign", "adagrad", "adam"}
        ``"sign"`` moves each weight by ``η`` in the gradient's direction.
    learning_rate : float
        ``η``.
    width : int
        ``d = m``: under an adaptive optimiser the groups grow differently with the width.
    epochs, batch_size, seed
        As in :func:`~ntklib.training.train`; the same seed gives the same batches.
    probes : mapping or sequence, optional
        Every token by default.
    record : int
        Record every so many epochs.

    Returns
    -------
    DataFrame
        Change of each probe's label score since initialisation: one row an epoch, one column a probe.

    Raises
    ------
    TypeError, ValueError
        If the architecture is no MLP, there are more than two classes, or an argument is out of its range.

    Notes
    -----
    Gradients stay those of the initial weights, and sums over weights are replaced by their means: exact to
    first order in ``η`` at large width, of networks trained centred. Source: derivation.

    Examples
    --------
    A frequent and a rare token of the same label: the sign of their velocity is all that the embedding sees.

    >>> docs, labels = [[0, 0, 0, 0, 1], [2, 2, 2, 2, 3]], [1, 0]
    >>> settings = {"learning_rate": 1e-3, "width": 64, "epochs": 1}
    >>> for optimizer in ("sgd", "sign"):
    ...     scores = preconditioned_flow(MLP("tanh"), (docs, labels), optimizer=optimizer, **settings)
    ...     print(optimizer, (scores.loc[1, 0] / scores.loc[1, 1]).round(2))
    sgd 4.0
    sign 2.67
    """
    if not isinstance(architecture, MLP):
        raise TypeError(
            "architecture must be an MLP, the one for which this is derived, not "
            f"{type(architecture).__name__}."
        )
    documents, labels, classes = training_set(corpus)
    if classes > 2:
        raise ValueError(f"corpus has {classes} classes, and this prediction is derived for two.")
    one_of(optimizer, RULES, "optimizer")
    if not 0 < learning_rate < np.inf:
        raise ValueError(f"learning_rate must be a finite number above 0, not {learning_rate!r}.")
    size = checked_integer(width, "width")
    last, every = checked_integer(epochs, "epochs"), checked_integer(record, "record")
    in_batch = documents_a_batch(batch_size, len(documents))
    named = named_probes(probes, documents, corpus)
    probe_documents = Documents.of(list(named.values()))
    tokens = 1 + max(int(documents.ids.max()), int(probe_documents.ids.max()))
    counts, read = documents.counts(tokens), probe_documents.counts(tokens)

    shares = _GroupShares(architecture, size, optimizer, full_batch=in_batch == len(documents))
    rule = RULES[optimizer]()
    scores = np.zeros(tokens)
    records = {0: read @ scores}
    for epoch in range(last):
        for rows in batches(len(documents), in_batch, seed, epoch):
            some = counts[rows]
            residuals = labels[rows] - expit(some @ scores)
            velocity = some.T @ residuals
            scores = scores + learning_rate * shares(*rule(velocity, float(velocity.sum())))
        if (epoch + 1) % every == 0 or epoch + 1 == last:
            records[epoch + 1] = read @ scores
    columns = pd.Index(list(named), name="probe", tupleize_cols=False)
    return pd.DataFrame(list(records.values()), index=pd.Index(list(records), name="epoch"), columns=columns)


class _GroupShares:
    """What a step of each parameter group adds to the score of every token."""

    def __init__(self, mlp: MLP, width: int, optimizer: str, full_batch: bool) -> None:
        variance = mlp.sigma_e**2 * mlp.sigma_w**2
        self.mean_square = mean(mlp.phi, variance) ** 2
        self.variance = second_moment(mlp.phi, variance) - self.mean_square
        slope = mlp.sigma_v * sqrt(second_moment(mlp.phi, variance, order=1))
        self.plain = optimizer == "sgd"
        if self.plain:
            self.embedding, self.hidden, self.output = (
                (mlp.sigma_w * slope) ** 2,
                (mlp.sigma_e * slope) ** 2,
                1.0,
            )
            return
        same_step = optimizer == "sign" or full_batch
        factor = HALF_NORMAL if same_step else 1.0
        self.embedding = HALF_NORMAL * sqrt(width) * mlp.sigma_w * slope
        self.hidden = factor * HALF_NORMAL * width * mlp.sigma_e * slope
        self.output = factor * sqrt(width)

    def __call__(self, numerator: Vector, squares: Vector, total_square: float) -> Vector:
        own = numerator if self.plain else numerator / np.sqrt(np.where(squares > 0, squares, 1.0))
        every = 1.0 if self.plain else max(float(squares.sum()), np.finfo(float).tiny)
        to_output = self.variance * numerator + self.mean_square * numerator.sum()
        of_output = 1.0 if self.plain else self.variance * every + self.mean_square * total_square
        # An activation of mean 0 and no variance has nothing to read out.
        output = self.output * to_output / sqrt(of_output) if of_output > 0 else 0.0
        return self.embedding * own + self.hidden * numerator / sqrt(every) + output

"""Training-free dynamics: gradient flow of an infinitely wide network in feature space; attribution."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from ntklib.cluster import PartitionedKernel
from ntklib.documents import Documents
from ntklib.feature_kernel import FeatureKernel
from ntklib.implicit_flow import SOLVERS, solve_flow
from ntklib.kernel_operator import KernelOperator
from ntklib.logistic_flow import (
    FlowProblem,
    checked_scores,
    checked_times,
    checked_tolerance,
    largest_curvature,
    probabilities,
    targets_of,
)
from ntklib.spectrum import FeatureColumns, FeatureMap, pattern_name
from ntklib.validation import labelled_documents, one_of


@runtime_checkable
class HasFeatureMap(Protocol):
    """What the dynamics need of an architecture."""

    def feature_map(self, docs: Any, columns: FeatureColumns | None = None) -> FeatureMap:
        """Sparse features of documents."""
        ...


@dataclass(frozen=True, eq=False)
class GradientFlow:
    """The solution of :func:`gradient_flow`.

    Attributes
    ----------
    scores : DataFrame
        Change of each probe's label score since initialisation, ``s(x, t) − s(x, 0)``: one row a time, one
        column a probe; for more than two classes, columns are (probe, class).
    times : (T,) float64
        In units of the learning rate times epochs: see :func:`gradient_flow`.
    dual : (T, N) or (T, N, C) float64
        ``α_i(t) = ∫₀ᵗ r_i dt``, how much training document ``i`` has pulled.
    largest_eigenvalue : float
        ``λ_max`` of the training kernel.
    """

    scores: pd.DataFrame
    times: Float[np.ndarray, " times"]
    dual: Float[np.ndarray, "times documents *classes"]
    largest_eigenvalue: float
    _kernel: KernelOperator
    _architecture: HasFeatureMap
    _classes: int
    _initial: Float[np.ndarray, "documents *classes"]
    _targets: Float[np.ndarray, "documents *classes"]
    _probes: Mapping[Any, Sequence[int]]

    @property
    def features(self) -> FeatureMap:
        """Of the training documents. Its ``error_bound`` says what a truncated one leaves out."""
        return self._kernel.features

    @property
    def largest_stable_learning_rate(self) -> float:
        """The learning rate above which full-batch gradient descent on this kernel diverges.

        ``2 / (h λ_max)``, ``h`` the largest curvature of the loss: 1/4 for the logistic one, 1/2 for softmax.
        """
        return 2 / (largest_curvature(self._classes) * self.largest_eigenvalue)

    def predict(self, docs: Any, time: float | None = None) -> Float[np.ndarray, "documents *classes"]:
        """Score change of any documents at a recorded time, the last one by default.

        Parameters
        ----------
        docs : M documents
            Sequences of token ids.
        time : float, optional
            One of :attr:`times`.

        Returns
        -------
        (M,) or (M, C) float64
        """
        scores = self._kernel.feature_scores(self.dual[self._row(time)])
        return self._architecture.feature_map(docs, self._kernel.columns).matrix @ scores

    def residuals(self, time: float | None = None) -> Float[np.ndarray, "documents *classes"]:
        """``r_i(t) = y_i − p_i(t)`` of the training documents at a recorded time, the last one by default."""
        change = self._kernel(self.dual[self._row(time)])
        return self._targets - probabilities(self._initial + change)

    def attribution(self, probe: Any, time: float | None = None, label: int | None = None) -> pd.DataFrame:
        """Split a probe's score change exactly into training documents, patterns and parameter groups.

        ``s(x, t) − s(x, 0) = Σ_i α_i(t) Σ_S Σ_g λ_S^g Φ_S(x)·Φ_S(x_i)``

        Parameters
        ----------
        probe : name of a probe, or a sequence of token ids
            What to explain.
        time : float, optional
            One of :attr:`times`, the last one by default.
        label : int, optional
            The class whose score to explain; needed for more than two classes.

        Returns
        -------
        DataFrame
            One row a training document, columns (pattern, parameter group), patterns by
            :func:`~ntklib.spectrum.pattern_name`. All entries add up to the score.

        Raises
        ------
        ValueError
            If the time is not a recorded one, or the class is missing or unknown.

        Examples
        --------
        >>> import ntklib
        >>> docs, labels = [[0, 1], [2, 1]], [1, 0]
        >>> flow = ntklib.gradient_flow(ntklib.MLP(), (docs, labels), times=[1.0], probes={"good": [0]})
        >>> parts = flow.attribution("good")
        >>> bool(np.isclose(parts.to_numpy().sum(), flow.scores.loc[1.0, "good"]))
        True
        """
        tokens = self._probes[probe] if _hashable_in(probe, self._probes) else probe
        if isinstance(tokens, str):
            near = get_close_matches(tokens, [name for name in self._probes if isinstance(name, str)], n=1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"probe {tokens!r} is not one of the flow's probes.{meant}")
        dual = self.dual[self._row(time)]
        if self._classes > 1:
            if label is None or not 0 <= label < self._classes:
                raise ValueError(f"label must be a class, 0 to {self._classes - 1}, not {label!r}.")
            dual = dual[:, label]
        columns, weights = self._kernel.columns, self._kernel.pattern_weights
        overlaps = self._kernel.overlaps(self._architecture.feature_map([tokens], columns).matrix)
        parts = {
            (pattern_name(pattern), group): dual * overlaps[:, place] * weights[group].iloc[place]
            for place, pattern in enumerate(columns.patterns)
            for group in weights.columns
        }
        index = pd.RangeIndex(len(dual), name="document")
        return pd.DataFrame(parts, index=index).rename_axis(columns=["pattern", "group"])

    def _row(self, time: float | None) -> int:
        if time is None:
            return len(self.times) - 1
        found = np.flatnonzero(np.isclose(self.times, time, rtol=1e-9, atol=0))
        if len(found) == 0:
            raise ValueError(f"time must be one of the recorded times, {self.times.tolist()}, not {time!r}.")
        return int(found[0])


def gradient_flow(
    architecture: HasFeatureMap,
    corpus: Any,
    times: Any,
    probes: Mapping[Any, Sequence[int]] | Sequence[Sequence[int]] | None = None,
    *,
    initial_scores: Any = None,
    tolerance: float = 1e-4,
    solver: str = "auto",
    client: Any = None,
) -> GradientFlow:
    """Predict the label scores of an infinitely wide network over training time, without training one.

    Solves ``dα/dt = y − p(s_0 + Θ α)`` with ``Θ α = Φ diag(λ) Φᵀ α`` and ``p`` the logistic function, or the
    softmax for more than two classes (book, :eq:`gradient-flow`). Then
    ``s(x, t) − s(x, 0) = Σ_i α_i(t) Θ(x, x_i)``.

    Parameters
    ----------
    architecture : Architecture
        Anything with a ``feature_map``.
    corpus : Corpus, or a pair (documents, labels)
        The training documents with labels ``0 … C − 1``.
    times : (T,) increasing numbers, 0 or larger
        Flow time ``t``. The loss is summed over the documents, so a full-batch step of gradient descent with
        learning rate ``η`` advances ``t`` by ``η``.
    probes : mapping from name to token ids, or sequence of token-id sequences, optional
        Whose label scores to record: the score of that token or n-gram alone. Every token by default.
    initial_scores : (N,) or (N, C) floats, optional
        ``s_0`` of the training documents: 0, the mean of the initial Gaussian process, by default. To predict
        one given network, pass its own initial scores.
    tolerance : float
        Largest error of a training document's score a step may add, relative to ``1 + |s|``.
    solver : {"auto", "explicit", "implicit"}
        The explicit one is :func:`~ntklib.chebyshev.integrate`, the implicit one
        :func:`~ntklib.implicit_flow.integrate_implicitly`. By default the explicit one, and the implicit one
        where the flow is so stiff that it is faster: the largest decay rate times the last time is above
        2·10⁵, which many documents or a long time make, and for n-gram features above some 10⁶.
    client : dask.distributed.Client, optional
        Keeps the features of the training documents on the workers of this cluster, part by part, and
        computes there: see :class:`~ntklib.cluster.PartitionedKernel`. The result is the same up to rounding,
        by either solver, also when workers die. It lasts as long as the cluster.

    Returns
    -------
    GradientFlow

    Raises
    ------
    TypeError
        If ``client`` is neither None nor a dask client.
    ValueError
        If labels do not fit the documents, times do not increase, a probe is empty, the tolerance is not
        between 1e-12 and 1, the solver is unknown, the kernel of the documents is zero, or the client's
        cluster cannot work.
    FloatingPointError
        If the scores overflow, or more than 10,000 implicit steps are needed.
    MemoryError
        If the features, or the vectors of the implicit solver, cannot fit into memory.

    Notes
    -----
    Costs ``O(nnz Φ)`` a product with the kernel: linear in the tokens, no ``N × N`` matrix. To a fixed time,
    the number of products grows with the square root of the number of documents for the explicit solver, and
    about with its logarithm for the implicit one. Exact for networks of infinite
    width; at width ``m`` see :func:`~ntklib.statistics.noise_floor`. Source: derivation.

    Examples
    --------
    One document of class 1 with one token: ``ds/dt = 3 (1 − sigmoid(s))``, so ``s + eˢ = 1 + 3t``.

    >>> import ntklib
    >>> flow = ntklib.gradient_flow(ntklib.MLP("identity"), ([[0]], [1]), times=[0, 1, 2], tolerance=1e-6)
    >>> flow.scores[0].round(3).tolist()
    [0.0, 1.074, 1.673]
    >>> (flow.scores[0] + np.exp(flow.scores[0])).round(3).tolist()
    [1.0, 4.0, 7.0]
    """
    documents, labels, classes = training_set(corpus)
    instants = checked_times(times)
    checked_tolerance(tolerance)
    one_of(solver, SOLVERS, "solver")
    named = named_probes(probes, documents, corpus)
    if client is None:
        kernel: KernelOperator = FeatureKernel(architecture.feature_map(documents))
    else:
        kernel = PartitionedKernel(client, architecture, documents)
    return flow_of_kernel(
        architecture, kernel, labels, classes, instants, named, initial_scores, tolerance, solver
    )


def flow_of_kernel(
    architecture: HasFeatureMap,
    kernel: KernelOperator,
    labels: Int[np.ndarray, " documents"],
    classes: int,
    instants: Float[np.ndarray, " times"],
    named: Mapping[Any, Sequence[int]],
    initial_scores: Any,
    tolerance: float,
    solver: str = "auto",
    largest: float | None = None,
) -> GradientFlow:
    """Solve the flow of :func:`gradient_flow` for a kernel that is there already."""
    refuse_zero(kernel)
    targets = targets_of(labels, classes)
    initial = checked_scores(initial_scores, targets.shape)
    if largest is None:
        largest = kernel.largest_eigenvalue()
    problem = FlowProblem(kernel, largest, targets, initial)
    dual = solve_flow(problem, instants, tolerance, solver)

    probe_matrix = architecture.feature_map(list(named.values()), kernel.columns).matrix
    values = np.stack([probe_matrix @ kernel.feature_scores(state) for state in dual])
    index = pd.Index(instants, name="time")
    if problem.outputs == 1:
        columns: pd.Index = pd.Index(list(named), name="probe", tupleize_cols=False)
    else:
        columns = pd.MultiIndex.from_product([list(named), range(classes)], names=["probe", "class"])
    scores = pd.DataFrame(values.reshape(len(instants), -1), index=index, columns=columns)
    return GradientFlow(
        scores, instants, dual, largest, kernel, architecture, problem.outputs, initial, targets, named
    )


def refuse_zero(kernel: KernelOperator) -> None:
    """Refuse a kernel in which nothing can be learnt."""
    if not kernel.weights.any():
        raise ValueError(
            "architecture has a kernel of zero: its activation is zero everywhere, so it learns nothing."
        )


def _hashable_in(key: Any, mapping: Mapping) -> bool:
    try:
        return key in mapping
    except TypeError:
        return False


def training_set(corpus: Any) -> tuple[Documents, Int[np.ndarray, " documents"], int]:
    """Documents, labels and number of classes of a Corpus or of a pair (documents, labels)."""
    documents, labels, classes = labelled_documents(corpus)
    if len(classes) < 2:
        raise ValueError(f"corpus has the single class {classes[0]!r}: its labels leave nothing to learn.")
    present = np.unique(labels)
    if not hasattr(corpus, "classes") and len(classes) > 2 and len(present) < len(classes):
        raise ValueError(f"labels are {present.tolist()}: number the classes 0, 1, 2, ... without gaps.")
    return documents, labels, len(classes)


def named_probes(probes: Any, documents: Documents, corpus: Any) -> dict[Any, Sequence[int]]:
    """Probes by name: as given, or every token of the vocabulary (of the documents, where there is none)."""
    if probes is None:
        if hasattr(corpus, "vocabulary"):
            return {token: [i] for i, token in enumerate(corpus.vocabulary)}
        return {int(i): [int(i)] for i in np.unique(documents.ids)}
    if isinstance(probes, Mapping):
        named = dict(probes)
    else:
        named = {tuple(int(i) for i in Documents.of([p], name="probes")[0]): p for p in probes}
    size = len(corpus.vocabulary) if hasattr(corpus, "vocabulary") else None
    Documents.of(list(named.values()), name="probes", vocabulary_size=size)
    return named

"""A kernel whose features are spread over a Dask cluster: each partition of the documents keeps its own."""

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import sparse

from ntklib import cluster_partitions as workers
from ntklib.documents import Documents
from ntklib.feature_kernel import by_pattern
from ntklib.kernel_operator import Curvature, KernelOperator, times_rows
from ntklib.memory import require_memory
from ntklib.spectrum import FeatureMap
from ntklib.stored_documents import StoredDocuments

PARTITION_TOKENS = 2**20
"""A partition of documents that are sent to a worker has at most about so many tokens."""
STORED_PARTITION_TOKENS = 2**23
"""One of documents that the worker reads from disk: at most a few gigabytes of features."""
_FAN_IN = 16  # as many messages are added in one task


def checked_client(client: Any) -> Any:
    """Return a client that can be worked with, or raise an error that says what is wrong."""
    try:
        from distributed import Client
    except ImportError:
        raise TypeError(
            f"client must be a dask.distributed.Client, not {type(client).__name__}, and distributed is not "
            "installed: pip install ntklib[cluster]."
        ) from None
    if not isinstance(client, Client):
        raise TypeError(
            f"client must be a dask.distributed.Client, not {type(client).__name__}: "
            "Client('tcp://SCHEDULER:8786') makes one."
        )
    if client.asynchronous:
        raise ValueError("client is asynchronous: make it with asynchronous=False.")
    if client.status != "running":
        raise ValueError(f"client is {client.status}, not running: connect to the cluster again.")
    if not client.nthreads():
        raise ValueError("client's cluster has no worker: start some, and client.wait_for_workers(1).")
    return client


class PartitionedKernel(KernelOperator):
    """``Θ a = Φ (λ ∘ Φᵀ a)`` with the rows of ``Φ`` on the workers of a cluster, and ``a`` on the client.

    One product is one map and one reduction: partition ``p`` computes ``Φ_pᵀ a_p``, the sums over the
    partitions go back to all of them, and ``p`` returns ``Φ_p (λ ∘ Σ_p' Φ_p'ᵀ a_p')``. Features that one
    partition alone has, most n-grams, do not travel.

    Parameters
    ----------
    client : dask.distributed.Client
        Its workers need this package, and, for documents on disk, the same path to them.
    architecture : Architecture
        Anything with a ``feature_map``.
    documents : Documents
        The training documents.
    partitions : int, optional
        By default one a thread of the cluster, and more where a partition would have more than a million
        tokens (eight million of documents on disk).

    Attributes
    ----------
    bytes_per_product : int
        Upper bound of what one product with a single score a document sends over the network:
        ``8 (3N + Σ_p S_p + partitions · S)``, ``S`` the number of features that more than one partition has,
        ``S_p`` those of partition ``p``.
    bytes_per_curvature : int
        What one product with the curvature sends, of which the implicit solver needs many a step:
        ``16 Σ_p P_p``, ``P_p`` the number of features of partition ``p``. No number of a document travels.
    entries : int
        Of the features of all partitions.
    partitions : int
        How many there are.

    Raises
    ------
    TypeError, ValueError
        If the client cannot be used, or the patterns of the features differ between partitions.
    RuntimeError
        If a partition was lost several times: each time the worker that held it died.

    Notes
    -----
    Everything a worker holds is the result of a task from the documents: when a worker dies, its partitions
    are made again by the others, and no step is lost. Partitions are added up in a fixed order: the result
    does not depend on which worker is the faster one, and a product equals the local one up to rounding.

    Examples
    --------
    >>> import ntklib
    >>> from distributed import Client  # doctest: +SKIP
    >>> client = Client(n_workers=2, threads_per_worker=1)  # doctest: +SKIP
    >>> ntklib.gradient_flow(ntklib.MLP(), corpus, [1.0], client=client)  # doctest: +SKIP
    """

    def __init__(
        self, client: Any, architecture: Any, documents: Documents, partitions: int | None = None
    ) -> None:
        self._client = checked_client(client)
        tokens = int(documents.offsets[-1])
        if partitions is None:
            stored = isinstance(documents, StoredDocuments)
            most = STORED_PARTITION_TOKENS if stored else PARTITION_TOKENS
            partitions = max(sum(client.nthreads().values()), -(-tokens // most))
        # The patterns of a recurrent model follow from the longest document: each partition reads it, too.
        longest = np.asarray(documents[int(documents.lengths.argmax())])
        sources = _sources(documents, partitions)
        features = [self._submit(workers.features_of, architecture, source, longest) for source in sources]
        agreed = self._submit(
            workers.agreed_places, [self._submit(workers.used_columns, part) for part in features]
        )
        # Kept, so that a partition that is lost can be made again without those that are not.
        self._places = [self._submit(workers.place_of, agreed, number) for number in range(len(features))]
        self._partitions = [
            self._submit(workers.partition_of, part, place)
            for part, place in zip(features, self._places, strict=True)
        ]
        tables = self._gather([self._submit(getattr, part, "pattern_weights") for part in features])
        if any(not table.equals(tables[0]) for table in tables):
            raise ValueError("architecture gives the partitions different patterns: solve this flow locally.")
        bounds = self._gather([self._submit(getattr, part, "error_bound") for part in features])
        sizes = self._gather([self._submit(workers.sizes_of, part) for part in self._partitions])
        self.pattern_weights = tables[0]
        (self.columns,) = self._gather([self._submit(workers.all_columns, agreed)])
        self.weights = self.pattern_weights.sum(axis=1).to_numpy()[self.columns.pattern_index]
        self.ordered_weights = self.weights
        self._error_bound = np.concatenate(bounds)
        self._ends = np.cumsum([len(bound) for bound in bounds])
        self.entries = sum(entries for entries, _, _, _ in sizes)
        shared, number = sum(some for _, _, some, _ in sizes), sizes[0][3]
        self.bytes_per_curvature = 16 * sum(columns for _, columns, _, _ in sizes)
        self.partitions = len(sizes)
        self._columns_of: list[np.ndarray] | None = None  # of each partition, once they are needed
        self.bytes_per_product = 8 * (3 * len(self) + shared + len(sizes) * number)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __call__(self, dual: np.ndarray) -> np.ndarray:
        """``Θ a``."""
        duals = self._split(dual)
        pulls = self._on_each(workers.pull, duals)
        totals = [
            self._submit(
                workers.total_of, self._places[start : start + _FAN_IN], pulls[start : start + _FAN_IN]
            )
            for start in range(0, len(pulls), _FAN_IN)
        ]
        total = totals[0] if len(totals) == 1 else self._submit(sum, totals)
        return np.concatenate(self._gather(self._on_each(workers.product, duals, [total] * len(duals))))

    def feature_scores(self, dual: np.ndarray) -> np.ndarray:
        """``λ ∘ Φᵀ a``, on the client: what each feature adds to a score where it occurs once."""
        return times_rows(self.weights, self.pulls(dual))

    def pulls(self, dual: np.ndarray) -> np.ndarray:
        """``Φᵀ a``, on the client."""
        return self._total(self._on_each(workers.pull_of_all, self._split(dual)), dual.shape[1:])

    def scores(self, ordered: np.ndarray) -> np.ndarray:
        """``Φ v``; each partition gets the values of its own features."""
        return np.concatenate(self._gather(self._on_each(workers.scores, self._shares(ordered))))

    def curvature(self, chances: np.ndarray) -> Curvature:
        """``Φᵀ W Φ``, with the probabilities ``p`` beside the documents on the workers."""
        require_memory(
            24 * self.bytes_per_curvature // 16,
            "The features' scores of all partitions, on the client,",
            'pass solver="explicit", which leaves them on the workers',
        )
        return _PartitionedCurvature(self, chances)

    def _shares(self, ordered: np.ndarray) -> list[np.ndarray]:
        return [ordered[columns] for columns in self._columns()]

    def _columns(self) -> list[np.ndarray]:
        if self._columns_of is None:
            self._columns_of = self._gather(self._on_each(workers.columns_of))
        return self._columns_of

    def _total(self, parts: list[Any], classes: tuple[int, ...]) -> np.ndarray:
        """Sum of values of features that the partitions have, in a fixed order."""
        total = np.zeros((len(self.columns), *classes))
        for columns, values in zip(self._columns(), self._gather(parts), strict=True):
            total[columns] += values
        return total

    def overlaps(self, probe: sparse.csr_array) -> Float[np.ndarray, "documents patterns"]:
        """``Φ_S(x)·Φ_S(x_i)`` of one document ``x`` with each training document, by pattern."""
        chosen = by_pattern(probe, self.columns).tocoo()
        return np.concatenate(self._gather(self._on_each(workers.overlaps, [chosen] * len(self._partitions))))

    @property
    def features(self) -> FeatureMap:
        """All features, fetched from the workers."""
        require_memory(
            2 * 12 * self.entries,
            "The features of all partitions",
            "leave them on the workers: predict, residuals and attribution work there",
        )
        parts: list[FeatureMap] = []
        start = 0
        for matrix, columns in self._gather(self._on_each(workers.rows_of)):
            whole = (matrix.data, columns[matrix.indices], matrix.indptr)
            rows = sparse.csr_array(whole, shape=(matrix.shape[0], len(self.columns)))
            rows.sort_indices()
            bound = self._error_bound[start : start + matrix.shape[0]]
            parts.append(FeatureMap(rows, self.columns, self.pattern_weights, bound))
            start += matrix.shape[0]
        return FeatureMap.joined(parts, self.entries, len(self.columns))

    def _split(self, dual: np.ndarray) -> list[np.ndarray]:
        return np.split(np.asarray(dual), self._ends[:-1])

    def _on_each(self, function: Any, *arguments: list[Any]) -> list[Any]:
        """One task for each partition, with its own arguments."""
        checked_client(self._client)
        return [self._submit(function, *some) for some in zip(self._partitions, *arguments, strict=True)]

    def _submit(self, function: Any, *arguments: Any) -> Any:
        return self._client.submit(function, *arguments, pure=False)

    def _gather(self, futures: list[Any]) -> list[Any]:
        from distributed.scheduler import KilledWorker

        try:
            return self._client.gather(futures)
        except KilledWorker as error:
            raise RuntimeError(
                "client's workers died again and again over the same partition. When memory is the reason, "
                "give each worker more of it, or have fewer threads in each."
            ) from error


class _PartitionedCurvature(Curvature):
    def __init__(self, kernel: PartitionedKernel, chances: np.ndarray) -> None:
        self._kernel, self._classes = kernel, chances.shape[1:]
        # The partition is an argument so that they are kept where it is.
        self._chances = kernel._on_each(workers.kept_beside, kernel._split(chances))

    def __call__(self, ordered: np.ndarray) -> np.ndarray:
        shares = self._kernel._shares(ordered)
        parts = self._kernel._on_each(workers.curvature_product, self._chances, shares)
        return self._kernel._total(parts, self._classes)

    def diagonal(self) -> np.ndarray:
        parts = self._kernel._on_each(workers.curvature_diagonal, self._chances)
        return self._kernel._total(parts, self._classes)


def _sources(documents: Documents, partitions: int) -> list[Any]:
    """Cut the documents into what each partition is made from: documents, or their place on disk."""
    sources: list[Any] = []
    tokens = np.arange(1, partitions + 1) * (int(documents.offsets[-1]) / partitions)
    stops = np.unique(np.minimum(np.searchsorted(documents.offsets, tokens), len(documents)))
    for start, stop in zip([0, *stops[:-1].tolist()], stops.tolist(), strict=True):
        block = documents[start:stop]
        if isinstance(documents, StoredDocuments):
            sources.append((documents.folder, start, stop))
        else:
            small = block.ids.astype(np.int32) if block.ids.max() < 2**31 else block.ids
            sources.append(Documents(small, block.offsets))
    return sources

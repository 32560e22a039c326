"""A kernel whose features are spread over a Dask cluster: each partition of the documents keeps its own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from ntklib.documents import Documents
from ntklib.feature_kernel import KernelOperator, by_pattern
from ntklib.memory import require_memory
from ntklib.spectrum import FeatureColumns, FeatureMap
from ntklib.stored_documents import StoredDocuments, mapped_documents

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


@dataclass(frozen=True, eq=False)
class _Place:
    """What one partition has to know of all others: its columns, its own first, then those it shares."""

    used: Int[np.ndarray, " features"]  # as the partition's own feature map numbers them
    columns: Int[np.ndarray, " features"]  # as all partitions number them
    own: int  # how many no other partition has
    among: Int[np.ndarray, " shared"]  # the numbers of the rest among all columns that are shared
    number: int  # of all columns that are shared


@dataclass(frozen=True, eq=False)
class _Partition:
    """What a worker keeps: rows of ``Φ`` over the columns that occur in them, those of its own apart."""

    own: sparse.csr_array
    shared: sparse.csr_array
    weights: Float[np.ndarray, " features"]
    place: _Place


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
    does not depend on which worker is the faster one, and equals the local one up to rounding.

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
        features = [self._submit(_features, architecture, source, longest) for source in sources]
        agreed = self._submit(_agreed, [self._submit(_used, part) for part in features])
        # Kept, so that a partition that is lost can be made again without those that are not.
        self._places = [self._submit(_place_of, agreed, number) for number in range(len(features))]
        self._partitions = [
            self._submit(_partition, part, place) for part, place in zip(features, self._places, strict=True)
        ]
        tables = self._gather([self._submit(getattr, part, "pattern_weights") for part in features])
        if any(not table.equals(tables[0]) for table in tables):
            raise ValueError("architecture gives the partitions different patterns: solve this flow locally.")
        bounds = self._gather([self._submit(_error_bound, part) for part in features])
        sizes = self._gather([self._submit(_sizes, part) for part in self._partitions])
        self.pattern_weights = tables[0]
        (self.columns,) = self._gather([self._submit(_columns, agreed)])
        self.weights = self.pattern_weights.sum(axis=1).to_numpy()[self.columns.pattern_index]
        self._error_bound = np.concatenate(bounds)
        self._ends = np.cumsum([len(bound) for bound in bounds])
        self._entries = sum(entries for entries, _, _ in sizes)
        shared, number = sum(some for _, some, _ in sizes), sizes[0][2]
        self.partitions = len(sizes)
        self.bytes_per_product = 8 * (3 * len(self) + shared + len(sizes) * number)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __call__(self, dual: np.ndarray) -> np.ndarray:
        """``Θ a``."""
        duals = self._split(dual)
        pulls = self._on_each(_pull, duals)
        totals = [
            self._submit(_total, pulls[start : start + _FAN_IN]) for start in range(0, len(pulls), _FAN_IN)
        ]
        total = totals[0] if len(totals) == 1 else self._submit(sum, totals)
        return np.concatenate(self._gather(self._on_each(_product, duals, [total] * len(duals))))

    def feature_scores(self, dual: np.ndarray) -> np.ndarray:
        """``λ ∘ Φᵀ a``, on the client: what each feature adds to a score where it occurs once."""
        scores = np.zeros((len(self.columns), *dual.shape[1:]))
        for columns, values in self._gather(self._on_each(_all_pulls, self._split(dual))):
            scores[columns] += values
        return (self.weights * scores.T).T

    def overlaps(self, probe: sparse.csr_array) -> Float[np.ndarray, "documents patterns"]:
        """``Φ_S(x)·Φ_S(x_i)`` of one document ``x`` with each training document, by pattern."""
        chosen = by_pattern(probe, self.columns).tocoo()
        return np.concatenate(self._gather(self._on_each(_overlaps, [chosen] * len(self._partitions))))

    @property
    def features(self) -> FeatureMap:
        """All features, fetched from the workers."""
        require_memory(
            2 * 12 * self._entries,
            "The features of all partitions",
            "leave them on the workers: predict, residuals and attribution work there",
        )
        parts: list[FeatureMap] = []
        start = 0
        for matrix, columns in self._gather(self._on_each(_rows)):
            whole = (matrix.data, columns[matrix.indices], matrix.indptr)
            rows = sparse.csr_array(whole, shape=(matrix.shape[0], len(self.columns)))
            rows.sort_indices()
            bound = self._error_bound[start : start + matrix.shape[0]]
            parts.append(FeatureMap(rows, self.columns, self.pattern_weights, bound))
            start += matrix.shape[0]
        return FeatureMap.joined(parts)

    def _split(self, dual: np.ndarray) -> list[np.ndarray]:
        checked_client(self._client)
        return np.split(np.asarray(dual), self._ends[:-1])

    def _on_each(self, function: Any, *arguments: list[Any]) -> list[Any]:
        """One task for each partition, with its own arguments."""
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


def _documents_of(source: Documents | tuple[Path, int, int]) -> Documents:
    if isinstance(source, Documents):
        return source
    folder, start, stop = source
    return Documents(*mapped_documents(folder))[start:stop]


def _features(architecture: Any, source: Any, longest: Int[np.ndarray, " tokens"]) -> FeatureMap:
    own = _documents_of(source)
    ids, offsets = np.concatenate([own.ids, longest]), np.append(own.offsets, own.offsets[-1] + len(longest))
    features = architecture.feature_map(Documents(ids.astype(np.int64), offsets))
    return FeatureMap(
        features.matrix[:-1], features.columns, features.pattern_weights, features.error_bound[:-1]
    )


def _used(features: FeatureMap) -> tuple[FeatureColumns, Int[np.ndarray, " used"]]:
    return features.columns, np.unique(features.matrix.indices)


def _agreed(
    parts: list[tuple[FeatureColumns, Int[np.ndarray, " used"]]],
) -> tuple[FeatureColumns, list[_Place]]:
    """Give the columns of all partitions their numbers, and say which ones more than one has."""
    columns, places = FeatureColumns.union([own for own, _ in parts])
    holders = np.zeros(len(columns), dtype=np.int32)
    for place, (_, used) in zip(places, parts, strict=True):
        holders[place[used]] += 1
    numbers, number = np.cumsum(holders > 1) - 1, int((holders > 1).sum())
    found = []
    for place, (_, used) in zip(places, parts, strict=True):
        shared = holders[place[used]] > 1
        ordered = np.concatenate([used[~shared], used[shared]])
        columns_here = place[ordered]
        own = int((~shared).sum())
        found.append(_Place(ordered, columns_here, own, numbers[columns_here[own:]], number))
    return columns, found


def _columns(agreed: tuple[FeatureColumns, list[_Place]]) -> FeatureColumns:
    return agreed[0]


def _place_of(agreed: tuple[FeatureColumns, list[_Place]], number: int) -> _Place:
    return agreed[1][number]


def _partition(features: FeatureMap, place: _Place) -> _Partition:
    own, shared = (
        sparse.csr_array(features.matrix[:, chosen])
        for chosen in (place.used[: place.own], place.used[place.own :])
    )
    return _Partition(own, shared, features.weights[place.used], place)


def _error_bound(features: FeatureMap) -> Float[np.ndarray, " documents"]:
    return features.error_bound


def _sizes(partition: _Partition) -> tuple[int, int, int]:
    return partition.own.nnz + partition.shared.nnz, len(partition.place.among), partition.place.number


def _pull(partition: _Partition, dual: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """``Φ_pᵀ a_p`` of the columns that other partitions have, too."""
    return partition.place.among, partition.shared.T @ dual, partition.place.number


def _total(pulls: list[tuple[np.ndarray, np.ndarray, int]]) -> np.ndarray:
    _, values, number = pulls[0]
    total = np.zeros((number, *values.shape[1:]))
    for among, some, _ in pulls:
        total[among] += some
    return total


def _product(partition: _Partition, dual: np.ndarray, total: np.ndarray) -> np.ndarray:
    """``Θ a`` of the partition's documents, given the sums over all partitions of what is shared."""
    place, weights = partition.place, partition.weights
    own, shared = partition.own.T @ dual, total[place.among]
    return partition.own @ (weights[: place.own] * own.T).T + (
        partition.shared @ (weights[place.own :] * shared.T).T
    )


def _all_pulls(partition: _Partition, dual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return partition.place.columns, np.concatenate([partition.own.T @ dual, partition.shared.T @ dual])


def _rows(partition: _Partition) -> tuple[sparse.csr_array, Int[np.ndarray, " features"]]:
    matrix = sparse.hstack([partition.own, partition.shared], format="csr")
    return matrix, partition.place.columns


def _overlaps(partition: _Partition, chosen: sparse.coo_array) -> Float[np.ndarray, "documents patterns"]:
    matrix, columns = _rows(partition)
    order = np.argsort(columns)
    found = np.minimum(np.searchsorted(columns, chosen.row, sorter=order), max(len(columns) - 1, 0))
    held = columns[order[found]] == chosen.row
    own = (chosen.data[held], (order[found[held]], chosen.col[held]))
    return (matrix @ sparse.csr_array(own, shape=(len(columns), chosen.shape[1]))).toarray()

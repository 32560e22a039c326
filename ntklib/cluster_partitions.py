"""What the workers of a cluster run: each partition's part of the feature map and of the kernel's product."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from ntklib.documents import Documents
from ntklib.kernel_operator import times_rows
from ntklib.logistic_flow import probability_change
from ntklib.spectrum import FeatureColumns, FeatureMap
from ntklib.stored_documents import mapped_documents


@dataclass(frozen=True, eq=False)
class Place:
    """What one partition has to know of all others: its columns, its own first, then those it shares."""

    used: Int[np.ndarray, " features"]  # as the partition's own feature map numbers them
    columns: Int[np.ndarray, " features"]  # as all partitions number them
    own: int  # how many no other partition has
    among: Int[np.ndarray, " shared"]  # the numbers of the rest among all columns that are shared
    number: int  # of all columns that are shared


@dataclass(frozen=True, eq=False)
class Partition:
    """What a worker keeps: rows of ``Φ`` over the columns that occur in them, those of its own apart."""

    own: sparse.csr_array
    shared: sparse.csr_array
    weights: Float[np.ndarray, " features"]
    place: Place


def _documents_of(source: Documents | tuple[Path, int, int]) -> Documents:
    if isinstance(source, Documents):
        return source
    folder, start, stop = source
    return Documents(*mapped_documents(folder))[start:stop]


def features_of(architecture: Any, source: Any, longest: Int[np.ndarray, " tokens"]) -> FeatureMap:
    """Feature map of one partition; the longest document is read along, for its patterns, and dropped."""
    own = _documents_of(source)
    ids, offsets = np.concatenate([own.ids, longest]), np.append(own.offsets, own.offsets[-1] + len(longest))
    features = architecture.feature_map(Documents(ids.astype(np.int64), offsets))
    return FeatureMap(
        features.matrix[:-1], features.columns, features.pattern_weights, features.error_bound[:-1]
    )


def used_columns(features: FeatureMap) -> tuple[FeatureColumns, Int[np.ndarray, " used"]]:
    """Columns of a feature map, and the numbers of those that occur."""
    return features.columns, np.unique(features.matrix.indices)


def agreed_places(
    parts: list[tuple[FeatureColumns, Int[np.ndarray, " used"]]],
) -> tuple[FeatureColumns, list[Place]]:
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
        found.append(Place(ordered, columns_here, own, numbers[columns_here[own:]], number))
    return columns, found


def all_columns(agreed: tuple[FeatureColumns, list[Place]]) -> FeatureColumns:
    """Columns of all partitions together."""
    return agreed[0]


def place_of(agreed: tuple[FeatureColumns, list[Place]], number: int) -> Place:
    """Look up what one partition has to know of the others."""
    return agreed[1][number]


def partition_of(features: FeatureMap, place: Place) -> Partition:
    """Cut a feature map into the columns of its own and those that are shared."""
    own, shared = (
        sparse.csr_array(features.matrix[:, chosen])
        for chosen in (place.used[: place.own], place.used[place.own :])
    )
    return Partition(own, shared, features.weights[place.used], place)


def sizes_of(partition: Partition) -> tuple[int, int, int, int]:
    """Numbers of entries and of columns, of columns it shares, and of those that all partitions share."""
    place = partition.place
    return partition.own.nnz + partition.shared.nnz, len(place.columns), len(place.among), place.number


def pull(partition: Partition, dual: np.ndarray) -> np.ndarray:
    """``Φ_pᵀ a_p`` of the columns that other partitions have, too."""
    return partition.shared.T @ dual


def total_of(places: list[Place], pulls: list[np.ndarray]) -> np.ndarray:
    """Sum of the pulls of several partitions, over all columns that are shared."""
    total = np.zeros((places[0].number, *pulls[0].shape[1:]))
    for place, some in zip(places, pulls, strict=True):
        total[place.among] += some
    return total


def product(partition: Partition, dual: np.ndarray, total: np.ndarray) -> np.ndarray:
    """``Θ a`` of the partition's documents, given the sums over all partitions of what is shared."""
    place, weights = partition.place, partition.weights
    own, shared = partition.own.T @ dual, total[place.among]
    return partition.own @ times_rows(weights[: place.own], own) + (
        partition.shared @ times_rows(weights[place.own :], shared)
    )


def pull_of_all(partition: Partition, dual: np.ndarray) -> np.ndarray:
    """``Φ_pᵀ a_p`` of all columns of the partition."""
    return np.concatenate([partition.own.T @ dual, partition.shared.T @ dual])


def kept_beside(partition: Partition, array: np.ndarray) -> np.ndarray:
    """Keep an array on the worker of a partition."""
    return array


def columns_of(partition: Partition) -> Int[np.ndarray, " features"]:
    """Numbers of the partition's columns, as all partitions number them."""
    return partition.place.columns


def scores(partition: Partition, values: np.ndarray) -> np.ndarray:
    """``Φ_p v`` of values of the partition's columns."""
    own = partition.place.own
    return partition.own @ values[:own] + partition.shared @ values[own:]


def curvature_product(partition: Partition, chances: np.ndarray, values: np.ndarray) -> np.ndarray:
    """``Φ_pᵀ W Φ_p v`` of documents with these probabilities."""
    return pull_of_all(partition, probability_change(chances, scores(partition, values)))


def curvature_diagonal(partition: Partition, chances: np.ndarray) -> np.ndarray:
    """``Σ_i Φ_iu² p_i (1 − p_i)`` over the partition's documents."""
    values = chances * (1 - chances)
    squares = [
        sparse.csr_array((part.data**2, part.indices, part.indptr), shape=part.shape)
        for part in (partition.own, partition.shared)
    ]
    return np.concatenate([part.T @ values for part in squares])


def rows_of(partition: Partition) -> tuple[sparse.csr_array, Int[np.ndarray, " features"]]:
    """Rows of ``Φ`` over the columns of the partition, and the numbers of these."""
    matrix = sparse.hstack([partition.own, partition.shared], format="csr")
    return matrix, partition.place.columns


def overlaps(partition: Partition, chosen: sparse.coo_array) -> Float[np.ndarray, "documents patterns"]:
    """Products of the partition's rows with those of chosen features, by pattern."""
    matrix, columns = rows_of(partition)
    order = np.argsort(columns)
    found = np.minimum(np.searchsorted(columns, chosen.row, sorter=order), max(len(columns) - 1, 0))
    held = columns[order[found]] == chosen.row
    own = (chosen.data[held], (order[found[held]], chosen.col[held]))
    return (matrix @ sparse.csr_array(own, shape=(len(columns), chosen.shape[1]))).toarray()

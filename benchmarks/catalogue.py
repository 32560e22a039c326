"""All comparisons by name."""

from benchmarks import (
    analytic_kernels,
    empirical_kernels,
    neural_tangents,
    nngeometry_gram,
    released_epoch,
    training_free,
)

COMPARISONS = {
    **empirical_kernels.COMPARISONS,
    **nngeometry_gram.COMPARISONS,
    **analytic_kernels.COMPARISONS,
    **neural_tangents.COMPARISONS,
    **training_free.COMPARISONS,
    **released_epoch.COMPARISONS,
}

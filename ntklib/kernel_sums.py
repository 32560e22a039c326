"""What both ways to the empirical NTK are given: the documents, and the sums that they add to."""

from dataclasses import dataclass

import numpy as np

from ntklib.documents import Documents


@dataclass(frozen=True, eq=False)
class KernelSums:
    """Sums of parameters' parts of a kernel, and what a part is computed from.

    Parameters
    ----------
    first, second : Documents
        The kernel's rows and columns; the same object where both are the same documents.
    output : int
        Whose score, of a network with several.
    memory_limit : int
        Bytes that may be held beside the sums.
    keys : dict
        From each trained parameter to the sum that its part belongs to.
    totals : dict
        From each key to an (N, M) array, which parts are added to in place.
    """

    first: Documents
    second: Documents
    output: int
    memory_limit: int
    keys: dict[str, str]
    totals: dict[str, np.ndarray]

    @property
    def symmetric(self) -> bool:
        """Whether rows and columns are the same documents."""
        return self.second is self.first

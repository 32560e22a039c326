"""The MLP's score in symbols, as the chapter defines it: shared by the tests of the calculus."""

from collections.abc import Callable
from typing import Any

from sympy import Expr, IndexedBase, Sum, sqrt, symbols

from ntklib.symbolic import (
    ActivationSymbol,
    GaussianWeights,
    concentrate,
    gaussian_expectation,
    index_symbols,
    large_width_limit,
    tangent_kernel,
)

a, b, i, j, s, t, u = index_symbols("a b i j s t u")
d, m, V = index_symbols("d m V")
sigma_e, sigma_w, sigma_v, q = symbols("sigma_e sigma_w sigma_v q", positive=True)
E = GaussianWeights("E", (V, d), sigma_e**2)
W = GaussianWeights("W", (m, d), sigma_w**2)
v = GaussianWeights("v", (m,), sigma_v**2)
phi = ActivationSymbol("phi")
x, y = IndexedBase("x"), IndexedBase("x'")
ROOT, EMBEDDING_ROOT = sqrt(m), sqrt(d)
GROUPS = {"output": v[a], "hidden": W[a, b], "embedding": E[u, b]}


def token_score(
    token: Expr,
    activation: Callable[[Any], Expr] = phi,
    scale: Expr = ROOT,
    embedding_scale: Expr = EMBEDDING_ROOT,
) -> Expr:
    preactivation = Sum(W[i, j] * E[token, j], (j, 1, d)) / embedding_scale
    return Sum(v[i] * activation(preactivation), (i, 1, m)) / scale


def finite_kernel(group: str, **changes: Any) -> Expr:
    return tangent_kernel(token_score(x[t], **changes), token_score(y[s], **changes), GROUPS[group])


def limit_kernel(group: str, **changes: Any) -> Expr:
    averaged = concentrate(gaussian_expectation(finite_kernel(group, **changes), v), [d, m], [W])
    return large_width_limit(gaussian_expectation(averaged, W), [d, m], [E])

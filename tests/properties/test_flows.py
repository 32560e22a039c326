"""Of any model and any documents the two solvers give the same finite flow, to a stiffness of 10⁶."""

import numpy as np
from hypothesis import assume, event
from hypothesis import strategies as st

from ntklib import gradient_flow
from tests.properties.cases import cases
from tests.properties.strategies import affordable, architectures, documents
from tests.properties.test_kernels import unless_too_large

TOLERANCE = 1e-3  # of a step; the flow forgets the errors of earlier ones, but not all at once
LONGEST = 12  # of recurrent models; and no windows wider than 7, which take seconds a flow


@cases(
    40,
    docs=documents(),
    model=architectures(widest=7),
    classes=st.sampled_from((2, 3)),
    stiffness=st.floats(-2, 6),
    start=st.floats(-3, 3),
)
def test_both_solvers_give_the_same_flow(docs, model, classes, stiffness, start):
    docs = [document[:200] for document in affordable(model, docs, LONGEST)]
    docs = [docs[number % len(docs)] for number in range(max(len(docs), classes))]
    labels = np.arange(len(docs)) % classes
    initial = np.full((len(docs), classes) if classes > 2 else len(docs), start)
    initial.flat[0] = -start

    def flow(time, solver):
        return gradient_flow(
            model, (docs, labels), [time], solver=solver, tolerance=TOLERANCE, initial_scores=initial
        )

    first = unless_too_large(lambda: flow(0.0, "explicit"), model, max(map(len, docs)))
    if first is None:
        return
    largest = first.largest_eigenvalue
    assume(1e-200 < largest < 1e200)  # else the time, or its product with a score, is no float
    time = 10.0**stiffness / largest
    event(f"stiffness 1e{round(stiffness)}")
    found, exact = flow(time, "implicit"), flow(time, "explicit")
    assert np.isfinite(found.dual).all()
    scores, others = found.predict(docs), exact.predict(docs)
    assert (np.abs(scores - others) <= 5 * TOLERANCE * (1 + np.abs(initial + others))).all()

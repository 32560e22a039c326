"""A scikit-learn classifier that is not trained: the gradient flow of an infinitely wide text model."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import Pipeline
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data

from ntklib.architectures import Attention
from ntklib.architectures.catalogue import get_architecture
from ntklib.corpora.tokenization import tokenize
from ntklib.documents import Documents
from ntklib.explanations import Explanation, explain_score
from ntklib.feature_kernel import FeatureKernel, default_time
from ntklib.implicit_flow import solve_flow
from ntklib.logistic_flow import FlowProblem, checked_times, checked_tolerance, probabilities, targets_of
from ntklib.spectrum import FeatureColumns, FeatureMap

INPUTS = ("counts", "tokens", "text")


class NTKClassifier(ClassifierMixin, BaseEstimator):
    """What an infinitely wide network predicts after training for some time, without training one.

    Solves ``dα/dt = y − p(Θ α)`` from ``α = 0`` up to ``time``, with the architecture's kernel ``Θ`` and the
    logistic or softmax probabilities ``p`` (book, :eq:`gradient-flow`). The score of a document is
    ``s(x) = Σ_i α_i Θ(x, x_i) = Φ(x)·(λ ∘ Φᵀ α)``, linear in the sparse features of its text.

    Parameters
    ----------
    architecture : str or Architecture
        ``"mlp"``, ``"cnn"``, ``"attention"``, ``"matrix-vector"``, ``"l-rnn"``, ``"linear-rnn"``, or one with
        hyper-parameters of your choice, such as ``ntklib.CNN(window=2, activation="gelu")``.
    time : float, optional
        Flow time, in units of learning rate times epochs of a loss summed over the documents: more time fits
        the training documents closer. By default that of :func:`~ntklib.feature_kernel.default_time`.
    input : {"counts", "tokens", "text"}
        What ``X`` is:

        * ``"counts"``: an (N, V) matrix, dense or sparse, such as ``CountVectorizer`` makes. For the
          architectures that do not read the order of tokens: ``"mlp"``, for which any real numbers do, and
          ``"attention"``, which needs numbers of 0 or more.
        * ``"tokens"``: N sequences of tokens, integers or strings, such as ``corpus.tokens``.
        * ``"text"``: N strings, cut by ``tokenizer``.
    tokenizer : callable from str to a sequence of str, optional
        For ``"text"``; :func:`ntklib.corpora.tokenize` by default.
    tolerance : float
        As in :func:`~ntklib.dynamics.gradient_flow`.

    Attributes
    ----------
    classes_ : (C,) array
        The labels, sorted.
    architecture_ : Architecture
    time_ : float
        The flow time that was used.
    features_ : FeatureMap
        Of the training documents; its ``error_bound`` says what a truncated one leaves out.
    dual_ : (N,) or (N, C) float64
        ``α``, how much each training document has pulled.
    feature_scores_ : (P,) or (P, C) float64
        ``λ ∘ Φᵀ α``, what each feature adds to the score of a document that holds it once.
    labels_ : (N,) array
        The training labels.
    vocabulary_ : dict
        From token to id; not for ``"counts"``.
    largest_eigenvalue_ : float
        ``λ_max(Θ)`` of the training documents.
    n_features_in_ : int
        As scikit-learn defines it; for ``"counts"`` alone.
    feature_names_in_ : array of str
        As scikit-learn defines it; for ``"counts"`` alone.

    Raises
    ------
    TypeError, ValueError
        By ``fit`` and the predictions: if a parameter or the data do not fit, for example an architecture
        that reads the order of tokens with a matrix of counts, or an empty document.

    Notes
    -----
    There is no random number: fitting twice gives the same result. Tokens that no training document has match
    nothing but themselves. Costs ``O(nnz Φ)`` a step of the flow, no ``N × N`` matrix; the recurrent models'
    feature maps are truncated. Exact for networks of infinite width trained by gradient flow; see the book's
    chapter on finite width for when a network follows. For two classes the score is the logit of
    ``classes_[1]``. Source: derivation.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import CountVectorizer
    >>> from sklearn.pipeline import make_pipeline
    >>> texts, labels = ["a good film", "a bad film", "good fun", "not good"], ["+", "-", "+", "-"]
    >>> bag = make_pipeline(CountVectorizer(), NTKClassifier("mlp")).fit(texts, labels)
    >>> bag.predict(["good", "bad fun"]).tolist()
    ['+', '-']
    >>> ordered = NTKClassifier("cnn", input="text", tokenizer=str.split).fit(texts, labels)
    >>> ordered.predict_proba(["not good at all"]).round(2).tolist()
    [[0.31, 0.69]]
    """

    # scikit-learn asks that parameters are taken as they come: fit checks them.
    def __init__(
        self,
        architecture: Any = "mlp",
        *,
        time: Any = None,
        input: Any = "counts",
        tokenizer: Any = None,
        tolerance: Any = 1e-4,
    ) -> None:
        self.architecture = architecture
        self.time = time
        self.input = input
        self.tokenizer = tokenizer
        self.tolerance = tolerance

    def fit(self, X: Any, y: Any) -> "NTKClassifier":
        """Run the flow up to ``time``.

        Parameters
        ----------
        X : N documents
            As ``input`` says.
        y : (N,) labels
            Of two classes or more: numbers or strings.

        Returns
        -------
        NTKClassifier
            Itself.
        """
        if self.input not in INPUTS:
            raise ValueError(f"input must be one of {', '.join(INPUTS)}, not {self.input!r}.")
        self.architecture_ = get_architecture(self.architecture)
        if self.input == "counts":
            X, y = validate_data(self, X, y, accept_sparse="csr", dtype=np.float64)
        else:
            self.vocabulary_: dict[Hashable, int] = {}
            X = self._documents(X, learn=True)
            y = column_or_1d(y, warn=True)
            check_consistent_length(X, y)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        classes = len(self.classes_)
        if classes < 2:
            raise ValueError(f"y has one class, {self.classes_[0]!r}: its labels leave nothing to learn.")
        self.labels_ = self.classes_[labels]
        self.features_ = self._features(X)
        self.time_ = default_time(self.features_) if self.time is None else float(self.time)
        kernel = FeatureKernel(self.features_)
        start = np.random.default_rng(0).standard_normal(len(labels))
        self.largest_eigenvalue_ = kernel.largest_eigenvalue(start)
        targets = targets_of(labels, classes)
        instants = checked_times([self.time_])
        problem = FlowProblem(kernel, self.largest_eigenvalue_, targets, np.zeros(targets.shape))
        self.dual_ = solve_flow(problem, instants, checked_tolerance(self.tolerance))[-1]
        self.feature_scores_ = kernel.feature_scores(self.dual_)
        return self

    def decision_function(self, X: Any) -> Float[np.ndarray, "documents *classes"]:
        """Scores of documents: (N,), the logit of ``classes_[1]``, or (N, C) for more than two classes."""
        return self._encoded(X) @ self.feature_scores_

    def predict_proba(self, X: Any) -> Float[np.ndarray, "documents classes"]:
        """Probability of each class, in the order of ``classes_``: (N, C)."""
        chances = probabilities(self.decision_function(X))
        return np.stack([1 - chances, chances], axis=1) if chances.ndim == 1 else chances

    def predict(self, X: Any) -> np.ndarray:
        """Most probable class of each document: (N,)."""
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        counts = self.input == "counts"
        tags.input_tags.two_d_array = tags.input_tags.sparse = counts
        tags.input_tags.string = self.input == "text"
        attention = self.architecture == "attention" or isinstance(self.architecture, Attention)
        tags.input_tags.positive_only = counts and attention
        return tags

    def _encoded(self, X: Any) -> sparse.csr_array:
        """``Φ`` of new documents over the columns of the training documents."""
        check_is_fitted(self)
        if self.input == "counts":
            X = validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=False)
        else:
            X = self._documents(X)
        return self._features(X, self.features_.columns).matrix

    def _features(self, X: Any, columns: FeatureColumns | None = None) -> FeatureMap:
        counts = self.input == "counts"
        make = self.architecture_.count_feature_map if counts else self.architecture_.feature_map
        return make(X, columns)

    def _documents(self, X: Any, learn: bool = False) -> Documents:
        """Token ids; tokens that are not in the vocabulary get ids of their own above it, call by call."""
        if isinstance(X, str):
            raise TypeError("X must be a sequence of documents, not one string: put it into a list.")
        given = getattr(X, "tokens", X)
        ids = self.vocabulary_ if learn else dict(self.vocabulary_)
        rows = []
        for i, document in enumerate(given):
            tokens = self._tokens(document, i)
            if len(tokens) == 0:
                raise ValueError(f"X[{i}] has no token: drop the document, or give it a token of its own.")
            rows.append([ids.setdefault(token, len(ids)) for token in tokens])
        return Documents.of(rows, name="X")

    def _tokens(self, document: Any, place: int) -> Sequence[Any]:
        if self.input == "text":
            if not isinstance(document, str):
                raise TypeError(
                    f"X[{place}] must be a string, not {type(document).__name__} ({document!r:.40}); "
                    "input='tokens' reads sequences of tokens."
                )
            return (self.tokenizer or tokenize)(document)
        if isinstance(document, str) or np.ndim(document) != 1:
            raise TypeError(
                f"X[{place}] must be a sequence of tokens, not {type(document).__name__} "
                f"({document!r:.40}); input='text' reads strings."
            )
        return document.tolist() if isinstance(document, np.ndarray) else document


def explain_prediction(
    classifier: NTKClassifier | Pipeline, document: Any, label: Any = None, names: Any = None
) -> Explanation:
    """Split one prediction of a fitted classifier exactly: into n-grams, training documents, and groups.

    Parameters
    ----------
    classifier : NTKClassifier, or a Pipeline that ends in one
        Fitted.
    document : one document
        What the classifier or the pipeline takes a list of: a row of counts, a sequence of tokens, a text.
    label : optional
        The class whose score to explain: ``classes_[1]`` of two by default, the predicted one of more. For
        ``classes_[0]`` of two it is the score of the other with all signs turned.
    names : sequence of V strings, optional
        Names of the columns of a matrix of counts, where neither a DataFrame nor the pipeline tells them.

    Returns
    -------
    Explanation
        ``documents`` has the column ``label`` as well. Each part adds up to the ``decision_function``.

    Raises
    ------
    TypeError
        If it is no such classifier.
    ValueError
        If the label is none of the classes.

    Notes
    -----
    Exact up to rounding: the score is linear in each of the parts. Source: derivation.

    Examples
    --------
    >>> texts, labels = ["good", "not good", "bad", "not bad"], [1, 0, 0, 1]
    >>> classifier = NTKClassifier("cnn", input="text").fit(texts, labels)
    >>> parts = explain_prediction(classifier, "not good")
    >>> bool(np.isclose(parts.documents["score"].sum(), classifier.decision_function(["not good"])[0]))
    True
    >>> parts.ngrams.index[0], parts.documents["score"].idxmin()
    ('not good', 1)
    """
    steps = classifier[:-1] if isinstance(classifier, Pipeline) else None
    if isinstance(classifier, Pipeline):
        classifier = classifier[-1]
    if not isinstance(classifier, NTKClassifier):
        raise TypeError(f"classifier must be, or end in, an NTKClassifier, not {type(classifier).__name__}.")
    if steps:
        given = steps.transform([document])
        if names is None and hasattr(steps, "get_feature_names_out") and classifier.input == "counts":
            names = steps.get_feature_names_out()
    elif classifier.input == "counts":
        is_row = sparse.issparse(document) or hasattr(document, "columns")
        given = document if is_row else np.reshape(document, (1, -1))
    else:
        given = [document]
    row = sparse.csr_array(classifier._encoded(given))
    dual = _dual_of(classifier, row, label)
    parts = explain_score(
        classifier.architecture_, classifier.features_, dual, row, _namer(classifier, names)
    )
    parts.documents.insert(0, "label", classifier.labels_)
    return parts


def _dual_of(classifier: NTKClassifier, row: sparse.csr_array, label: Any) -> Float[np.ndarray, " documents"]:
    """``α`` of the class to explain."""
    dual, classes = classifier.dual_, classifier.classes_.tolist()
    if label is None:
        return dual if dual.ndim == 1 else dual[:, int((row @ classifier.feature_scores_)[0].argmax())]
    if label not in classes:
        raise ValueError(f"label must be one of {classes}, not {label!r}.")
    place = classes.index(label)
    return dual[:, place] if dual.ndim == 2 else dual if place else -dual


def _namer(classifier: NTKClassifier, names: Any) -> Callable[[int], str]:
    if classifier.input != "counts":
        tokens = list(classifier.vocabulary_)
        return lambda i: str(tokens[i])
    if names is None:
        names = getattr(classifier, "feature_names_in_", None)
    if names is None:
        return lambda i: f"column {i}"
    if len(names) != classifier.n_features_in_:
        raise ValueError(f"names must be {classifier.n_features_in_} strings, not {len(names)}.")
    return lambda i: str(names[i])

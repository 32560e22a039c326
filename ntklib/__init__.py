"""ntklib: what a text model learns by gradient descent, read off its Neural Tangent Kernel.

Everything a reader needs is here by name; modules are imported when first used, so that
``python -m ntklib --help`` does not wait for torch.

>>> import ntklib
>>> ntklib.MLP(activation="relu").spectrum(order=1).round(3).tolist()
[0.106, 0.894]
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any

__version__ = version("ntklib")

GROUPS: tuple[str, ...]
"""The parameter groups into which every kernel splits: ``Θ`` is the sum over them."""

_HOMES = {
    "architectures": (
        "CNN",
        "GRU",
        "LRNN",
        "LSTM",
        "MLP",
        "Attention",
        "ElmanRNN",
        "LinearRNN",
        "MatrixVector",
        "ProjectedAttention",
        "Transformer",
    ),
    "architectures.base": ("GROUPS", "Architecture", "TextNetwork"),
    "activations": ("Activation", "dual_activation", "get_activation"),
    "architectures.catalogue": ("get_architecture",),
    "classifier": ("NTKClassifier", "explain_prediction"),
    "corpora": ("Corpus", "load_corpus"),
    "documents": ("Documents",),
    "dynamics": ("GradientFlow", "gradient_flow"),
    "empirical": ("empirical_ntk", "empirical_ntk_by_group"),
    "expected_kernel": ("expected_ntk",),
    "explanations": ("Explanation",),
    "logistic_flow": ("KernelFlow", "kernel_flow"),
    "preconditioned": ("preconditioned_flow",),
    "trust": ("TrustReport", "trust_report"),
    "training_free": ("TrainingFreeModel", "training_free_model"),
    "training": ("train",),
    "training_run": ("TrainingRun",),
    "edited_documents": ("document_spectrum",),
    "stored_documents": ("open_documents", "write_documents"),
    "stored_kernel": ("kernel_on_disk",),
    "sweeps": ("sweep",),
    "statistics": ("bootstrap_interval", "cooccurrence", "label_scores", "noise_floor", "token_classes"),
    "claims": ("read_claims", "record_claim"),
    "environment": ("provenance",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted([*_HOME_OF, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'ntklib' has no attribute {name!r}")
    return getattr(import_module(f"ntklib.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__

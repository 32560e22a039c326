"""One module a model: its hyper-parameters, its unit kernel and its finite network together."""

from ntklib.architectures.attention import Attention, ProjectedAttention
from ntklib.architectures.cnn import CNN
from ntklib.architectures.gated import GRU, LSTM, ElmanRNN
from ntklib.architectures.linear_rnn import LinearRNN
from ntklib.architectures.lrnn import LRNN
from ntklib.architectures.matrix_vector import MatrixVector
from ntklib.architectures.mlp import MLP
from ntklib.architectures.transformer import Transformer

__all__ = [
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
]

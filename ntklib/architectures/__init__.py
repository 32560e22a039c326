"""One module a model: its hyper-parameters, its unit kernel and its finite network together."""

from ntklib.architectures.attention import Attention, ProjectedAttention
from ntklib.architectures.cnn import CNN
from ntklib.architectures.linear_rnn import LinearRNN
from ntklib.architectures.lrnn import LRNN
from ntklib.architectures.matrix_vector import MatrixVector
from ntklib.architectures.mlp import MLP

__all__ = ["CNN", "LRNN", "MLP", "Attention", "LinearRNN", "MatrixVector", "ProjectedAttention"]

"""Models of finite width alone: their structured tangents, and agreement with torch's own layers."""

import numpy as np
import pytest
import torch

from ntklib import LRNN, empirical_ntk
from ntklib.architectures.attention import ProjectedAttention
from ntklib.architectures.gated import GRU, LSTM, ElmanRNN
from ntklib.architectures.transformer import Transformer
from tests.architectures.battery import DOCUMENTS, OTHERS, VOCABULARY

MODELS = (
    ElmanRNN(),
    ElmanRNN("gelu", linearised=True, readout="last"),
    GRU(sigma_h=2.0),
    GRU(linearised=True, additive=False),
    LSTM(readout="last"),
    LSTM(linearised=True),
    ProjectedAttention(sigma_q=2.0),
    Transformer(),
    Transformer(layers=1, heads=4, activation="gelu", causal=False, positions=False, readout="last"),
)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
class TestFiniteWidthModels:
    def test_structured_empirical_kernel_equals_the_jacobian_product(self, model):
        for classes in (None, 3):
            network = model.network(8, VOCABULARY, seed=1, classes=classes)
            structured, jacobian = (
                empirical_ntk(network, DOCUMENTS, OTHERS, method=m) for m in ("structured", "jacobian")
            )
            assert structured == pytest.approx(jacobian, rel=1e-9, abs=1e-12 * np.abs(jacobian).max())

    def test_a_document_has_the_same_score_in_any_company(self, model):
        network = model.network(16, VOCABULARY, seed=0)
        together = network(DOCUMENTS).detach().numpy()
        alone = [network([document]).item() for document in DOCUMENTS]
        assert together == pytest.approx(alone, rel=1e-10, abs=1e-12)

    def test_the_same_seed_gives_the_same_network(self, model):
        first, again, other = (model.network(8, VOCABULARY, seed=s)(DOCUMENTS) for s in (0, 0, 1))
        assert torch.equal(first, again)
        assert not torch.allclose(first, other)


@pytest.mark.parametrize("activation", ["tanh"])
def test_linearised_elman_network_is_the_linearised_rnn(activation):
    expanded = ElmanRNN(activation, linearised=True).network(8, VOCABULARY, seed=0)
    assert torch.allclose(expanded(DOCUMENTS), LRNN(activation).network(8, VOCABULARY, seed=0)(DOCUMENTS))


@pytest.mark.parametrize(
    ("ours", "layer"), [(GRU, torch.nn.GRU), (LSTM, torch.nn.LSTM), (ElmanRNN, torch.nn.RNN)]
)
def test_cells_agree_with_those_of_torch(ours, layer):
    network = ours().network(6, VOCABULARY, seed=0)
    theirs = layer(6, 6, bias=False, batch_first=True, dtype=torch.float64)
    # torch orders the gates: GRU reset, update, candidate; LSTM input, forget, candidate, output.
    order = {GRU: [1, 0, 2], LSTM: [0, 1, 3, 2], ElmanRNN: [0]}[ours]
    with torch.no_grad():
        for name, own in (("weight_ih_l0", network.hidden), ("weight_hh_l0", network.recurrent)):
            blocks = own.view(-1, 6, 6)[order] / 6**0.5
            getattr(theirs, name).copy_(blocks.reshape(-1, 6))
        states, _ = theirs(network.embedding[torch.tensor([[3, 1, 3, 2]])])
        score = (states.sum(dim=1) @ network.output) / 6**0.5
    assert network([[3, 1, 3, 2]]).item() == pytest.approx(score.item(), rel=1e-10)


def test_linearised_step_is_the_first_order_expansion():
    """For a small recurrent weight the network and its expansion differ in second order."""
    differences = []
    for sigma in (1e-2, 1e-3):
        networks = [
            GRU(sigma_h=sigma, linearised=linearised).network(8, VOCABULARY, seed=0)
            for linearised in (False, True)
        ]
        differences.append((networks[0]([[1, 2]]) - networks[1]([[1, 2]])).abs().item())
    # The update gate multiplies the state in first order already, so only the recurrent part shrinks.
    assert differences[1] < differences[0] / 5


def test_a_causal_mask_hides_what_comes_after():
    for causal, hidden in ((True, True), (False, False)):
        network = Transformer(causal=causal).network(8, VOCABULARY, seed=0)
        first, second = (network.position_scores([[1, 2, 3, token]]) for token in (4, 5))
        assert torch.allclose(first[:3], second[:3]) == hidden
        assert not torch.allclose(first[3], second[3])


def test_positions_tell_orders_apart():
    for positions in (True, False):
        network = Transformer(positions=positions, causal=False).network(8, VOCABULARY, seed=0)
        scores = network([[1, 2, 3], [3, 2, 1]])
        assert torch.allclose(scores[0], scores[1]) != positions


def test_document_score_is_the_sum_of_the_positions_scores():
    network = Transformer().network(8, VOCABULARY, seed=0, classes=2)
    assert torch.allclose(network.position_scores([[1, 2, 3]]).sum(dim=0), network([[1, 2, 3]])[0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ElmanRNN(readout="mean"), "readout must be 'sum' or 'last'"),
        (lambda: GRU(additive=False), "additive=False needs linearised=True"),
        (lambda: Transformer(layers=0), "layers must be an integer, 1 or larger"),
        (
            lambda: Transformer(heads=3).network(8, 4, seed=0),
            "width must be a multiple of the 3 heads, not 8",
        ),
        (lambda: LSTM("tnah"), "tanh"),
    ],
)
def test_bad_parameters_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()

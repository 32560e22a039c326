"""What every recurrent architecture shows besides the battery: readouts, and a truncated feature map."""

from dataclasses import replace

import numpy as np
import pytest

from tests.architectures.battery import DOCUMENTS, ArchitectureBattery, random_documents


class RecurrentBattery(ArchitectureBattery):
    def test_feature_map_of_long_documents_is_within_its_error_bound(self, seed):
        documents, others = (random_documents(k, 10) for k in (seed, seed + 50))
        for model in self.instances:
            for most_patterns in (2, 5, 12):
                features = model.feature_map(documents, most_patterns=most_patterns)
                new = model.feature_map(others, features.columns)
                approximate = (features.matrix.toarray() * features.weights) @ new.matrix.toarray().T
                missing = model.kernel(documents, others) - approximate
                bound = np.sqrt(np.outer(features.error_bound, new.error_bound))
                scale = model.kernel(documents).max()
                assert (missing > -1e-12 * scale).all()
                assert (missing <= bound + 1e-12 * scale).all()

    def test_the_bound_is_what_the_documents_own_kernels_lack(self):
        documents = random_documents(7, 20)
        for model in self.instances:
            features = model.feature_map(documents, most_patterns=2)
            approximate = (features.matrix.toarray() ** 2) @ features.weights
            lacking = np.diag(model.kernel(documents)) - approximate
            assert features.error_bound == pytest.approx(lacking, rel=1e-8, abs=1e-12 * approximate.max())
            assert features.error_bound.max() > 0

    def test_nothing_is_lacking_in_short_documents(self):
        for model in self.instances:
            assert (model.feature_map(DOCUMENTS).error_bound == 0).all()

    def test_kernel_diagonal_is_the_diagonal(self, seed):
        documents = random_documents(seed, 30)
        for model in self.instances:
            diagonal = np.diag(model.kernel(documents))
            assert model.kernel_diagonal(documents) == pytest.approx(diagonal, rel=1e-12)

    def test_feature_weights_are_not_negative(self):
        for model in self.instances:
            weights = model.feature_weights(6)
            assert (weights.sum(axis=1) > 0).all()

    def test_feature_weights_add_up_to_a_unit_that_matches_itself(self):
        for model in self.instances:
            itself = sum(model.unit_kernel(np.ones((1, 6), dtype=bool)).values())[0]
            assert model.feature_weights(6).to_numpy().sum() == pytest.approx(itself, rel=1e-12)

    def test_the_last_state_of_a_token_alone_is_also_the_sum_of_its_states(self):
        for model in self.instances:
            for readout in ("sum", "last"):
                other = replace(model, readout=readout)
                assert other.kernel([[3]]) == pytest.approx(model.kernel([[3]]), rel=1e-12)

    def test_an_unknown_readout_is_refused(self):
        with pytest.raises(ValueError, match="readout must be 'sum' or 'last', not 'mean'"):
            type(self.instances[0])(readout="mean")

    def test_no_pattern_is_refused(self):
        with pytest.raises(ValueError, match="most_patterns must be an integer, 1 or larger, not 0"):
            self.instances[0].feature_map(DOCUMENTS, most_patterns=0)

    def test_a_spectrum_needs_the_length_of_the_unit(self):
        with pytest.raises(ValueError, match="order is needed"):
            self.instances[0].pattern_weights()

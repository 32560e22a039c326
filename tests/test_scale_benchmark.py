"""The benchmark of scale, on few sentences: its fields, its texts, its prediction's arithmetic."""

import numpy as np
import pytest

from benchmarks import scale


def test_a_record_has_time_and_memory_of_every_stage(tmp_path):
    scale.write(tmp_path, 60)
    record = scale.measure(tmp_path, cnn=True, whole=True)
    stages = {"open", "token counts", "noise floor", "bigram counts"} | {
        f"{model} {stage}" for model in ("MLP", "CNN") for stage in ("feature map", "transpose", "flow")
    }
    for figure in ("seconds", "wall_seconds", "peak_bytes"):
        assert set(record[figure]) == stages
    assert record["sentences"] == 60
    assert 3 * 60 <= record["tokens"] <= 60 * 60
    assert record["entries"]["CNN"] > record["entries"]["MLP"] > record["tokens"] / 2
    assert record["whole_flow_evaluations"] > 10


def test_sentences_in_chunks_are_as_many_as_asked_for(monkeypatch):
    monkeypatch.setattr(scale, "CHUNK", 40)
    chunks = list(scale.sentences(100))
    assert [len(documents) for documents, _ in chunks] == [40, 40, 20]
    assert set(np.unique(np.concatenate([labels for _, labels in chunks]))) == {0, 1}


def test_exponents_are_those_of_each_stage():
    records = [{"tokens": n, "seconds": {"a": n**1.5, "b": 2.0 * n}} for n in (10, 100, 1000)]
    assert scale.exponents(records) == {"a": pytest.approx(1.5), "b": pytest.approx(1.0)}


def test_prediction_adds_features_products_and_traffic():
    measured = {
        "feature_seconds_per_token": 1e-6,
        "product_seconds_per_token": 1e-8,
        "tokens_per_sentence": 20.0,
        "feature_bytes_per_token": 12.0,
    }
    found = scale.predicted(measured, 1e6, 10, shared_features=1000, evaluations=100, link=1e9)
    traffic = 8 * (3e6 + 2 * 10 * 1000)
    assert found["bytes_per_evaluation"] == traffic
    assert found["feature_hours"] * 3600 == pytest.approx(2.0)
    assert found["traffic_hours"] * 3600 == pytest.approx(100 * traffic / 1e9)
    assert found["hours"] * 3600 == pytest.approx(2.0 + 100 * 0.02 + 100 * traffic / 1e9)
    assert found["worker_bytes"] == pytest.approx(24e6)

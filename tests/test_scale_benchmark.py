"""The benchmark of scale, on few sentences: its fields, its texts, its prediction's arithmetic."""

import doctest

import numpy as np
import pytest

from benchmarks import scale, scale_prediction


def test_a_record_has_time_and_memory_of_every_stage(tmp_path):
    scale.write(tmp_path, 60)
    record = scale.measure(tmp_path, cnn=True, whole=True)
    stages = {"open", "token counts", "noise floor", "bigram counts"} | {
        f"{model} {stage}" for model in ("MLP", "CNN") for stage in ("feature map", "transpose", "flow")
    }
    stages.add("MLP whole flow")
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
    settings = {"shared_features": 1000, "evaluations": 100, "link": 1e9}
    found = scale_prediction.predicted(measured, 1e6, 10, latency=0.5, **settings)
    traffic = 8 * (3e6 + 2 * 10 * 1000)
    assert found["partitions"] == 10
    assert found["latency_hours"] * 3600 == pytest.approx(500)
    assert found["bytes_per_evaluation"] == traffic
    assert found["feature_hours"] * 3600 == pytest.approx(2.0)
    assert found["traffic_hours"] * 3600 == pytest.approx(100 * traffic / 1e9)
    assert found["hours"] * 3600 == pytest.approx(2.0 + 100 * 0.02 + 500 + 100 * traffic / 1e9)
    assert found["worker_bytes"] == pytest.approx(24e6)
    small = scale_prediction.predicted(measured, 1e6, 10, latency=0.5, partition_tokens=10**6, **settings)
    assert small["partitions"] == 20
    assert small["bytes_per_evaluation"] == 8 * (3e6 + 2 * 20 * 1000)


def test_the_examples_of_the_prediction_hold():
    assert doctest.testmod(scale_prediction).failed == 0

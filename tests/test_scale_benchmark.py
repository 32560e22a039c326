"""The benchmark of scale, on few sentences: its fields, its texts, its prediction's arithmetic."""

import doctest

import numpy as np
import pytest

from benchmarks import scale, scale_prediction


def test_a_record_has_time_and_memory_of_every_stage(tmp_path):
    scale.write(tmp_path, 60)
    record = scale.measure(tmp_path, cnn=True, whole=True)
    stages = {"open", "token counts", "noise floor", "bigram counts"} | {
        f"{model} {stage}"
        for model in ("MLP", "CNN")
        for stage in ("feature map", "transpose", "20 evaluations", "flow, 500 steps")
    }
    stages |= {"MLP flow, explicit", "MLP flow, implicit"}
    for figure in ("seconds", "wall_seconds", "peak_bytes"):
        assert set(record[figure]) == stages
    assert set(record["first_seconds"]) == {stage for stage in stages if "flow" not in stage}
    assert record["sentences"] == 60
    assert 3 * 60 <= record["tokens"] <= 60 * 60
    assert record["entries"]["CNN"] > record["entries"]["MLP"] > record["tokens"] / 2
    works = record["flow_work"]
    assert set(works) == {stage for stage in stages if "flow" in stage}
    explicit, implicit = works["MLP flow, explicit"], works["MLP flow, implicit"]
    # Explicit: each product is one round trip that takes three vectors; the probe takes one half more.
    assert explicit["round_trips"] == (explicit["halves"] + 1) / 2
    assert explicit["document_vectors"] == 3 * (explicit["round_trips"] - 1) + 1
    assert explicit["round_trips"] > 10
    # Implicit: a product with the curvature is one round trip and no vector, a half one of each. The largest
    # eigenvalue takes some of the explicit kind.
    assert implicit["halves"] / 2 < implicit["round_trips"] < implicit["halves"]
    excess = implicit["document_vectors"] - (2 * implicit["round_trips"] - implicit["halves"])
    assert excess % 3 == 0
    assert 0 < excess / 3 < explicit["round_trips"]


@pytest.mark.parametrize(
    ("walls", "warm_up", "first", "median"),
    [
        ([9.0, 1.0, 1.5, 1.2, 0.1, 0.7, 0.5], True, 9.0, 1.0),  # the five after the first one
        ([9.0, 3.0, 2.5, 4.0], True, 9.0, 2.75),  # no other one after five seconds
        ([1.0, 2.0, 3.0, 4.0], False, None, 2.0),
    ],
)
def test_of_some_runs_the_median_counts(walls, warm_up, first, median, monkeypatch):
    runs = iter(walls)
    monkeypatch.setattr(scale, "processor_seconds", lambda work: (2 * (wall := next(runs)), wall, work()))
    stages = scale.Stages()
    assert stages.run("some", lambda: "result", warm_up) == "result"
    assert stages.wall_seconds == {"some": pytest.approx(median)}
    assert stages.seconds == {"some": pytest.approx(2 * median)}
    assert stages.first_seconds == ({"some": 2 * first} if first else {})
    assert stages.peak_bytes["some"] > 0


def test_sentences_in_chunks_are_as_many_as_asked_for(monkeypatch):
    monkeypatch.setattr(scale, "CHUNK", 40)
    chunks = list(scale.sentences(100))
    assert [len(documents) for documents, _ in chunks] == [40, 40, 20]
    assert set(np.unique(np.concatenate([labels for _, labels in chunks]))) == {0, 1}


def test_exponents_are_those_of_each_stage():
    records = [
        {"tokens": n, "seconds": {"a": n**1.5, "b": 2.0 * n}, "entries": {"a": n**0.5}}
        for n in (10, 100, 1000)
    ]
    assert scale.exponents(records, "entries") == {"a": pytest.approx(0.5)}
    assert scale.exponents(records, "seconds") == {"a": pytest.approx(1.5), "b": pytest.approx(1.0)}


def test_prediction_adds_features_products_and_traffic():
    measured = {
        "feature_seconds_per_token": 1e-6,
        "product_seconds_per_token": 1e-8,
        "tokens_per_sentence": 20.0,
        "feature_bytes_per_token": 12.0,
    }
    work = {"halves": 200, "round_trips": 150, "document_vectors": 300}
    settings = {"shared_features": 1000, "work": work, "link": 1e9}
    found = scale_prediction.predicted(measured, 1e6, 10, latency=0.5, **settings)
    traffic = 8 * (300 * 1e6 + 150 * 2 * 10 * 1000)
    assert found["partitions"] == 10
    assert found["latency_hours"] * 3600 == pytest.approx(750)
    assert found["traffic_bytes"] == traffic
    assert found["feature_hours"] * 3600 == pytest.approx(2.0)
    assert found["traffic_hours"] * 3600 == pytest.approx(traffic / 1e9)
    assert found["hours"] * 3600 == pytest.approx(2.0 + 100 * 0.02 + 750 + traffic / 1e9)
    assert found["worker_bytes"] == pytest.approx(24e6)
    small = scale_prediction.predicted(measured, 1e6, 10, latency=0.5, partition_tokens=10**6, **settings)
    assert small["partitions"] == 20
    assert small["traffic_bytes"] == 8 * (300 * 1e6 + 150 * 2 * 20 * 1000)
    assert (small["products"], small["round_trips"]) == (100, 150)


def test_the_examples_of_the_prediction_hold():
    assert doctest.testmod(scale_prediction).failed == 0

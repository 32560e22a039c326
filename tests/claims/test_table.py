"""The ledger as a table."""

import pandas as pd
import pytest

from ntklib.claims import claims_table


def ledger(**changes) -> pd.DataFrame:
    row = {
        "chapter": "mlp", "statement": "a < b", "source": "paper", "expectation": "above 0",
        "measurement": "1", "verdict": "supported", "decisive": True, "condition": "", "reason": "",
    }  # fmt: skip
    return pd.DataFrame([row | changes], index=["order"])


def test_rows_link_to_the_cell_that_measured_them():
    assert '<a href="mlp.html#claim-order">a &lt; b</a>' in claims_table(ledger())._repr_html_()


def test_text_of_a_claim_is_escaped():
    table = claims_table(ledger(statement="<script>alert(1)</script>", condition="<b>"))._repr_html_()
    assert "<script>" not in table
    assert "<b>" not in table


def test_every_cell_but_the_first_names_its_heading_for_a_phone():
    table = claims_table(ledger())._repr_html_()
    assert table.count("data-heading=") == 4
    assert '<td data-heading="expected">above 0</td>' in table


def test_an_undecided_claim_says_so():
    assert "not supported (undecided)" in repr(claims_table(ledger(verdict="not supported", decisive=False)))


def test_an_empty_ledger_and_an_unknown_column_are_refused():
    with pytest.raises(ValueError, match="execute the chapters"):
        claims_table(ledger().iloc[:0])
    with pytest.raises(ValueError, match=r"columns holds \['page'\]"):
        claims_table(ledger(), columns=["page"])

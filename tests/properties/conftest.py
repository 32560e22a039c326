"""Note of each property how many cases were tried; `tests/conftest.py` adds them up."""

import pytest

from tests.properties.cases import Tried


@pytest.fixture(autouse=True)
def tried(request):
    """Add the test's number of cases to its report."""
    before = Tried.count
    yield
    if Tried.count > before:
        request.node.user_properties.append(("cases tried", Tried.count - before))

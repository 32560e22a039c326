"""make audit: a vulnerability, none, and no answer are three different things."""

import json

import pytest

from pipeline import audit
from pipeline.audit import Answer, answer

PINS = ["attrs==26.1.0", "jinja2==3.1.2"]
CLEAN = {"name": "attrs", "version": "26.1.0", "vulns": []}
BAD = {"name": "jinja2", "version": "3.1.2", "vulns": [{"id": "CVE-2024-22195", "fix_versions": ["3.1.3"]}]}


def database(**packages):
    """Return what asks a database that knows only these packages."""

    def ask(name, asked):
        known = packages.get(name, {})
        unknown = [pin for pin in asked if pin not in known]
        return Answer([known[pin] for pin in asked if known.get(pin, {}).get("vulns")], unknown)

    return ask


def test_a_clean_lock_passes(capsys):
    ask = database(pypi={PINS[0]: CLEAN, PINS[1]: {**CLEAN, "name": "jinja2"}})
    assert audit.main(PINS, ask) == 0
    assert capsys.readouterr().out == "make audit: no known vulnerability in 2 locked packages.\n"


def test_a_vulnerable_package_is_named_with_the_release_that_fixes_it(capsys):
    assert audit.main(PINS, database(pypi={PINS[0]: CLEAN, PINS[1]: BAD})) == 1
    out = capsys.readouterr().out
    assert "VULNERABLE jinja2 3.1.2: CVE-2024-22195 (fixed in: 3.1.3)" in out
    assert "could NOT be looked up" not in out


def test_no_database_within_reach_is_not_a_clean_bill(capsys):
    assert audit.main(PINS, database()) == 3
    out = capsys.readouterr().out
    assert "2 of 2 packages could NOT be looked up" in out
    assert "the Python Package Index: not found: attrs==26.1.0" in out
    assert "no known vulnerability" not in out


def test_what_the_first_database_does_not_know_is_asked_of_the_second(capsys):
    assert audit.main(PINS, database(pypi={PINS[0]: CLEAN}, osv={PINS[1]: BAD})) == 1
    assert "VULNERABLE jinja2" in capsys.readouterr().out
    assert audit.main(PINS, database(pypi={PINS[0]: CLEAN})) == 3
    assert "1 of 2 packages could NOT be looked up" in capsys.readouterr().out


def test_a_package_that_pip_audit_skips_counts_as_unknown_though_it_exits_with_0():
    skipped = {"name": "jinja2", "skip_reason": "Dependency not found on PyPI and could not be audited"}
    report = json.dumps({"dependencies": [CLEAN, skipped], "fixes": []})
    assert answer(report, "No known vulnerabilities found", PINS) == Answer(unknown=["jinja2==3.1.2"])


def test_a_package_that_pip_audit_does_not_mention_counts_as_unknown():
    assert answer(json.dumps({"dependencies": [BAD]}), "", PINS) == Answer([BAD], ["attrs==26.1.0"])


@pytest.mark.parametrize("report", ["", "{}", "not json"])
def test_a_crash_leaves_everything_unknown_and_says_why(report):
    found = answer(report, "Traceback\nConnectionError: Failed to resolve\n", PINS)
    assert found == Answer(unknown=PINS, error="ConnectionError: Failed to resolve")


def test_every_lock_file_is_audited_without_checksums_and_conditions():
    pins = audit.locked()
    assert {pin.split("==")[0] for pin in pins} >= {"torch", "triton", "pip-audit", "aiohttp"}
    assert all(pin.count("==") == 1 and " " not in pin for pin in pins)

"""The claim ledger: what was claimed, what was measured, and the verdict, recorded inside executed notebooks.

A chapter ends with :func:`record_claim`; the record is part of that cell's output. :func:`read_claims` reads
the records back from the notebooks alone.
"""

from ntklib.claims.full_runs import FullRun, beside_full_runs, read_full_runs
from ntklib.claims.ledger import read_claims
from ntklib.claims.multiplicity import simultaneous_support
from ntklib.claims.record import ABSTRACT_CLAIMS, SOURCES, Claim, record_claim
from ntklib.claims.table import ClaimsTable, claims_table
from ntklib.claims.verdict import VERDICTS, verdict_from

__all__ = [
    "ABSTRACT_CLAIMS",
    "SOURCES",
    "VERDICTS",
    "Claim",
    "ClaimsTable",
    "FullRun",
    "beside_full_runs",
    "claims_table",
    "read_claims",
    "read_full_runs",
    "record_claim",
    "simultaneous_support",
    "verdict_from",
]

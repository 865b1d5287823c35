"""Cases: examples beside the policies, raw event in and views out, that are read, run and counted. No broker, no key.

A case's raw values are synthetic by rule, but none is printed all the same: what is shown of a case that fails is
names, codes, and values of minimized records, on both sides.
"""

from pipelines.explain.cases.coverage import Coverage, Line, cover
from pipelines.explain.cases.junit import junit, said
from pipelines.explain.cases.model import Case, Cases
from pipelines.explain.cases.reading import read_cases
from pipelines.explain.cases.running import Difference, Run, run_cases

__all__ = [
    "Case",
    "Cases",
    "Coverage",
    "Difference",
    "Line",
    "Run",
    "cover",
    "junit",
    "read_cases",
    "run_cases",
    "said",
]

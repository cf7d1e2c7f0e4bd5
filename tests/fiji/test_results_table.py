"""ResultsTable <-> columns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fibsem_ij import fiji
from fibsem_ij.fiji import FijiError
from fibsem_ij.fiji.tables import from_table

pytestmark = pytest.mark.timeout(120)
WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2000, exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=8)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(), WORDS, WORDS, st.integers(-(2**53), 2**53)), min_size=1, max_size=6))
def test_there_and_back(session: fiji.Session, rows: list[tuple[float, str, str, int]]) -> None:
    numbers, labels, words, whole = map(list, zip(*rows, strict=True))
    back = from_table(session.to_table({"Label": np.array(labels), "area nm²": numbers, "kind": np.array(words), "n": whole}))
    assert list(back) == ["Label", "area nm²", "kind", "n"]
    assert np.array_equal(back["area nm²"], numbers, equal_nan=True)
    assert list(back["Label"]) == labels
    assert list(back["kind"]) == words
    assert list(back["n"]) == whole


def test_what_imagej_cannot_hold_is_refused(session: fiji.Session) -> None:
    for columns in ({"n": [2**53 + 1]}, {"a": [1], "b": [1, 2]}, {}, {"a": []}, {"": [1]}, {"a\nb": [1]}, {"a": ["x\ny"]}):
        with pytest.raises(FijiError):
            session.to_table(columns)

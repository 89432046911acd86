"""What an audit chain is hashed over must be the same bytes in every release."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from curbside.audit import canonical

_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
_DETAILS = st.recursive(
    _LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12
)


@given(st.dictionaries(st.text(), _DETAILS))
def test_a_record_is_hashed_over_what_json_writes(record: dict[str, Any]) -> None:
    assert canonical(record) == json.dumps(record, sort_keys=True, separators=(",", ":")).encode()


def test_characters_that_json_escapes_are_hashed_as_it_writes_them() -> None:
    assert canonical({"ä": "\x7f\ud800"}) == b'{"\\u00e4":"\\u007f\\ud800"}'

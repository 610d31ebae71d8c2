from __future__ import annotations

import pytest
import yaml  # type: ignore[import-untyped]  # it comes without annotations
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.boards.installing.yaml_text import yaml_text

KEYS = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,9}", fullmatch=True).filter(
    lambda key: key.lower() not in {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")))
)
DATA = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(SCALARS | st.dictionaries(KEYS, inner)) | st.dictionaries(KEYS, inner),
        max_leaves=8,
    ),
)


@settings(max_examples=60)
@given(DATA)
def test_another_parser_reads_what_was_written(data: dict[str, object]) -> None:
    text = yaml_text("a head\nof two lines", data)  # type: ignore[arg-type]  # the strategy makes such data
    assert text.startswith("# a head\n# of two lines\n")
    assert (yaml.safe_load(text) or {}) == data


def test_it_looks_as_people_write_it() -> None:
    text = yaml_text(
        "Head", {"apiVersion": 1, "groups": [{"name": "a", "rules": [{"uid": "x"}], "none": []}], "t": "中"}
    )
    assert text == (
        '# Head\napiVersion: 1\ngroups:\n  - name: "a"\n    rules:\n      - uid: "x"\n    none: []\nt: "中"\n'
    )


def test_a_list_within_a_list_is_refused() -> None:
    with pytest.raises(TypeError, match="a list stands in a list"):
        yaml_text("", {"a": [["b"]]})

"""Whatever JSON holds can be stored after `storable`: proven against PostgreSQL itself."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from models.clean import REPLACEMENT, storable
from models.pipeline import V2PipelineLog, V2Run
from worker import db, inbox

any_text = st.text(
    st.characters(exclude_categories=[]) | st.sampled_from("\x00\ud800\udfff\ufffd\u2028"), max_size=12
)
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | any_text | st.sampled_from([10**400, -(10**400)])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def stored(shared_database):
    """A function that stores a value as a run's output and returns it as PostgreSQL has it, in text."""
    with db.transaction() as session:
        inbox.register_run(session, "STORABLE", {})

    def store(value):
        with db.transaction() as session:
            inbox.store_outputs(session, "STORABLE", [inbox.Output("STEP", {"value": value})])
            inbox.register_run(session, "STORABLE", {"seed_data": {"value": value}})
            found = select(V2PipelineLog.output["value"].as_string(), V2Run.seed_data["value"].as_string())
            joined = found.join(V2Run, V2Run.run_id == V2PipelineLog.run_id)
            return session.execute(joined.where(V2Run.run_id == "STORABLE")).one()

    return store


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values)
def test_any_json_value_can_be_stored(stored, value):
    cleaned, _ = storable(value)
    output, seed = stored(cleaned)
    assert output == seed
    if not isinstance(cleaned, float | int | str) and cleaned is not None:
        assert len(json.loads(output)) == len(cleaned), "nothing is lost"


@given(values)
def test_what_was_cleaned_needs_no_cleaning_and_what_was_clean_is_returned_itself(value):
    cleaned, replaced = storable(value)
    again, none = storable(cleaned)
    assert again is cleaned
    assert none == 0
    if replaced == 0:
        assert cleaned is value


@pytest.mark.parametrize(
    ("value", "cleaned", "replaced"),
    [
        ("a\x00b", f"a{REPLACEMENT}b", 1),
        ("\ud83d\ude00", REPLACEMENT * 2, 2),
        ("😀", "😀", 0),
        ({"\x00": "\x00"}, {REPLACEMENT: REPLACEMENT}, 2),
        ({"\x00": 1, "\ud800": 2}, {REPLACEMENT: 1, REPLACEMENT * 2: 2}, 2),
        ({"\x00": 1, REPLACEMENT: 2}, {REPLACEMENT * 2: 1, REPLACEMENT: 2}, 1),
        ([float("nan"), float("-inf"), 0.5], [None, None, 0.5], 2),
        ([["\x00"], "b"], [[REPLACEMENT], "b"], 1),
        (10**400, 10**400, 0),
        (None, None, 0),
    ],
)
def test_what_cannot_be_stored_is_replaced_and_counted(value, cleaned, replaced):
    assert storable(value) == (cleaned, replaced)

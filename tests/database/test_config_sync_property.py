"""Whatever is edited on both sides in whatever order, no sync loses an edit silently, and the end is known."""

from collections import defaultdict

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from models.config import CONFIG_FIELDS
from tests.database.publishing import execute, query
from tests.database.sides import V2, both, put, sync

SIDES = ("v2", "production")
VALUES = st.sampled_from([None, {"v": 1}, {"v": 2}, {"v": [1, None]}, {}, [], 0, False, "", "null"])
EDITS = st.tuples(st.sampled_from(SIDES), st.sampled_from(CONFIG_FIELDS), VALUES)
STEPS = st.lists(
    st.one_of(
        EDITS,
        EDITS,
        st.just("sync"),
        st.tuples(st.just("take"), st.sampled_from(SIDES), st.sampled_from(CONFIG_FIELDS)),
    ),
    max_size=14,
)
NEVER = object()


class Expected:
    """Every field as the design says: its values, what both sides last agreed on, and what was overwritten."""

    def __init__(self, owner):
        self.owner = owner
        self.values = {field: dict.fromkeys(SIDES) for field in CONFIG_FIELDS}
        self.agreed = dict.fromkeys(CONFIG_FIELDS, NEVER)
        self.conflicts = set()
        self.history = defaultdict(list)

    def sync(self, take=None, only=None):
        for field, values in self.values.items():
            if only in {None, field} and (take or self.owner != "separate"):
                self._sync(field, values, take)

    def _sync(self, field, values, take):
        source = take or self.owner
        target = "production" if source == "v2" else "v2"
        if same(values["v2"], values["production"]):
            self._agree(field)
        elif take or same(values[target], None if self.agreed[field] is NEVER else self.agreed[field]):
            self.history[field].append((f"to_{target}", values[target], values[source]))
            values[target] = values[source]
            self._agree(field)
        else:
            if field not in self.conflicts:
                self.history[field].append(("conflict", values["v2"], values["production"]))
            self.conflicts.add(field)

    def _agree(self, field):
        self.agreed[field] = self.values[field]["v2"]
        self.conflicts.discard(field)


def same(one, other):
    return (type(one), one) == (type(other), other)


def forget():
    for statement in (
        "delete from config_sync_history",
        "delete from config_sync_state",
        f"update v2_clients set {', '.join(f'{field} = null' for field in CONFIG_FIELDS)}",
        f"update clients set {', '.join(f'{field} = null' for field in CONFIG_FIELDS)}",
    ):
        execute(statement)


def written():
    rows = query("select field, action, before, after from config_sync_history order by id")
    found = defaultdict(list)
    for row in rows:
        found[row.field].append((row.action, row.before, row.after))
    return found


def take_step(step, expected):
    if step == "sync":
        sync()
        expected.sync()
    elif step[0] == "take":
        sync(only=V2, take=step[1], field=step[2])
        expected.sync(step[1], step[2])
    else:
        side, field, value = step
        put(side, value, field=field)
        expected.values[field][side] = value


@pytest.mark.parametrize("owner", ["v2", "production", "separate"])
@pytest.mark.usefixtures("clients")
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
@example(steps=[("v2", "icp_config", {"v": 1}), "sync", ("production", "icp_config", None), "sync"])
@example(steps=[("v2", "icp_config", 0), ("production", "icp_config", False), "sync", ("v2", "icp_config", 1)])
def test_no_edit_is_lost_silently_and_both_sides_end_equal_or_the_difference_is_reported(setting, owner, steps):
    setting(config_owner=owner)
    forget()
    expected = Expected(owner)
    for step in steps:
        before = {field: both(field) for field in CONFIG_FIELDS} if step == "sync" else None
        known = written()
        take_step(step, expected)
        for field, (v2, production) in (before or {}).items():
            for old, new in zip((v2, production), both(field), strict=True):
                told = [entry[1] for entry in written()[field][len(known[field]) :]]
                assert same(old, new) or any(same(old, entry) for entry in told), "overwritten without a trace"
    report = sync()
    expected.sync()
    conflicts = {row.field for row in report.differences if row.action == "conflict"}
    for field, values in expected.values.items():
        v2, production = both(field)
        assert same(v2, values["v2"])
        assert same(production, values["production"])
        if owner != "separate":
            assert same(v2, production) is (field not in conflicts)
            assert written()[field] == expected.history[field]
    assert conflicts == (expected.conflicts if owner != "separate" else set())

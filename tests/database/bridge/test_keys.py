import pytest
from sqlalchemy import delete, select, text, update

from models.jobs import ApiKey, Scope
from worker import db, keys
from worker.errors import Forbidden, NotFound, Unauthorized, Validation


@pytest.fixture
def create(shared_database):
    """A function that makes a key, in a table that is empty at first."""
    with db.transaction() as session:
        session.execute(delete(ApiKey))

    def make(name="tests", scope=Scope.READ):
        with db.transaction() as session:
            return keys.create(session, name, scope)

    return make


def verify(key, needed=Scope.READ):
    with db.transaction() as session:
        return keys.verify(session, key, needed)


def last_used():
    with db.transaction() as session:
        return session.scalars(select(ApiKey.last_used_at)).one()


def test_a_key_is_stored_as_a_hash_alone(create):
    key = create()
    with db.transaction() as session:
        stored = session.scalars(text("select api_keys::text from api_keys")).one()
    prefix, key_id, secret = key.split("_", 2)
    assert (prefix, key_id in stored, secret in stored) == ("clk", True, False)
    assert len(secret) >= 43, "256 random bits"


def test_two_keys_are_never_alike(create):
    made = {create(f"key {number}") for number in range(20)}
    assert len({key.split("_", 2)[1] for key in made}) == len({key.split("_", 2)[2] for key in made}) == 20


@pytest.mark.parametrize("needed", Scope)
@pytest.mark.parametrize("scope", Scope)
def test_a_scope_includes_those_before_it(create, scope, needed):
    key = create(scope=scope)
    order = [Scope.READ, Scope.PUBLISH, Scope.OPS]
    if order.index(needed) <= order.index(scope):
        assert verify(key, needed) == "tests"
    else:
        with pytest.raises(Forbidden, match=f"scope `{scope}`; this call needs `{needed}`"):
            verify(key, needed)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda key: None,
        lambda key: "",
        lambda key: key[:-1],
        lambda key: key + "\x00",
        lambda key: key.replace("clk_", "clk_\x00"),
        lambda key: "clk_\ud800_x",
        lambda key: key.replace("clk", "CLK"),
        lambda key: "clk",
        lambda key: "clk_",
        lambda key: "clk__",
        lambda key: "clk_ÄÖÜ_x",
        lambda key: "clk_" + "0" * 100_000 + "_x",
    ],
)
def test_whatever_is_no_key_is_refused_and_nothing_more_is_said(create, spoil):
    key = create()
    with pytest.raises(Unauthorized) as refused:
        verify(spoil(key))
    assert key not in refused.value.detail
    assert verify(key) == "tests"


def test_a_revoked_key_is_refused_like_an_unknown_one(create):
    key = create()
    with db.transaction() as session:
        keys.revoke(session, "tests")
    details = set()
    for presented in (key, "clk_000000000000_x", None):
        with pytest.raises(Unauthorized) as refused:
            verify(presented, Scope.OPS)
        details.add(refused.value.detail)
    assert len(details) == 1


def test_revoking_again_keeps_the_first_moment_and_revoking_nothing_is_an_error(create):
    create()

    def revoke(name):
        with db.transaction() as session:
            keys.revoke(session, name)
        with db.transaction() as session:
            return session.scalars(select(ApiKey.revoked_at)).one()

    assert revoke("tests") == revoke("tests")
    with pytest.raises(NotFound, match="no key named 'other'"):
        revoke("other")


def test_a_name_is_taken_once_even_by_a_revoked_key_and_the_transaction_goes_on(create):
    create()
    with db.transaction() as session:
        with pytest.raises(Validation, match="There is a key named 'tests'"):
            keys.create(session, "tests", Scope.OPS)
        keys.create(session, "another", Scope.OPS)
    with db.transaction() as session:
        assert [key.name for key in keys.every(session)] == ["tests", "another"]


@pytest.mark.parametrize("name", ["", "x" * 129, "a\x00b", "a\nb", "a\ud800", "a\u202e"])
def test_a_name_nobody_can_read_or_type_is_refused(create, name):
    with pytest.raises(Validation, match="is no name for a key"):
        create(name)


def test_when_a_key_was_last_used_is_noted_at_most_every_minute(create):
    key = create()
    assert last_used() is None
    verify(key)
    first = last_used()
    verify(key)
    assert last_used() == first
    with db.transaction() as session:
        session.execute(update(ApiKey).values(last_used_at=text("now() - interval '61 seconds'")))
    verify(key)
    assert last_used() > first


def test_a_refused_key_is_not_noted_as_used(create):
    key = create()
    with pytest.raises(Forbidden):
        verify(key, Scope.OPS)
    with pytest.raises(Unauthorized):
        verify(key[:-1])
    assert last_used() is None

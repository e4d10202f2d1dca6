"""What a client wants otherwise than the settings say: shown with where it comes from, set, and taken back."""

from datetime import UTC, date, datetime

import pytest

from tests.database.publishing import LAKESHORE, NORTHWIND, execute, one, published, query, register
from tests.database.publishing import publish as publish_run
from tests.database.rows import add
from worker import db, wishes
from worker.errors import ClientNotFound, ClientUnmapped, ColumnlineError, Validation
from worker.settings import settings

V2, UNMAPPED = "CLT_NORTHWIND_001", "CLT_UNMAPPED_001"

pytestmark = pytest.mark.usefixtures("clients")


def show(client=V2):
    with db.transaction() as session:
        return wishes.show(session, settings(), client)


def change(client=V2, **wanted):
    with db.transaction() as session:
        return wishes.change(session, settings(), client, wanted, "tests")


def wish(found, name):
    """What counts, and where it comes from; None where it is not shown."""
    rows = [(row.value, row.source) for row in found.settings if row.name == name]
    return rows[0] if rows else None


def everything():
    tables = ("clients", "v2_clients", "dossiers", "calendar_events")
    return {table: query(f"select * from {table} order by {table}::text") for table in tables}


def test_what_counts_for_a_client_is_shown_with_where_it_comes_from():
    found = show()
    assert (found.v2_client_id, found.name, found.status) == (V2, "Northwind Steel", "active")
    assert found.production_client_id == NORTHWIND
    assert {row.name: (row.value, row.source) for row in found.settings}.items() >= {
        "supersede": ("explicit", "default"),
        "default_list": ("Inbox", "default"),
        "drip_schedule": (None, "default"),
        "timezone": ("America/Toronto", "client"),
        "release_hour": (7, "client"),
    }.items()


def test_what_the_environment_says_is_shown_as_the_environments_and_what_the_client_wants_counts_more(setting):
    setting(supersede="auto", default_list="")
    assert wish(show(), "supersede") == ("auto", "environment")
    assert wish(show(), "default_list") == ("", "environment")
    change(supersede="explicit", default_list="Hot")
    assert wish(show(), "supersede") == ("explicit", "client")
    assert wish(show(), "default_list") == ("Hot", "client")
    assert wish(show("CLT_LAKESHORE_001"), "supersede") == ("auto", "environment"), "of another client"


def test_an_unmapped_client_has_no_zone_and_no_hour_and_its_other_wishes_can_be_set():
    found = change(UNMAPPED, supersede="auto")
    assert found.production_client_id is None
    assert (wish(found, "timezone"), wish(found, "release_hour")) == (None, None)
    assert wish(found, "supersede") == ("auto", "client")


def test_the_drip_of_v1_is_shown_until_the_pipeline_has_one():
    execute("update clients set drip_enabled = true, drip_frequency = 'weekly', drip_day = 2")
    assert wish(show(), "drip (V1)") == ({"frequency": "weekly", "day": 2}, "client")
    found = change(drip_schedule='{"days": ["tue"], "time": "09:00"}')
    assert (wish(found, "drip (V1)"), wish(found, "drip_schedule")[1]) == (None, "client")


def test_a_client_led_by_its_slug_has_that_clients_zone_where_slugs_count(setting):
    assert wish(show("CLT_LAKESHORE_001"), "timezone") == ("America/Detroit", "client")
    setting(client_mapping="explicit")
    assert wish(show("CLT_LAKESHORE_001"), "timezone") is None


def test_a_slug_that_fits_two_clients_leads_to_neither():
    execute("alter table clients drop constraint clients_slug_key")
    execute("insert into clients (name, slug) values ('Two', 'lakeshore-interiors')")
    assert show("CLT_LAKESHORE_001").production_client_id is None
    before = everything()
    with pytest.raises(ColumnlineError):
        change("CLT_LAKESHORE_001", timezone="Europe/Vienna")
    assert everything() == before


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("supersede", "auto", "auto"),
        ("supersede", " auto ", "auto"),
        ("default_list", "Hot leads", "Hot leads"),
        ("default_list", "none", ""),
        ("default_list", "x" * 128, "x" * 128),
        ("drip_schedule", '{"days": ["mon", 3], "time": "9:00"}', {"days": ["mon", 3], "time": "9:00"}),
    ],
)
def test_a_wish_is_set_and_taken_back(name, text, value):
    before = wish(show(), name)
    assert wish(change(**{name: text}), name) == (value, "client")
    assert wish(show(), name) == (value, "client")
    assert wish(change(**{name: ""}), name) == before
    assert one(f"select {name} as wish from v2_clients where client_id = :c", c=V2).wish is None


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("timezone", "Asia/Kathmandu", "Asia/Kathmandu"),
        ("timezone", "UTC", "UTC"),
        ("release_hour", "0", 0),
        ("release_hour", "23", 23),
        ("release_hour", "07", 7),
    ],
)
def test_the_clock_of_the_client_is_set(name, text, value):
    change(**{name: text})
    assert one(f"select {name} as wish from clients where id = :c", c=NORTHWIND).wish == value
    assert wish(show(), name) == (value, "client")
    assert one("select timezone from clients where id = :c", c=LAKESHORE).timezone == "America/Detroit"


BAD = [
    ("supersede", "Auto"),
    ("supersede", "never"),
    ("default_list", "x" * 129),
    ("drip_schedule", "tue"),
    ("drip_schedule", "[]"),
    ("drip_schedule", "{}"),
    ("drip_schedule", "{broken"),
    ("drip_schedule", '{"days": []}'),
    ("drip_schedule", '{"days": ["tue"], "enabled": false}'),
    ("drip_schedule", '{"days": ["noday"]}'),
    ("drip_schedule", '{"days": ["tue"], "time": "25:00"}'),
    ("drip_schedule", '{"days": ["tue"], "per_slot": 0}'),
    ("drip_schedule", '{"days": ["tue"], "note": "\\u0000"}'),
    ("drip_schedule", '{"days": ["tue"], "note": "\\ud800"}'),
    ("drip_schedule", '{"days": ["tue"], "note": NaN}'),
    ("timezone", ""),
    ("timezone", "toronto"),
    ("timezone", "EST5EDT4"),
    ("timezone", "../../etc/passwd"),
    ("timezone", "+05:00"),
    ("release_hour", ""),
    ("release_hour", "24"),
    ("release_hour", "-1"),
    ("release_hour", "7.5"),
    ("release_hour", "\N{ARABIC-INDIC DIGIT SEVEN}"),
    ("release_hour", "seven"),
    pytest.param("release_hour", "9" * 5000, id="release_hour-very long"),
    ("relase_hour", "7"),
    ("client_id", "CLT_X"),
    ("", "x"),
]


@pytest.mark.parametrize(("name", "text"), BAD)
def test_a_value_that_will_not_do_is_refused_with_its_name_and_changes_nothing(name, text):
    before = everything()
    with pytest.raises(Validation) as raised:
        change(**{"supersede": "auto"} | {name: text})
    assert raised.value.field == name
    assert everything() == before


def test_a_name_nobody_knows_is_refused_with_those_there_are():
    with pytest.raises(Validation) as raised:
        change(relase_hour="7")
    for name in ("supersede", "default_list", "drip_schedule", "timezone", "release_hour"):
        assert name in raised.value.detail


def test_a_client_that_is_not_there_is_refused():
    for work in (show, lambda name: change(name, supersede="auto")):
        with pytest.raises(ClientNotFound):
            work("CLT_NOBODY")


def test_the_clock_of_an_unmapped_client_is_refused_and_its_other_wishes_with_it():
    before = everything()
    with pytest.raises(ClientUnmapped) as raised:
        change(UNMAPPED, supersede="auto", timezone="UTC", release_hour="7")
    assert "columnline clients map CLT_UNMAPPED_001" in raised.value.detail
    assert everything() == before


def test_a_wish_counts_for_the_next_publish():
    change(default_list="Hot", supersede="auto")
    first = published("FIRST")
    names = query("select l.name from lists l join dossier_lists p on p.list_id = l.id where dossier_id = :d",
                  d=first.id)  # fmt: skip
    assert [row.name for row in names] == ["Hot"]
    assert published("SECOND").supersedes_dossier_id == first.id
    change(default_list="none", supersede="")
    third = publish_run(register("THIRD"))
    assert third.state == "done"
    assert (
        query("select 1 from dossier_lists where dossier_id = (select id from dossiers where run_id = 'THIRD')")
        == []
    )


def test_scheduled_releases_move_at_once_with_the_clients_hour_and_zone():
    day = date(2090, 1, 20)
    add(run_id="RUN", release_date=day, release_at=datetime(2090, 1, 20, 12, tzinfo=UTC))
    drip = datetime(2090, 1, 21, 12, tzinfo=UTC)
    add(run_id="DRIP", release_date=date(2090, 1, 21), release_at=drip, drip_position=1)
    add(run_id="THEIRS", client_id=LAKESHORE, release_date=day, release_at=datetime(2090, 1, 20, 13, tzinfo=UTC))

    def moments():
        rows = query("select run_id, release_at from dossiers order by run_id")
        return {row.run_id: row.release_at.astimezone(UTC) for row in rows}

    theirs = moments()["THEIRS"]
    change(release_hour="9")
    assert moments() == {"RUN": datetime(2090, 1, 20, 14, tzinfo=UTC), "DRIP": drip, "THEIRS": theirs}
    change(timezone="Asia/Kathmandu", release_hour="10")
    assert moments()["RUN"] == datetime(2090, 1, 20, 4, 15, tzinfo=UTC)
    assert moments()["DRIP"] == drip
    events = query("select action, previous_at from calendar_events order by id")
    assert [row.action for row in events] == ["moved", "moved"]

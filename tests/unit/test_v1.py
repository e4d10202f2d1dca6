"""The made-up production is what its docstring says: the same for a seed, and odd in every way at least once."""

import pytest
from psycopg.types.json import Jsonb

from tests.v1 import production
from tests.v1.content import SECTIONS
from tests.v1.traits import TRAITS

CHAINS = {"superseded", "chain_of_three", "names_its_older_only", "names_its_newer_only"}
ROWS = production()


def plain(made):
    return {
        table: [
            {name: value.obj if isinstance(value, Jsonb) else value for name, value in row.items()} for row in rows
        ]
        for table, rows in made.tables.items()
    }


def test_a_seed_makes_the_same_rows_every_time_and_another_one_makes_others():
    assert plain(production(seed=3, dossiers=50)) == plain(production(seed=3, dossiers=50))
    assert plain(production(seed=3, dossiers=50)) != plain(production(seed=4, dossiers=50))


def test_it_has_as_many_dossiers_as_are_asked_for_and_every_oddity():
    assert len(ROWS.dossiers) == 734
    assert set(ROWS.traits) == set(TRAITS) | CHAINS
    assert len({row["id"] for row in ROWS.dossiers}) == 734


@pytest.mark.parametrize("trait", [*TRAITS, *sorted(CHAINS)])
def test_a_dossier_can_be_asked_for_by_what_is_odd_about_it(trait):
    assert ROWS.of(trait)["id"] in ROWS.traits[trait]


def test_oddities_are_what_they_are_called():
    assert ROWS.of("section_is_null_text")["insight"].obj == "null"
    assert ROWS.of("section_is_json_null")["copy"].obj is None
    assert all(ROWS.of("no_sections")[section] is None for section in SECTIONS)
    assert ROWS.of("score_above_100")["lead_score"] == 120
    assert len(ROWS.of("huge")["copy"].obj["conversation_starters"][0]) > 200_000
    old = ROWS.of("superseded")
    (new,) = [row for row in ROWS.dossiers if row["id"] == old["superseded_by_dossier_id"]]
    assert new["supersedes_dossier_id"] == old["id"]
    assert new["created_at"] > old["created_at"]


def test_a_dossier_with_contacts_has_one_that_is_primary_and_legacy_ones_are_nowhere_else():
    of = {}
    for contact in ROWS.tables["contacts"]:
        of.setdefault(contact["dossier_id"], []).append(contact["is_primary"])
    assert {sum(primary) for primary in of.values()} == {1}
    assert not of.keys() & set(ROWS.traits["legacy_contacts"])
    assert 0 < len(of) < 734

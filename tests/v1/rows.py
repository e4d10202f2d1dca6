"""Puts V1's rows together, table by table."""

from datetime import timedelta
from itertools import pairwise
from uuid import UUID

from psycopg.types.json import Jsonb

from tests.v1.content import AGENTS, CLIENTS, CONTACT, NAMES, NOW, PEOPLE, STATUSES, URGENCIES, domains, sections
from tests.v1.traits import TRAITS


class Maker:
    """Puts the rows together; `chance` is the only source of what differs between seeds."""

    def __init__(self, chance):
        self.chance, self.traits = chance, {}
        self.tables = {
            name: [] for name in ("clients", "batches", "lists", "dossiers", "contacts", "dossier_lists")
        }
        for number, (slug, (name, zone, hour)) in enumerate(CLIENTS.items()):
            self._client(number, slug, name, zone, hour)

    def _id(self):
        return UUID(int=self.chance.getrandbits(128), version=4)

    def _ago(self, days):
        """A moment up to so many days ago, with microseconds: some are whole, some end in a zero."""
        moment = NOW - timedelta(seconds=self.chance.randrange(days * 86400))
        return moment.replace(microsecond=self.chance.choice([0, 120, 123456, 999999, 500000]))

    def _client(self, number, slug, name, zone, hour):
        drips = number % 3 == 1
        client = {
            "id": self._id(),
            "name": name,
            "slug": slug,
            "timezone": zone,
            "release_hour": hour,
            "drip_enabled": drips,
            "drip_frequency": ["daily", "weekly", "fortnightly?"][number % 3] if drips else None,
            "drip_day": number % 7 if drips else None,
            "drip_next_run": NOW + timedelta(days=number) if drips else None,
            "created_at": self._ago(900),
            "updated_at": self._ago(30),
        }
        self.tables["clients"].append(client)
        if slug == "empty":
            return
        for batch in range(1, 2 + number % 4):
            self.tables["batches"].append(
                {
                    "id": self._id(),
                    "client_id": client["id"],
                    "batch_number": str(batch),
                    "status": self.chance.choice(["complete", "pending", "Complete", "done", ""]),
                    "total_dossiers": self.chance.randrange(90),
                    "completed_dossiers": self.chance.randrange(90),
                    "created_at": self._ago(800),
                }
            )
        for list_name in ("Inbox", "Hot leads 🔥", "null", "")[: 1 + number % 4]:
            self.tables["lists"].append(
                {"id": self._id(), "client_id": client["id"], "name": list_name, "created_at": self._ago(700)}
            )

    def dossier(self, number):
        chance = self.chance
        readers = [client for client in self.tables["clients"] if client["slug"] != "empty"]
        client = readers[number % len(readers)]
        batches = [batch for batch in self.tables["batches"] if batch["client_id"] == client["id"]]
        status = chance.choice(STATUSES)
        name = f"{chance.choice(NAMES)} {number}"
        created = self._ago(800)
        out = status in {"ready", "superseded", "archived"} and chance.random() < 0.9
        row = {
            "id": self._id(),
            "client_id": client["id"],
            "batch_id": chance.choice(batches)["id"] if chance.random() < 0.8 else None,
            "company_name": name,
            "company_domain": chance.choice(domains(number)),
            "lead_score": chance.randrange(101),
            "timing_urgency": chance.choice(URGENCIES),
            "primary_signal": chance.choice(["Tender", "", "null", None]),
            "status": status,
            "agents_completed": AGENTS if out else AGENTS[: chance.randrange(6)],
            **sections(chance, name, number),
            "sources": Jsonb([{"title": f"Notice {number}", "url": f"https://planning.example/{number}"}]),
            "release_date": created.date() if out and number % 2 else None,
            "released_at": created if out else None,
            "supersedes_dossier_id": None,
            "superseded_by_dossier_id": None,
            "created_at": created,
            "updated_at": created + timedelta(hours=chance.randrange(200)),
        }
        if number % 2:
            trait = list(TRAITS)[number // 2 % len(TRAITS)]
            TRAITS[trait](row)
            self.traits.setdefault(trait, []).append(row["id"])
        self.tables["dossiers"].append(row)
        self._people(row, number)
        lists = [it for it in self.tables["lists"] if it["client_id"] == client["id"]]
        for one in chance.sample(lists, chance.randrange(len(lists) + 1)):
            self.tables["dossier_lists"].append({"dossier_id": row["id"], "list_id": one["id"]})

    def _people(self, dossier, number):
        if dossier["id"] in self.traits.get("legacy_contacts", ()):
            return  # enrich_contacts is the only place they are in
        for place in range(number % 5):
            name = self.chance.choice(PEOPLE)
            self.tables["contacts"].append(
                {
                    "id": self._id(),
                    "dossier_id": dossier["id"],
                    "name": name,
                    "first_name": name.split()[0] if place % 2 else None,
                    "last_name": "" if place == 2 else None,
                    **{column: self.chance.choice(seen) for column, seen in CONTACT.items()},
                    "tenure": None,
                    "is_primary": place == 0,
                    "created_at": dossier["created_at"],
                }
            )

    def chains(self):
        """Link dossiers of a client: both ways, three in a row, and one way only."""
        by_client = {}
        odd = {dossier_id for ids in self.traits.values() for dossier_id in ids}
        for row in self.tables["dossiers"]:
            if row["released_at"] is not None and row["id"] not in odd:
                by_client.setdefault(row["client_id"], []).append(row)
        for rows in by_client.values():
            rows.sort(key=lambda row: row["created_at"])
            for older, newer in zip(rows[0:8:2], rows[1:8:2], strict=False):
                self._link(older, newer, "superseded")
            for older, newer in pairwise(rows[8:11]):
                self._link(older, newer, "chain_of_three")
            if len(rows) > 14:
                rows[11]["supersedes_dossier_id"] = rows[12]["id"]
                rows[13]["superseded_by_dossier_id"] = rows[14]["id"]
                self.traits.setdefault("names_its_older_only", []).append(rows[11]["id"])
                self.traits.setdefault("names_its_newer_only", []).append(rows[13]["id"])

    def _link(self, older, newer, trait):
        older["superseded_by_dossier_id"], newer["supersedes_dossier_id"] = newer["id"], older["id"]
        older["status"] = "superseded"
        self.traits.setdefault(trait, []).append(older["id"])

    def finish(self):
        """Put dossiers in the order in which they were made; links of a chain may lead forward."""
        self.tables["dossiers"].sort(key=lambda row: row["created_at"])

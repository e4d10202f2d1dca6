"""What dossiers are called and how they score, as their views say it, for lists that do without the rest."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.production import Dossier
from worker.view.lenient import text
from worker.view.transform import company_name, lead_score


def headings(session: Session, rows: Sequence[Any]) -> list[tuple[str, int | None]]:
    """The name of the company and the lead score of each.

    The section is fetched only of those whose columns do not say both: it is large.

    Args:
        session: where they are.
        rows: with `dossier_id`, `company_name`, `company_domain` and `lead_score`, as they are stored.
    """
    terse = [row.dossier_id for row in rows if text(row.company_name) is None or row.lead_score is None]
    statement = select(Dossier.id, Dossier.find_leads).where(Dossier.id.in_(terse))
    sections = {row.id: row.find_leads for row in session.execute(statement)} if terse else {}
    return [
        (
            company_name(row.company_name, row.company_domain, sections.get(row.dossier_id)),
            lead_score(row.lead_score, sections.get(row.dossier_id)),
        )
        for row in rows
    ]

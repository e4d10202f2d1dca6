"""What assembling owes, whatever the pipeline stored: a draft that PostgreSQL takes, or an error that it takes."""

import json
import re
from dataclasses import asdict

import orjson

from tasks.assemble import assemble
from tasks.assemble.notes import FOUND
from worker.errors import OutputsInvalid, OutputsMissing

NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def ends_well(run):
    """Assemble, and check that what came of it is what PostgreSQL takes."""
    try:
        draft = assemble(run)
    except (OutputsMissing, OutputsInvalid) as error:
        ended = error
    else:
        assert_sound(draft)
        assert_storable(asdict(draft))
        return
    assert all(len(finding["found"]) <= FOUND for finding in ended.findings)
    assert ended.findings
    assert_storable(ended.as_dict())


def assert_sound(draft):
    assert draft.contacts == () or sum(contact.is_primary for contact in draft.contacts) == 1
    assert draft.lead_score is None or 0 <= draft.lead_score <= 100
    assert draft.timing_urgency in {None, "LOW", "MEDIUM", "HIGH", "CRITICAL"}
    assert draft.company_name.strip()
    assert all(type(notice.code) is str for notice in draft.warnings)
    written = {str(contact.id) for contact in draft.contacts}
    assert all(entry["contact_id"] in written for entry in draft.copy["outreach"])


def assert_storable(made):
    stored = orjson.dumps(made)  # refuses surrogates, integers beyond 64 bits, nesting beyond 254
    assert not NUL.search(stored)
    assert orjson.loads(stored) == json.loads(json.dumps(made, default=str, allow_nan=False))

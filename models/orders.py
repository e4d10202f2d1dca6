"""What was asked for: the payload of a job, read back from `jobs.payload` exactly as it was accepted."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, field_validator

DRIP = "drip"
"""The release date that means the client's next free drip slot."""

ReleaseAsked = date | datetime | Literal["drip"]
"""A day, the moment Make.com sent for one, or `drip`."""


class PublishOrder(BaseModel):
    """The parameters of one publish (design §3). What is None was not asked for.

    Attributes:
        release_date: a moment is read in the client's time zone once the client is known; None releases at once.
        default_list_id, list: the list to put the dossier on, by id or by name.
        supersede: whether to replace the company's newest dossier, whatever the client's policy.
        supersedes_run_id, supersedes_dossier_id: the dossier to replace.
        batch_number: the batch, where Make.com numbers them.
        callback_url: where to tell of the end.
        republish: assemble again into the dossier that is there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    release_date: ReleaseAsked | None = None
    default_list_id: UUID | None = None
    list: str | None = None
    supersede: Literal["auto", "none"] | None = None
    supersedes_run_id: str | None = None
    supersedes_dossier_id: UUID | None = None
    batch_number: str | None = None
    callback_url: str | None = None
    republish: bool = False

    @property
    def names_an_older(self) -> bool:
        """Whether the request names the dossier to replace, by its run or by its own id."""
        return self.supersedes_run_id is not None or self.supersedes_dossier_id is not None

    @property
    def says_what_to_supersede(self) -> bool:
        """Whether the request decides about the older dossier, rather than the client's policy."""
        return self.supersede is not None or self.names_an_older

    @field_validator("release_date", mode="before")
    @classmethod
    def _moment_or_day(cls, value: Any) -> Any:
        """Tell a moment from a day by its form: midnight in UTC is a moment, and another day elsewhere."""
        return datetime.fromisoformat(value) if isinstance(value, str) and "T" in value else value

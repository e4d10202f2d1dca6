"""What was asked for: the payload of a job, read back from `jobs.payload` exactly as it was accepted."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator


class PublishOrder(BaseModel):
    """The parameters of one publish (design §3).

    Attributes:
        release_date: a day, or the moment Make.com sent for one, which is read in the client's time zone
            once the client is known; None releases at once.
        republish: assemble again into the dossier that is there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    release_date: date | datetime | None = None
    republish: bool = False

    @field_validator("release_date", mode="before")
    @classmethod
    def _moment_or_day(cls, value: Any) -> Any:
        """Tell a moment from a day by its form: midnight in UTC is a moment, and another day elsewhere."""
        return datetime.fromisoformat(value) if isinstance(value, str) and "T" in value else value

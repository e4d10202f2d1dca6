"""One thing that stands in the way of migrating: what was found, and what to do about it."""

from pydantic import BaseModel


class Obstacle(BaseModel):
    """Something that stands in the way.

    Attributes:
        kind: which sort of thing, for programs.
        subject: the table, column, index, role or schema concerned.
        found: what was found.
        remedy: what to do.
        listed: each row concerned, where there may be many.
        certain: whether it would surely make migrating fail, or every publish after it.
    """

    kind: str
    subject: str
    found: str
    remedy: str
    listed: list[str] = []
    certain: bool = True

    @property
    def sentence(self) -> str:
        """All of it as text, what is listed below."""
        return "\n".join([f"{self.found} {self.remedy}", *(f"  {row}" for row in self.listed)])

"""Files that jobs wrote for somebody to fetch: in the database, since worker and bridge may be on two machines."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class ExportPart(Base):
    """A part of the file that an export's job wrote. They are its file, in order, once the job is done."""

    __tablename__ = "export_parts"
    __table_args__ = (CheckConstraint("position >= 0", name="position"),)

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    bytes: Mapped[bytes] = mapped_column(LargeBinary)

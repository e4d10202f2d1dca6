"""What may be asked for: which rows, as which file, of which dossiers."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

from worker.dossier_filter import DossierFilter


class What(StrEnum):
    """What a row of the file is."""

    DOSSIERS = "dossiers"
    CONTACTS = "contacts"
    SIGNALS = "signals"


class Format(StrEnum):
    """The kind of file; also the end of its name."""

    CSV = "csv"
    XLSX = "xlsx"


MEDIA_TYPES = {
    Format.CSV: "text/csv",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@dataclass(frozen=True, slots=True)
class Order:
    """An export as it was asked for.

    Attributes:
        bom: whether a CSV file begins with a byte order mark, by which Excel knows UTF-8.
    """

    what: What
    format: Format
    wanted: DossierFilter
    bom: bool = False

    @property
    def file_name(self) -> str:
        """What the file is called where it is saved."""
        return f"{self.what}.{self.format}"

    @property
    def media_type(self) -> str:
        """Its content type."""
        return MEDIA_TYPES[self.format]

    def conditions(self) -> list[str]:
        """Names of the conditions that are set; for logs, which never hold their values."""
        return [field.name for field in fields(self.wanted) if getattr(self.wanted, field.name) is not None]

    def payload(self) -> dict[str, Any]:
        """The same as JSON, for a job's row."""
        found: dict[str, Any] = _ORDER.dump_python(self, mode="json", exclude_none=True)
        return found

    @classmethod
    def of(cls, payload: dict[str, Any]) -> "Order":
        """The order that a job's row holds."""
        return _ORDER.validate_python({field.name: payload[field.name] for field in fields(cls)})


_ORDER = TypeAdapter(Order)

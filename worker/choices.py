"""What a setting may choose between."""

from enum import StrEnum


class ClientMapping(StrEnum):
    """How a v2 client finds its production client (roadmap §3)."""

    EXPLICIT = "explicit"
    SLUG = "slug"


class BatchStrategy(StrEnum):
    """Which batch a dossier belongs to (roadmap §1): the client's day, its run's, Make.com's, or none."""

    DAILY = "daily"
    RUN = "run"
    MAKE = "make"
    NONE = "none"


class ConfigOwner(StrEnum):
    """Whose changes of the config fields flow to the other table (roadmap §3)."""

    V2 = "v2"
    PRODUCTION = "production"
    SEPARATE = "separate"


class MakeMode(StrEnum):
    """How Make.com is told to run the pipeline (roadmap §7)."""

    API = "api"
    WEBHOOK = "webhook"


class SupersedePolicy(StrEnum):
    """Whether a publish replaces the company's newest dossier unasked (roadmap §2)."""

    EXPLICIT = "explicit"
    AUTO = "auto"

"""All tables, whoever asks: SQLAlchemy knows those alone whose module was imported."""

from models import calendar, config, exports, jobs, make, operating, page, pipeline, production
from models.base import Base

assert all(
    module.Base is Base
    for module in (calendar, config, exports, jobs, make, operating, page, pipeline, production)
)

METADATA = Base.metadata
"""The whole schema. Nobody else reads it off `Base`, where it holds what happens to be imported."""

TABLES = tuple(sorted(METADATA.tables))
"""Their names."""

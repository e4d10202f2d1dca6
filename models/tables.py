"""All tables, whoever asks: SQLAlchemy knows those alone whose module was imported."""

from models import calendar, config, exports, jobs, make, operating, page, pipeline, production
from models.base import Base

assert all(
    module.Base is Base
    for module in (calendar, config, exports, jobs, make, operating, page, pipeline, production)
)

TABLES = tuple(sorted(Base.metadata.tables))
"""Their names."""

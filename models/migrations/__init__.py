"""Schema migrations, run by `columnline migrate` and by alembic."""

"""Where PostgreSQL and the broker are: where the settings say, else embedded ones of our own."""

from functools import lru_cache

from worker.settings import settings


@lru_cache(maxsize=1)
def database_url() -> str:
    """The URL SQLAlchemy connects to. Starts or joins the embedded PostgreSQL where none is set."""
    configured = settings().database_url
    if configured is not None:
        return configured.get_secret_value()
    from worker import embedded  # noqa: PLC0415 - its wheels are an extra that others need not install

    return embedded.attach_postgres(settings().data_dir)


@lru_cache(maxsize=1)
def broker_url() -> str:
    """The URL Celery connects to. Starts or joins the embedded Redis where none is set."""
    configured = settings().redis_url
    if configured is not None:
        return configured.get_secret_value()
    from worker import embedded  # noqa: PLC0415 - its wheels are an extra that others need not install

    return embedded.attach_redis(settings().data_dir)


def start_again() -> bool:
    """Start embedded servers again that have crashed: where they were, as long as their port is free.

    Returns:
        Whether one had.

    Raises:
        EmbeddedServerError: one does not start; the next call tries again.
    """
    from worker import embedded  # noqa: PLC0415 - as above

    urls = (database_url, broker_url)
    lost = embedded.any_crashed(settings().data_dir) or not all(url.cache_info().currsize for url in urls)
    if lost:
        for url in urls:
            url.cache_clear()
        for url in urls:
            url()
    return lost

"""Which process of pytest-xdist does which tests: each the next in our order, some modules as a whole."""

from xdist.scheduler import LoadScopeScheduling

TOGETHER = (
    "tests/system/test_page_browser.py",
    "tests/system/test_bridge_processes.py",
    "tests/system/test_embedded.py",
    "tests/database/bridge/test_coexistence.py",
)
"""Modules whose tests share what is dear to start: dealt out to six processes, they would start it six times."""


class Dealing(LoadScopeScheduling):
    """Deals out tests one by one to whoever is free, and each module of `TOGETHER` as if it were one test.

    xdist itself would deal out many at once (the first process had all that take longest), or only whole modules.
    """

    def __init__(self, config, log=None):
        config.option.loadscopereorder = False  # our order stands
        super().__init__(config, log)

    def _split_scope(self, nodeid):
        module = nodeid.partition("::")[0]
        return module if module in TOGETHER else nodeid

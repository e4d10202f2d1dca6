"""Known vulnerabilities in what the lock files pin, by pip-audit: `python -m tests.supply.audit FILE …`.

Only found ones fail. Where the service that knows them cannot be asked, as behind a mirror of the index, this says
so, and that nothing was checked: silence would read as good news.
"""

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field

PATIENCE = 180
"""Seconds for one lock file."""

OPTIONS = ("--disable-pip", "--require-hashes", "--progress-spinner=off", "--format=json", "--timeout=10")

IGNORED: dict[str, str] = {}
"""Vulnerabilities that we live with, by id, each with why it cannot hurt us."""

_UNREACHED = re.compile(r"ConnectionError|ServiceError|ConnectTimeout|ReadTimeout|HTTPError|ProxyError|SSLError")


@dataclass
class Audit:
    """What came of asking about one lock file."""

    vulnerable: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    asked: int = 0
    unreached: str = ""
    broken: str = ""

    @property
    def failed(self):
        """Whether `make check` must not pass."""
        return bool(self.vulnerable or self.broken)

    def sentence(self, name):
        """What to tell whoever runs it."""
        if self.broken:
            return f"audit of {name}: pip-audit itself failed: {self.broken}"
        if self.unreached:
            return f"audit of {name}: NOT CHECKED, the vulnerability service could not be asked ({self.unreached})"
        if self.unasked and not self.asked:
            return f"audit of {name}: NOT CHECKED, the service knows none of its {len(self.unasked)} packages"
        rest = f"; it could not be asked about {', '.join(self.unasked)}" if self.unasked else ""
        return f"audit of {name}: {self.asked} packages asked about, {len(self.vulnerable)} vulnerabilities{rest}"


def read(status, output, errors, ignored=None):
    """What pip-audit's exit status, standard output and standard error mean."""
    ignored = IGNORED if ignored is None else ignored
    try:
        packages = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (errors.strip().splitlines() or [f"exit status {status}"])[-1][:300]
        kind = _UNREACHED.search(errors)
        return Audit(unreached=kind[0]) if kind else Audit(broken=last)
    audit = Audit()
    for package in packages:
        if "skip_reason" in package:
            audit.unasked.append(package["name"])
            continue
        audit.asked += 1
        for found in package["vulns"]:
            if ignored.keys().isdisjoint({found["id"], *found["aliases"]}):
                cure = ", ".join(found["fix_versions"]) or "no version yet"
                audit.vulnerable.append(f"{package['name']} {package['version']}: {found['id']}, mended in {cure}")
    return audit


def ask(path, command=(sys.executable, "-m", "pip_audit"), patience=PATIENCE):
    """Have pip-audit look at a lock file."""
    asked = [*command, *OPTIONS, "--requirement", path]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=patience, check=False)
    except subprocess.TimeoutExpired:
        return Audit(unreached=f"no answer within {patience:g} s")
    return read(done.returncode, done.stdout, done.stderr)


def main(paths):
    """Ask about these lock files; returns the exit status."""
    failed = False
    for path in paths:
        audit = ask(path)
        for line in audit.vulnerable:
            print(f"vulnerable: {line}")  # noqa: T201 - for whoever runs it
        print(audit.sentence(path))  # noqa: T201 - for whoever runs it
        failed |= audit.failed
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

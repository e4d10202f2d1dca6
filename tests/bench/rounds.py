"""What rounds found, told as medians with their spread, and as ratios of what was measured in the same round."""

from statistics import median, quantiles


class Rounds:
    """Values by variant and metric, one a round."""

    def __init__(self):
        self._found = {}

    def add(self, variant, **metrics):
        """Add what a round found of a variant; a metric that could not be had is None, and left out."""
        of = self._found.setdefault(variant, {})
        for name, value in metrics.items():
            if value is not None:
                of.setdefault(name, []).append(value)

    def ratio(self, metric, of, to):
        """The ratio of two variants, taken in each round."""
        pairs = zip(self._found[of][metric], self._found[to][metric], strict=True)
        return summary([one / other for one, other in pairs if other])

    def figures(self):
        """Medians and spread of everything."""
        return {
            variant: {name: summary(values) for name, values in metrics.items()}
            for variant, metrics in self._found.items()
        }


def summary(values):
    """The median of the rounds, and the lowest and highest of them."""
    if not values:
        return None
    return {name: round(of(values), 4) for name, of in (("median", median), ("low", min), ("high", max))}


def spread(seconds):
    """Median, 95th and 99th percentile of times, in milliseconds."""
    cuts = quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else seconds * 99
    return {f"p{cut}_ms": cuts[cut - 1] * 1000 for cut in (50, 95, 99)}

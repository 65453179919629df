"""Measurements of a service for Prometheus."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from toothwise.errors import need

if TYPE_CHECKING:
    from toothwise.serving.service import Service

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # upper ends of the bins of times


class Metrics:
    """Counters of one service, in a registry of its own.

    Args:
        service: The service, whose name and version are part of the metrics.
    """

    def __init__(self, service: Service) -> None:
        prometheus = need("prometheus_client", "serving")
        self.registry = prometheus.CollectorRegistry()
        counter = partial(prometheus.Counter, registry=self.registry)
        histogram = partial(prometheus.Histogram, registry=self.registry)
        self.taken = counter("toothwise_requests_taken", "Requests whose head was read")
        self.requests = counter("toothwise_requests", "Requests that ended, by address and status", ("path", "status"))
        words = "Time from the first byte of a request to the end of its answer"
        self.seconds = histogram("toothwise_request_seconds", words, ("path",), buckets=(*_SECONDS, 30))
        self.refused = counter("toothwise_refused", "Requests refused by code", ("code",))
        self.maps = counter("toothwise_maps", "Maps diagnosed")
        self.alarms = counter("toothwise_alarms", "Maps above the threshold")
        self.batches = histogram("toothwise_batch_maps", "Maps scored together", buckets=[2**k for k in range(9)])
        words = "Time to score and judge a batch"
        self.scoring = histogram("toothwise_scoring_seconds", words, buckets=(0.001, *_SECONDS))
        words = "Requests being read, waiting or worked on"
        self.inside = prometheus.Gauge("toothwise_requests_inside", words, registry=self.registry)
        known = service.about()
        about = prometheus.Info("toothwise_model", "The detector that is served", registry=self.registry)
        about.info({name: str(known[name]) for name in ("detector", "fingerprint", "run", "toothwise")})

    def total(self, name: str) -> int:
        """A counter over all its labels."""
        samples = (sample for family in self.registry.collect() for sample in family.samples)
        return int(sum(sample.value for sample in samples if sample.name == name))

    def text(self) -> tuple[bytes, str]:
        """The exposition and its content type."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self.registry), CONTENT_TYPE_LATEST

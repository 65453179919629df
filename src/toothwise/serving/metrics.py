"""Measurements of a service for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toothwise.errors import missing

if TYPE_CHECKING:
    from toothwise.serving.service import Service


class Metrics:
    """Counters of one service, in a registry of its own.

    Args:
        service: The service, whose name and version are part of the metrics.
    """

    def __init__(self, service: Service) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
        except ImportError:
            raise missing("prometheus_client", "serving") from None
        self.registry = registry = CollectorRegistry()
        self.taken = Counter("toothwise_requests_taken", "Requests whose head was read", registry=registry)
        self.requests = Counter(
            "toothwise_requests", "Requests that ended, by address and status", ("path", "status"), registry=registry
        )
        self.seconds = Histogram(
            "toothwise_request_seconds",
            "Time from the first byte of a request to the end of its answer",
            ("path",),
            registry=registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
        )
        self.refused = Counter("toothwise_refused", "Requests refused by code", ("code",), registry=registry)
        self.maps = Counter("toothwise_maps", "Maps diagnosed", registry=registry)
        self.alarms = Counter("toothwise_alarms", "Maps above the threshold", registry=registry)
        self.batches = Histogram(
            "toothwise_batch_maps",
            "Maps scored together",
            registry=registry,
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
        )
        self.scoring = Histogram(
            "toothwise_scoring_seconds",
            "Time to score and judge a batch",
            registry=registry,
            buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )
        self.inside = Gauge("toothwise_requests_inside", "Requests being read, waiting or worked on", registry=registry)
        about = Info("toothwise_model", "The detector that is served", registry=registry)
        known = service.about()
        about.info({name: str(known[name]) for name in ("detector", "fingerprint", "run", "toothwise")})

    def total(self, name: str) -> int:
        """A counter over all its labels."""
        samples = (sample for family in self.registry.collect() for sample in family.samples)
        return int(sum(sample.value for sample in samples if sample.name == name))

    def text(self) -> tuple[bytes, str]:
        """The exposition and its content type."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self.registry), CONTENT_TYPE_LATEST

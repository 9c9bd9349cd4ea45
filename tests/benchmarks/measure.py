"""Rates, latencies and CPU of one kind of request, beside a hello-world asked just before."""

from dataclasses import dataclass, field
from statistics import median
from typing import Final

from tests.benchmarks.load import Crowd, Load, Next, again, request
from tests.benchmarks.seeded import Seeded, Served, cpu_seconds, family_cpu_seconds

HELLO_S: Final = 1.0
_HELLO: Final = again(request("GET", "/hello"))


@dataclass(frozen=True, slots=True)
class Sample:
    """One round: what came back, CPU microseconds a request of the API and of PostgreSQL."""

    load: Load
    api_us: float
    postgres_us: float


@dataclass(slots=True)
class Series:
    """The rounds of one kind of request, each with the hello-world before it."""

    name: str
    hellos: list[Sample] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    def ratios(self) -> list[float]:
        """Requests a second, in units of the hello-world of the same round."""
        pairs = zip(self.samples, self.hellos, strict=True)
        return sorted(it.load.rate / hello.load.rate for it, hello in pairs)

    def cpu_ratios(self) -> list[float]:
        """CPU of the API a request, in units of the hello-world of the same round."""
        pairs = zip(self.samples, self.hellos, strict=True)
        return sorted(it.api_us / hello.api_us for it, hello in pairs)

    def line(self) -> str:
        """One row of the table; medians of the rounds, the ratio with its least and most."""
        loads, ratios = [it.load for it in self.samples], self.ratios()
        return (
            f"{self.name:<22}{median(it.rate for it in loads):>8.0f}"
            f"{median(it.percentile(0.5) for it in loads):>8.1f}"
            f"{median(it.percentile(0.99) for it in loads):>8.1f}"
            f"{median(ratios):>8.3f} ({ratios[0]:.3f}-{ratios[-1]:.3f})"
            f"{median(it.api_us for it in self.samples):>8.0f}"
            f"{median(self.cpu_ratios()):>8.2f}"
            f"{median(it.postgres_us for it in self.samples):>8.0f}"
        )


HEADING: Final = (
    f"{'':<22}{'a second':>8}{'p50 ms':>8}{'p99 ms':>8}{'x hello (least-most)':>22}"
    f"{'CPU us':>8}{'x hello':>8}{'PG us':>8}"
)


@dataclass(frozen=True, slots=True)
class Bench:
    """One served city and the crowd that asks it."""

    city: Seeded
    served: Served
    crowd: Crowd

    def sample(self, next_request: Next, seconds: float | None) -> Sample:
        """Ask and meter. Raises RuntimeError if anything but 2xx or 304 is answered."""
        api, postgres = cpu_seconds(self.served.process), family_cpu_seconds(self.city.postgres)
        load = self.crowd.drive(next_request, seconds)
        api = cpu_seconds(self.served.process) - api
        postgres = family_cpu_seconds(self.city.postgres) - postgres
        if wrong := {it: n for it, n in load.statuses.items() if not (it < 300 or it == 304)}:
            raise RuntimeError(f"answered {wrong}")
        return Sample(load, api / len(load.ms) * 1e6, postgres / len(load.ms) * 1e6)

    def add(self, series: Series, next_request: Next, seconds: float | None = None) -> None:
        """One round: a hello-world, then the request, until it is at an end or so many seconds."""
        series.hellos.append(self.sample(_HELLO, HELLO_S))
        series.samples.append(self.sample(next_request, seconds))

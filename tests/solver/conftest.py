"""Property tests of the decision core: judged by what holds, not by how long a loaded machine
takes for one example."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "solver", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("solver")

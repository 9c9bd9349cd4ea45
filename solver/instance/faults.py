"""What is wrong with a file, told with the path to the offending value."""

import json


class InstanceError(ValueError):
    """A file that is no network or plan of this version; ``field`` is the path to the fault."""

    def __init__(self, field: str, value: object, way_out: str) -> None:
        shown = json.dumps(value, ensure_ascii=False, default=str)
        super().__init__(f"{field}: {shown[:80]} - {way_out}")
        self.field = field
        self.value = value
        self.way_out = way_out


class Fault(Exception):
    """A wrong value on its way up through the readers, each of which adds its step of the path;
    so nobody builds a path before there is a fault."""

    def __init__(self, value: object, way_out: str, *steps: str) -> None:
        super().__init__(way_out)
        self.value, self.way_out = value, way_out
        self.steps = list(steps)

    def error(self, path: str) -> InstanceError:
        """The fault as the caller gets it; ``path`` names the outermost value."""
        return InstanceError(path + "".join(reversed(self.steps)), self.value, self.way_out)

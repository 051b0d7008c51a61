"""Health checks: /livez, /readyz and /healthz, as a whole and check by check."""

from collections.abc import Callable, Mapping

from pybernetes.apiserver import errors
from pybernetes.client.transport import Response

Check = Callable[[], str]
"""Returns what is wrong, or "". Must be quick: a probe waits for it."""

_TEXT = {"content-type": "text/plain; charset=utf-8", "cache-control": "no-cache, private"}
_ENDPOINTS = ("livez", "readyz", "healthz")


class Health:
    """The checks. All three endpoints run `live`; /readyz also runs `ready`."""

    def __init__(self, *, live: Mapping[str, Check], ready: Mapping[str, Check]) -> None:
        self._checks = {"livez": dict(live), "healthz": dict(live), "readyz": {**live, **ready}}

    def knows(self, path: str) -> bool:
        """Whether a path is a health endpoint."""
        return path.split("/")[1] in _ENDPOINTS

    def answer(self, path: str, *, verbose: bool, exclude: list[str]) -> Response:
        """The response of /livez, or /livez/<check>. Raises NotFound."""
        _, endpoint, *rest = path.split("/")
        checks = self._checks[endpoint]
        if rest:
            name = "/".join(rest)
            if name not in checks:
                raise errors.no_such_path()
            wrong = checks[name]()
            text = f"internal server error: {wrong}\n" if wrong else "ok"
            return Response(500 if wrong else 200, _TEXT, text.encode())
        return self._all(endpoint, checks, verbose, exclude)

    def _all(self, endpoint: str, checks: Mapping[str, Check], verbose: bool, exclude: list[str]) -> Response:
        lines, failed = [], []
        for name, check in checks.items():
            if name in exclude:
                lines.append(f"[+]{name} excluded: ok")
            elif check():
                # The reason goes to the log only: these endpoints need no authentication.
                lines.append(f"[-]{name} failed: reason withheld")
                failed.append(name)
            else:
                lines.append(f"[+]{name} ok")
        unknown = [name for name in exclude if name not in checks]
        if unknown:
            listed = ",".join(f'"{name}"' for name in unknown)
            lines.append(f"warn: some health checks cannot be excluded: no matches for {listed}")
        if failed:
            return Response(500, _TEXT, "\n".join([*lines, f"{endpoint} check failed", ""]).encode())
        if verbose:
            return Response(200, _TEXT, "\n".join([*lines, f"{endpoint} check passed", ""]).encode())
        return Response(200, _TEXT, b"ok")

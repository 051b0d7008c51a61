"""maxSurge and maxUnavailable: numbers, or percentages of the desired replicas."""

from pybernetes.api.apps.deployment import Deployment
from pybernetes.api.meta import IntOrString


def scaled(value: IntOrString | None, total: int, *, up: bool) -> int:
    """A number, or a percentage of `total`, rounded up or down; 0 when absent or malformed."""
    if isinstance(value, int):
        return value
    text = (value or "").removesuffix("%")
    if not text.isdigit() or text == value:
        return 0
    part = int(text) * total
    return -(-part // 100) if up else part // 100


def resolve(deployment: Deployment) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) in pods. If both are zero, one pod may be unavailable, so that a roll-out proceeds."""
    rolling = deployment.spec.strategy.rolling_update
    want = deployment.spec.replicas or 0
    if rolling is None:
        return 0, 1
    surge = scaled(rolling.max_surge, want, up=True)
    unavailable = scaled(rolling.max_unavailable, want, up=False)
    return surge, unavailable if surge or unavailable else 1


def is_rolling(deployment: Deployment) -> bool:
    """Whether the strategy is RollingUpdate."""
    return deployment.spec.strategy.type == "RollingUpdate"


def max_surge(deployment: Deployment) -> int:
    """How many pods there may be beyond the desired number."""
    return resolve(deployment)[0] if is_rolling(deployment) else 0


def max_unavailable(deployment: Deployment) -> int:
    """How many of the desired pods need not be available."""
    want = deployment.spec.replicas or 0
    if not is_rolling(deployment) or want == 0:
        return 0
    return min(resolve(deployment)[1], want)

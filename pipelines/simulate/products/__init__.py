"""The products' behaviour: what their events say, and in which order. Content and identifiers are planted elsewhere."""

from typing import Final

from pipelines.simulate.activity import Activity
from pipelines.simulate.products import ota, posture, proxy, tor, vpn

ACTIVITIES: Final[tuple[Activity, ...]] = (
    *vpn.ACTIVITIES,
    *proxy.ACTIVITIES,
    *tor.ACTIVITIES,
    *posture.ACTIVITIES,
    *ota.ACTIVITIES,
)

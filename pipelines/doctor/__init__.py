"""Doctor: looks at an installation and says, for each part, whether it will do, and the way out if not.

Changes nothing, fetches nothing and starts nothing. Names files, versions and purposes; never key material, and never
a setting of the Kafka properties.
"""

from pipelines.doctor.installation import look_at_installation
from pipelines.doctor.observation import Observation, State
from pipelines.doctor.surroundings import Situation, look_at_surroundings

__all__ = ["Observation", "Situation", "State", "look_at_installation", "look_at_surroundings"]

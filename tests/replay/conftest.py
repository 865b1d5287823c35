from pathlib import Path

import pytest

from pipelines.broker import Cluster
from tests.replay.scene import Scene, scene_on


@pytest.fixture
def scene(tmp_path: Path, cluster: Cluster) -> Scene:
    return scene_on(tmp_path, cluster)

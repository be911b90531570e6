from pathlib import Path

import pytest

from tests.loadtests.storms import Storms


@pytest.fixture
def storms(tmp_path: Path) -> Storms:
    return Storms(tmp_path)

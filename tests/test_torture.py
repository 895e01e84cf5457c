"""The command that goes on breaking things, for a moment: full disks, and a few kills."""

import pytest
import torture


def test_a_full_disk_loses_nothing():
    tried, wrong = torture.on_a_small_disk()
    if not tried:
        pytest.skip(wrong[0])
    assert tried >= 20 and wrong == []


def test_kills_lose_nothing():
    tried, wrong = torture.kills(6, 60, (0.4, 0.4, 0.2, 0))
    assert tried >= 1 and wrong == []

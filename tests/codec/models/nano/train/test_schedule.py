from __future__ import annotations

from pathlib import Path

import pytest

from codec.models.nano.train.config import TrainConfig
from codec.models.nano.train.schedule import LAST_RATE, WARM_UP_STEPS, Schedule
from codec.models.nano.train.stages import Stage

CONFIG = TrainConfig(data=Path(), out=Path(), pitch=None, minutes=1.0, critics=True)
CRITICS_WAIT = (CONFIG.unturned_share + CONFIG.critics_share) / 2


def test_a_new_run_goes_through_all_stages() -> None:
    schedule = Schedule(CONFIG)
    shares = (0.0, CONFIG.unquantised_share, CONFIG.unturned_share, 1.0)
    assert [schedule.stage(share) for share in shares] == [*Stage, Stage.TURNED]


def test_a_run_from_trained_weights_has_nothing_to_do_without_a_quantiser() -> None:
    schedule = Schedule(CONFIG, from_release=True)
    assert schedule.stage(0.0) is Stage.QUANTISED
    assert schedule.stage(CONFIG.unturned_share) is Stage.TURNED


def test_the_envelope_loss_polishes_what_can_speak() -> None:
    assert not Schedule(CONFIG).lesson(Stage.SPEAKING, 0.0).envelope
    assert Schedule(CONFIG).lesson(Stage.QUANTISED, CONFIG.envelope_share).envelope
    assert Schedule(CONFIG, from_release=True).lesson(Stage.QUANTISED, 0.0).envelope


def test_critics_learn_before_they_have_a_say_and_both_after_the_turn() -> None:
    schedule = Schedule(CONFIG)
    lessons = [
        schedule.lesson(stage, share)
        for stage, share in ((Stage.QUANTISED, 0.5), (Stage.TURNED, CRITICS_WAIT), (Stage.TURNED, 0.9))
    ]
    assert [(lesson.critics_learn, lesson.critics_speak) for lesson in lessons] == [
        (False, False),
        (True, False),
        (True, True),
    ]


def test_there_are_no_critics_unless_asked_for() -> None:
    config = TrainConfig(data=Path(), out=Path(), pitch=None, minutes=1.0)
    lesson = Schedule(config).lesson(Stage.TURNED, 1.0)
    assert not lesson.critics_learn
    assert not lesson.critics_speak


def test_the_learning_rate_warms_up_and_falls_to_its_last_share() -> None:
    schedule = Schedule(CONFIG)
    assert schedule.learning_rate(0.0, 0) == pytest.approx(CONFIG.learning_rate / WARM_UP_STEPS)
    assert schedule.learning_rate(0.0, WARM_UP_STEPS) == pytest.approx(CONFIG.learning_rate)
    middle = 0.5 * (1 + LAST_RATE) * CONFIG.learning_rate
    assert schedule.learning_rate(0.5, WARM_UP_STEPS) == pytest.approx(middle)
    assert schedule.learning_rate(1.0, WARM_UP_STEPS) == pytest.approx(LAST_RATE * CONFIG.learning_rate)

"""The main job when nobody disturbs it: the measure for all that is done to it elsewhere."""

from pathlib import Path

from tests.chaos import auditor, job
from tests.chaos.auditor import audit
from tests.chaos.deeds import JOB, points
from tests.chaos.user import User
from tests.chaos.violations import VIOLATIONS, copied
from tests.e2e.stage import Stage


def test_the_main_job_passes_every_point_and_the_auditor_sees_what_is_wrong(stage: Stage, tmp_path: Path) -> None:
    """No point is where the job never comes; what is left is in order; and each rule turns red for its violation."""
    user = User.at(stage)
    shown = user.play()
    passed = {point for point, *_ in user.passed()}
    assert sorted(set(points(JOB)) - passed) == [], "the main job never passes these points"
    ends = {row["id"]: row["mark"] for row in shown["tasks"]}
    assert ends == dict.fromkeys(job.LANDS, "landed") | {"four": "stopped"}
    assert len(stage.prompts("two.1")) + len(stage.prompts("one.1")) == 4, "one comment and one conflict"
    stage.band("down")
    found = user.evidence(shown)
    assert audit(found) == []

    unseen = []
    for number, (name, rule, plant) in enumerate(VIOLATIONS):
        spoilt = copied(found, tmp_path / str(number))
        plant(spoilt)
        if not list(rule(spoilt)):
            unseen.append(name)
    assert unseen == []
    assert {rule for _, rule, _ in VIOLATIONS} == set(auditor.SETTLED), "a rule that nothing has ever turned red"

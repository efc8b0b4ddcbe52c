"""The least rights that a survey needs, gathered from the surveyors' own lists."""

from __future__ import annotations

from typing import Any

from tasks.survey.surveyor import all_surveyors


def iam_policy() -> dict[str, Any]:
    """An IAM policy document: one statement for each service, reading only.

    Every resource is named, because most of these actions know no narrower one, and because an inventory
    that may see a part only cannot show that nothing else is there.
    """
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": f"Survey{surveyor.service.capitalize()}",
                "Effect": "Allow",
                "Action": sorted(surveyor.actions),
                "Resource": "*",
            }
            for surveyor in all_surveyors()
        ],
    }

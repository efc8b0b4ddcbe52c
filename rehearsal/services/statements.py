"""What the rehearsal can truly state of its own processing, signed when the site is made by a key of its own.

Only what is so on any machine: that no company takes part. Where this machine stands, who reaches it and who
keeps its trail, nobody here knows, so nobody states it: those controls stay without data.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import yaml

from rehearsal.plan import Plan
from rehearsal.services.files import write_private
from tasks.steps.statements import sign_statement

KEY = "statements.pem"
_CONTROLS = {
    "LEG-01": ("no-processors", "The rehearsal runs on one machine; no company processes anything for it."),
    "LEG-02": (
        "no-processors",
        "No company takes part, so there is no contract that could reserve anything.",
    ),
    "LEG-03": ("no-transfers", "Customers and orders are invented, and nothing leaves this machine."),
}


def processing(plan: Plan, signer: str, today: date, expires: date) -> dict[str, Any]:
    """The site file's `processing`; its statements are written to `plan.site`/statements."""
    folder = plan.site / "statements"
    folder.mkdir(mode=0o700, exist_ok=True)
    verifier = ""
    for control, (subject, says) in _CONTROLS.items():
        draft = folder / f"{control}.yaml"
        statement = {
            "schema": "safe-harbor/statement/v1",
            "control": control,
            "subject": subject,
            "signer": signer,
            "dated": today,
            "expires": expires,
            "holds": True,
            "says": says,
        }
        write_private(draft, yaml.safe_dump(statement, sort_keys=False).encode())
        _, key = sign_statement(draft, plan.secrets / KEY, signer)
        verifier = key.line()
    return {
        "contact": "nobody: every customer is invented",
        "purposes": ["trying an exit before it is made"],
        "subjects": ["invented customers"],
        "data": ["invented names, addresses and orders"],
        "retention": "until the rehearsal is taken down",
        "security": ["nothing leaves this machine"],
        "signers": [{"name": signer, "key": verifier}],
        "statements": str(folder),
    }

"""The record of processing as a page that a person reads (Markdown)."""

from __future__ import annotations

from typing import Any

from inventory.record import record_digest

_ARTICLE = {
    "contact": "Contact (a)",
    "purposes": "Purposes (b)",
    "subjects": "Categories of data subjects (c)",
    "data": "Categories of personal data (c)",
    "retention": "Time limits for erasure (f)",
    "security": "Security measures (g)",
}


def record_page(record: dict[str, Any]) -> str:
    """The page; the letters are those of Art. 30(1). It ends with the digest that LEG-04 asks for."""
    found = record["found"]
    lines = [f"# Record of processing: {record['controller']}", ""]
    lines += [f"- {title}: {_words(record[key])}" for key, title in _ARTICLE.items()]
    lines += ["", "## Recipients (d)", "", *(_company(each) for each in record["recipients"] or ())]
    lines += [] if record["recipients"] else ["None is declared."]
    lines += ["", "## Systems, as declared", ""]
    lines += [f"- {each['side']}, {each['what']}: {each['where']}" for each in record["systems"]]
    lines += [
        "",
        "## Found at the provider",
        "",
        f"Observed at {found['observed_at']}, by {found['how']}.",
        "",
    ]
    lines += [f"- {key}: {count}" for key, count in found["resources"].items()] or ["Nothing was found."]
    lines += [f"- not seen: {each}" for each in found["not_seen"]]
    lines += ["", "## Transfers to third countries (e), to be assessed", ""]
    if not record["transfers"]:
        lines += ["No declared company or parent is outside the EEA. Whether one is missing is not shown."]
    for each in record["transfers"]:
        lines += [_company(each), *(f"  - {question}" for question in each["questions"].values())]
    lines += ["", f"Digest (sha256): {record_digest(record)}", ""]
    return "\n".join(lines)


def _words(value: str | list[str]) -> str:
    text = value if isinstance(value, str) else "; ".join(value)
    return text or "not declared"


def _company(each: dict[str, Any]) -> str:
    parent = (
        f"; parent {each['parent'] or 'without a name'} ({each['parent_country']})"
        if each["parent_country"]
        else ""
    )
    data = f"; gets {', '.join(each['data'])}" if each["data"] else ""
    return f"- {each['name']} ({each['country']}{parent}), {each['role']}: {each['purpose']}{data}"

"""What an API server's silence or refusal is in the project's errors: shared by its two ways in."""

from __future__ import annotations

import json

from tasks.drivers.errors import (
    Denied,
    HostKeyRefused,
    HostUnreachable,
    LoginRefused,
    OutsideError,
    ServiceFailed,
    Throttled,
)


def no_answer(part: str, host: str, error: Exception) -> OutsideError:
    """HostKeyRefused where its certificate is another one's, HostUnreachable for all else."""
    text = str(getattr(error, "reason", None) or error)
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
        return HostKeyRefused(
            part, f"the certificate of {host} is not the kubeconfig's: {text}", "fetch the kubeconfig anew"
        )
    return HostUnreachable(
        part, f"{host} does not answer: {text}", "is the API server up, and is this its address?"
    )


def refusal(part: str, what: str, status: int, content: bytes, right: str = "this right") -> OutsideError:
    """LoginRefused, Denied, Throttled or ServiceFailed, by the HTTP status and the server's Status object.

    `right` names what a user who is denied needs.
    """
    try:
        message = str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        message = content[:200].decode("utf-8", "replace")
    text = f"{what}: {status}: {message}"
    if status == 401:
        return LoginRefused(part, text, "the kubeconfig's certificate or token is not valid here (any more)")
    if status == 403:
        return Denied(part, text, f"give the kubeconfig's user {right}")
    if status == 429:
        return Throttled(part, text)
    return ServiceFailed(part, text)

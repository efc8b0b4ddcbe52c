"""Takes secrets and persons out of what is replayed.

Query parameters that carry a right (a token, a signature) are taken out, whole; Authorization and Cookie as
well; in what remains, bodies included, tokens, e-mail addresses, national identity numbers and numbers of
payment cards are overwritten.
Not everything that points to a person can be known by its form: a name or a street in a search stays.
"""

from __future__ import annotations

import re
from functools import lru_cache

from tasks.replay.national_id import is_national_id
from tasks.replay.payment_card import is_payment_card

# Names of parameters and fields that give a right to whoever has them; only letters and digits are compared,
# in lower case: `access_token` is also `accessToken`. Of `user[password]` and `user.password` the last part
# counts. The `x-amz-` and `x-goog-` families are presigned URLs (AWS Signature V4, Google V4).
# fmt: off
SECRET_NAMES = frozenset({
    "accesstoken", "apikey", "auth", "authenticitytoken", "authorization", "cardnumber", "clientsecret",
    "code", "csrf", "csrfmiddlewaretoken", "csrftoken", "cvc", "cvv", "idtoken", "jsessionid", "jwt",
    "keypairid", "otp", "phpsessid", "pin", "policy", "refreshtoken", "requestverificationtoken", "session",
    "sessionid", "sessiontoken", "sid", "sig", "signature", "token", "xsrftoken",
})
# fmt: on
SECRET_PREFIXES = ("xamz", "xgoog")
SECRET_ENDS = ("password", "passwd", "passphrase", "secret")  # newPassword
_OF_OTHER_THINGS = frozenset({"code", "policy"})  # filter[code]: no right, unless it is the whole name
SECRET_HEADERS = frozenset(
    {"authorization", "cookie", "proxy-authorization", "x-api-key", "x-auth-token", "x-csrf-token"}
)
GONE = "scrubbed"
# Not the `@2x.png` of a picture, nor the `@3.2.1` of a version.
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+(?:@|%40)(?!\dx\.)(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}")
_EMAIL_AFTER = f"{GONE}@example.invalid"
_TOKENS = re.compile(
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)*"  # a JSON web token
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"  # an AWS access key
    r"|\bgh[pousr]_[A-Za-z0-9]{36,}|\bsk_live_[A-Za-z0-9]{16,}|\bxox[abprs]-[A-Za-z0-9-]{10,}"
    r"|(?<=\bBearer )[A-Za-z0-9._~+/=-]{8,}"
)
# Digits after a percent-encoded byte (%22) begin anew; people write the number with a gap after the date.
_ELEVEN = re.compile(r"(?:(?<=%[0-9A-Fa-f]{2})|(?<!\d))(\d{6})([ +]|%20)?(\d{5})(?!\d)")
_CARD = re.compile(
    r"(?:(?<=%[0-9A-Fa-f]{2})|(?<!\d))"
    r"(?:\d{15,16}|\d{19}|\d{4}([ +-]|%20)\d{4}\1\d{4}\1\d{4}|\d{4}([ +-]|%20)\d{6}\2\d{5})(?!\d)"
)
_NAME_ENDS = re.compile(r"[\[\].]|%5[BbDd]")
_NO_LETTER = re.compile(r"[^a-z0-9]")
_PATH_PARAMETER = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/?;]*", re.IGNORECASE)
_JSON_FIELD = re.compile(r'"([A-Za-z0-9_-]{1,40})"(\s*:\s*)(?:"(?:[^"\\]|\\.)*"|[^\s",{}\[\]]+)')


def scrubbed(target: str) -> str:
    """A path and query."""
    path, question, query = target.partition("?")
    path = scrubbed_text(_PATH_PARAMETER.sub("", path))
    if not question:
        return path
    kept = [scrubbed_text(pair) for pair in query.split("&") if not is_secret_name(pair.partition("=")[0])]
    return f"{path}?{'&'.join(kept)}" if kept else path


def scrubbed_body(body: bytes) -> bytes:
    """A form, JSON or any other text; the fields stay, as a server wants them, their secret values do not."""
    text = body.decode("latin-1")  # any bytes, one to one
    if "=" in text and not text.lstrip().startswith(("{", "[", "<", "--")):
        text = "&".join(_form_field(pair) for pair in text.split("&"))
    return scrubbed_text(_JSON_FIELD.sub(_json_field, text)).encode("latin-1")


def scrubbed_text(text: str) -> str:
    """Without tokens, e-mail addresses, national identity numbers and numbers of payment cards."""
    if "@" in text or "%40" in text:
        text = _EMAIL.sub(_EMAIL_AFTER, text)
    return _ELEVEN.sub(_number, _CARD.sub(_card, _TOKENS.sub(GONE, text)))


def _number(match: re.Match[str]) -> str:
    return "0" * 11 if is_national_id(match[1] + match[3]) else match[0]


def _card(match: re.Match[str]) -> str:
    gap = match[1] or match[2]
    digits = match[0].replace(gap, "") if gap else match[0]
    return "0" * len(digits) if is_payment_card(digits) else match[0]


def _form_field(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}={GONE}" if equals and is_secret_name(name) else pair


def _json_field(match: re.Match[str]) -> str:
    return f'"{match[1]}"{match[2]}"{GONE}"' if is_secret_name(match[1]) else match[0]


@lru_cache(4096)  # a capture has few names, millions of times
def is_secret_name(name: str) -> bool:
    """Whether a parameter, field or cookie of this name gives a right."""
    parts = [part for part in _NAME_ENDS.split(name) if part]
    plain = _NO_LETTER.sub("", parts[-1].lower()) if parts else ""
    if plain in _OF_OTHER_THINGS and len(parts) > 1:
        return False
    return plain in SECRET_NAMES or plain.startswith(SECRET_PREFIXES) or plain.endswith(SECRET_ENDS)

"""The result of a dry run: the exact requests that would be sent, without headers, which hold tokens."""

from msgspec import Struct

from capcli.errors import WouldSend
from capcli.ports import PREFIX
from capcli.reply import Reply


class DryRequest(Struct, frozen=True):
    """One request as it would be sent. Bodies hold no secrets; logins are not part of a dry run."""

    method: str
    path: str
    body: str | None


class DryRun(Struct, frozen=True):
    """The requests of a dry run. `dry_run` is always true; the preview, if any, can still be executed."""

    dry_run: bool
    requests: tuple[DryRequest, ...]
    preview_id: str | None
    sentence: str
    next: str | None


def dry_reply(stop: WouldSend) -> Reply[DryRun]:
    """Turn a stopped dry run into the reply of both faces."""
    requests = tuple(
        DryRequest(method, f"{PREFIX}{path}", body.decode() if body else None)
        for method, path, body in stop.requests
    )
    count = "this request" if len(requests) == 1 else f"these {len(requests)} requests"
    kept = f" {stop.preview_id} is not used up." if stop.preview_id else ""
    first = f" {stop.first}" if stop.first else ""
    would = f"Every check passed, and {count} would have been sent."
    if not requests:
        would = "Nothing would have been sent."
    asked_by = "--dry-run" if stop.by_option else "CAP_DRY_RUN"
    sentence = f"Dry run ({asked_by}): nothing was sent.{first} {would}{kept}"
    following = None if stop.by_option else f"capcli config get {asked_by}"
    return Reply(DryRun(True, requests, stop.preview_id, sentence, following), stop.account_id)

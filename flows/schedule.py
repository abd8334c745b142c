"""When a night is due: a cron line is understood before anything is started."""

from __future__ import annotations

from flows.failures import Stop

DEFAULT_CRON = "0 3 * * *"
FIELDS = "minute hour day-of-month month day-of-week"
SHORTCUTS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class BadSchedule(Stop):
    """The cron line is not one."""


def cron_line(text: str, option: str = "--cron") -> str:
    """The five fields of a cron line or of a shortcut such as `@daily`. Raises BadSchedule, which names the `option`.

    The fields themselves are left to Prefect, which will read them; importing it takes seconds but starts nothing.
    """
    line = SHORTCUTS.get(text.strip().lower(), " ".join(text.split()))
    fields = line.split()
    if line.startswith("@"):
        raise BadSchedule(f"{option} {text!r}: unknown shortcut, one of {', '.join(SHORTCUTS)}")
    like = f'{FIELDS}, like "{DEFAULT_CRON}" for 03:00 UTC'
    if len(fields) != 5:
        raise BadSchedule(f"{option} {text!r}: {len(fields)} fields, a cron line has five: {like}")
    from prefect.client.schemas.schedules import CronSchedule

    try:
        CronSchedule(cron=line, timezone="UTC")
    except ValueError:
        raise BadSchedule(f"{option} {text!r}: a field is out of range or unreadable; {like}") from None
    return line

"""The `hubfit` command and `python -m flows`: Ctrl-C first, because everything else takes its time to import."""

from __future__ import annotations

from flows import interrupts


def main() -> None:
    """Run the command; never returns."""
    interrupts.install()
    from flows import cli

    cli.main()


if __name__ == "__main__":
    main()

"""`python -m flows` is the same command as `hubfit`."""

from flows.cli import main

if __name__ == "__main__":
    main()

"""`python -m semhub` is `semhub`."""

from semhub.cli import main

if __name__ == "__main__":
    main()

"""`python -m curbside` is the `curbside` command."""

from curbside.runtime.command import main

if __name__ == "__main__":
    main()

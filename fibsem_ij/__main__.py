"""`python -m fibsem_ij`: the command line where the console script is not on the path."""

from fibsem_ij.cli import main

if __name__ == "__main__":
    main()

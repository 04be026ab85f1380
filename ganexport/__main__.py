"""`python -m ganexport` is the command line."""

from ganexport.cli import main

main()

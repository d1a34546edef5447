"""`python -m barsmith`."""

from barsmith.cli import program

if __name__ == "__main__":
    program()

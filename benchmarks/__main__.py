"""`make bench`: builds, what one changed file costs, signing, sending and planning mail.

Medians of several runs, and ratios within one run: against the same tree unchanged, a bare look at the files, a bare
signature, bare rows.
"""

from benchmarks import builds, mail, pages, planning, serving, signing


def main() -> None:
    """Prints the tables of docs/benchmarks.md."""
    print(builds.table())
    print(f"\n{signing.table()}")
    print(f"\n{mail.table()}")
    print(f"\n{serving.table()}")
    print(f"\n{pages.table()}\n")
    for line in planning.lines():
        print(line, flush=True)


if __name__ == "__main__":
    main()

"""``make wheel``: writes the wheel and the source distribution to ``dist/``."""

from bundle import DIST, build


def main() -> None:
    """Write both and name them."""
    for path in build(DIST, "sdist", "wheel"):
        print(path)


if __name__ == "__main__":
    main()

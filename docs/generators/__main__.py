"""Writes all files of all generators."""

from docs.generators import config, facts, formats, limits, logs, manual, metrics, performance

GENERATORS = (facts, metrics, logs, limits, config, formats, manual, performance)


def main() -> None:
    """Write every file."""
    for generator in GENERATORS:
        for path, text in generator.files().items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


if __name__ == "__main__":
    main()

"""The command line: reads arguments, prints results, and turns verdicts into exit codes."""

"""The command line: parsing and printing only. One file a command group, loaded when it is asked for."""

from pipelines.cli.app import main

__all__ = ["main"]

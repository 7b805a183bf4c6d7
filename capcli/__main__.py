"""The entry point. `--version` and a shell's Tab are answered before anything else is imported."""

import sys

_INTERRUPTED = 130


def main() -> int:
    """Run the command line of this process and return its exit code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from capcli import __version__

        sys.stdout.write(f"capcli {__version__}\n")
        return 0
    if sys.argv[1:2] == ["__complete"]:
        from capcli.hints import answer

        return answer()
    code: int | None = None
    try:
        from capcli.cli.io_streams import IOStreams
        from capcli.cli.run import main as run

        code = run(sys.argv[1:], IOStreams.of_process(), last=True)
        import gc
        import signal

        # The output is written: a Ctrl-C during Python's shutdown must not change the exit code.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # No garbage collection at exit: it takes a sixth of the time of a short command.
        gc.freeze()
    except KeyboardInterrupt:
        if code is None:
            _tell_interrupted()
    return _INTERRUPTED if code is None else code


def _tell_interrupted() -> None:
    """Report the interrupt without importing anything: nothing has started yet."""
    if "--json" in sys.argv:
        sys.stdout.write(
            '{"ok":false,"schema":"capcli/1","command":"","env":null,"account_id":null,'
            '"error":{"code":"INTERRUPTED","message":"Interrupted. Nothing was sent.",'
            '"next":null,"retry_safe":true,"details":{}}}\n'
        )
    else:
        sys.stderr.write("error INTERRUPTED: Interrupted. Nothing was sent.\n")


if __name__ == "__main__":
    sys.exit(main())

"""The entry point. `--version` answers before anything else is imported."""

import sys


def main() -> int:
    """Run the command line of this process and return its exit code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from capcli import __version__

        sys.stdout.write(f"capcli {__version__}\n")
        return 0
    from capcli.cli.outlet import Outlet
    from capcli.cli.run import main as run

    code = run(sys.argv[1:], Outlet.of_process(), last=True)
    import signal

    # The answer is out: a Ctrl-C while Python takes itself down must not change the exit code any more.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return code


if __name__ == "__main__":
    sys.exit(main())

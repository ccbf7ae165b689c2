"""The command line as a test calls it: in this process, with what it printed."""

from cutaway import cli


def run(capsys, *argv):
    """(exit status, stdout, stderr)"""
    try:
        status = cli.main(argv)
    except SystemExit as exit:
        status = exit.code
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return status, out, err

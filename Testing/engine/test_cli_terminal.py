"""Whoever reads what the command line prints."""

import os
import subprocess
import sys
from pathlib import Path

from metassl import cli

ENGINE = Path(cli.__file__).parents[1]


def test_a_reader_that_leaves_early_is_no_error(tiny_project):
    command = f"{sys.executable} -m metassl status {tiny_project.path} 2>err | head -c 0; cat err"
    environment = {**os.environ, "PYTHONPATH": str(ENGINE)}
    done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, cwd=tiny_project.path)
    assert done.stdout == ""


def test_a_terminal_that_knows_only_ascii_is_shown_the_rest_in_escapes():
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    program = "import sys; from metassl.cli import main; from metassl.commands import doctor\n"
    program += "doctor.run = lambda arguments, console: console.say('1 \\xb7 2') or 0\n"
    program += "sys.exit(main(['doctor']))"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True)
    assert done.returncode == 0 and done.stdout.strip() == b"1 \\xb7 2", done

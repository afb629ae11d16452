"""Whether a machine can be reached and is ready: told before anything is sent."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from metassl.files import MetaSSLError
from metassl.jobs import get_launcher
from metassl.machines import write_machine
from metassl.machines.ssh.remote import Remote
from metassl.machines.ssh.shell import SshShell
from there import the_end, train_on, workers


def checks(machine) -> dict:
    write_machine(machine)
    return {check.what: check for check in get_launcher(machine.kind, machine.name).check()}


def test_a_machine_that_is_ready_says_what_it_has(machine):
    found = checks(machine)
    assert all(check.is_fine and not check.remedy for check in found.values()), found
    assert list(found) == ["connection", "Python", "disk", "packages", "torch", "GPU", "versions"]


def test_an_unknown_host_is_told_with_its_fingerprint_and_what_to_type(sshd, machine):
    sshd.trust()
    check = checks(machine)["connection"]
    assert not check.is_fine and sshd.fingerprint() in check.words
    assert check.words.endswith(f"then type once, and answer yes: ssh -F {sshd.config} gpu-room")
    assert (sshd.folder / "known_hosts").read_text(encoding="utf-8") == ""


def test_a_changed_host_key_is_refused_and_nothing_is_sent(sshd, machine, project):
    sshd.trust("other_key")
    found = train_on(machine, project)
    status = the_end(found)
    assert status.state == "interrupted" and "has changed, and nothing was sent" in status.message, status
    assert sshd.fingerprint() in status.message
    assert f'ssh-keygen -R "[127.0.0.1]:{sshd.port}" -f {sshd.folder / "known_hosts"}' in status.message
    assert not list(sshd.home.rglob("*.json")) and not workers(sshd.home)


def test_a_key_that_is_not_known_there_is_told_and_no_password_is_asked_for(sshd, machine):
    (sshd.folder / "authorized_keys").write_text("", encoding="utf-8")
    check = checks(machine)["connection"]
    assert not check.is_fine and "takes none of your keys, and no password is asked for" in check.words


def test_a_server_that_is_off_is_told(sshd, machine):
    sshd.stop()
    check = checks(machine)["connection"]
    assert not check.is_fine and "no connection to gpu-room" in check.words and "refused" in check.words


def test_a_python_that_is_missing_is_told_with_what_to_do(machine):
    check = checks(replace(machine, python="/nowhere/python3"))["connection"]
    assert not check.is_fine and "/nowhere/python3 cannot be run there" in check.words
    assert "install Python 3.11" in check.words


def test_packages_that_are_missing_are_told_with_the_line_that_installs_them(machine, tmp_path):
    bare = tmp_path / "bare"
    import venv

    venv.create(bare, with_pip=False)
    check = checks(replace(machine, python=str(bare / "bin" / "python")))["packages"]
    assert not check.is_fine
    assert "-m pip install 'torch>=2.8' 'monai>=1.5'" in check.remedy and str(bare) in check.remedy


def test_what_runs_there_for_a_connection_ends_with_it(sshd, machine):
    with Remote(machine) as remote:
        assert remote.about["folder"] == str(sshd.home / ".metassl")
        assert sshd.sessions()
        sshd.cut()
        with pytest.raises(MetaSSLError, match="connection to gpu-room was lost"):
            remote.run([sys.executable, "-c", "import time; time.sleep(60)"])
    assert not sshd.sessions()


def test_a_command_of_the_shell_there_keeps_its_words_apart(machine):
    shell = SshShell(machine)
    done = shell.run(["printf", "%s|", "a b", "$HOME", "c'd"], "")
    assert (done.code, done.out) == (0, "a b|$HOME|c'd|")
    assert shell.run(["cat"], "from here").out == "from here"
    assert shell.run(["false"]).code == 1


def test_the_shell_says_why_there_is_no_connection(sshd, machine):
    sshd.stop()
    done = SshShell(machine).run(["true"])
    assert done.code == 255 and "no connection to gpu-room" in done.err
